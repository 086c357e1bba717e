"""Bad rows, bad lists and failing pages: what is bad blocks nothing good, and what is not known archives nobody."""

import pytest

from hris_pipeline.errors import FrameInvalid, SourceError
from hris_pipeline.operations.connection import connect
from hris_pipeline.operations.extraction import kept_manifest
from hris_pipeline.operations.overview import history
from hris_pipeline.operations.planning import record_failure
from hris_pipeline.sandbox.world import finch_token
from hris_pipeline.store.review_queues import quarantined
from hris_pipeline_tests.kit.acme import Acme, MakeAcme


def test_a_bad_row_blocks_no_good_one_and_its_user_is_never_archived_for_it(acme: Acme) -> None:
    bad, changed = acme.active()[:2]
    acme.company.edit(bad, last_name=None, job_title="Lost")
    acme.company.edit(changed, job_title="Found")
    done = acme.run()
    assert (done.counts["quarantined"], done.counts["updated"], done.counts["archived"]) == (1, 1, 0)
    users = acme.users()
    assert users[bad]["status"] == "active"
    assert users[bad]["last_name"] is not None
    assert users[changed]["metadata"]["JobTitle"] == "Found"


def test_people_who_share_a_work_id_are_all_quarantined_and_stay(acme_lite: Acme) -> None:
    acme = acme_lite
    first, second = acme.active()[:2]
    acme.company.edit(second, work_id=acme.company.person(first).work_id)
    planned = acme.preview()
    assert planned.counts["quarantined"] == 2
    assert planned.changes == 0


def test_a_frame_full_of_bad_rows_stops_the_run_and_leaves_a_failed_import(acme_lite: Acme) -> None:
    acme = acme_lite
    for member_id in acme.company.member_ids[:6]:
        acme.company.edit(member_id, last_name=None)
    before = acme.users()
    with pytest.raises(FrameInvalid) as failure:
        acme.preview()
    record_failure(acme.services, "acme", str(failure.value), trigger="manual", actor="dana", run_id="run-1")
    failed = history(acme.services, "acme")[0]
    assert (failed.status, failed.dagster_run_id, failed.message) == ("failed", "run-1", str(failure.value))
    assert acme.users() == before
    manifest = kept_manifest(acme.services, "acme")
    with acme.services.store.read() as connection:
        bad = quarantined(connection, "acme", manifest.extract_id)
    assert set(bad["hris_id"]) == set(acme.company.member_ids[:6]), "whose rows they are is kept all the same"


def test_a_failure_of_an_unknown_integration_is_nothing_to_record(acme_lite: Acme) -> None:
    assert record_failure(acme_lite.services, "nobody", "x", trigger="manual", actor="dana", run_id=None) is None


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "short_list", "share": 0.5},
        {"kind": "empty_list"},
        {"kind": "server_error", "path": "/v1/members", "after": 1},
    ],
    ids=["short", "empty", "page"],
)
def test_a_list_that_is_not_whole_archives_nobody_and_is_held(make_lite: MakeAcme, fault: dict[str, object]) -> None:
    acme = make_lite(110, seed=3)
    acme.run()
    leaver = acme.active()[0]
    acme.company.edit(leaver, active=False, termination_date="2026-02-27")
    acme.fault(**fault)  # type: ignore[arg-type]
    try:
        planned = acme.preview()
    except (SourceError, FrameInvalid):
        assert fault["kind"] == "empty_list"
    else:
        assert planned.status == "held"
        assert not planned.complete
        assert planned.counts["archived"] == 0
    acme.sandbox.clear_faults()
    assert leaver not in acme.archived()
    assert acme.run().counts["archived"] == 1


def test_somebody_whose_details_fail_is_a_hole_that_changes_nothing(acme_lite: Acme) -> None:
    acme = acme_lite
    hole, lost, changed = acme.active()[:3]
    acme.lose([hole, lost])
    acme.company.edit(changed, job_title="Found")
    acme.fault("failing_details", members=(hole,))
    done = acme.run()
    assert done.complete
    assert done.diagnostics["hole"] == (hole,)
    assert (done.counts["archived"], done.counts["updated"]) == (1, 1)
    assert acme.archived() == {lost}


def test_somebody_who_still_answers_active_proves_the_list_short(acme_lite: Acme) -> None:
    acme = acme_lite
    acme.fault("short_list", share=0.1)
    planned = acme.preview()
    assert (planned.status, planned.complete, planned.changes) == ("held", False, 0)
    assert [guard.name for guard in planned.tripped] == ["incomplete_extract"]


@pytest.mark.parametrize(
    ("people", "lost", "held"),
    [(3, 1, False), (3, 2, True), (8, 1, False), (8, 4, True), (15, 2, False), (39, 4, False), (39, 5, True)],
)
def test_small_companies_are_guarded_as_an_administrator_would_want(
    make_lite: MakeAcme, people: int, lost: int, *, held: bool
) -> None:
    acme = make_lite(people, seed=2)
    acme.run()
    managed = [row for row in acme.users().values() if row["status"] == "active"]
    acme.lose([row["hris_id"] for row in managed[-lost:]])
    planned = acme.preview()
    assert planned.counts["archived"] == lost
    assert planned.status == ("held" if held else "planned")


def test_a_company_of_300_that_loses_forty_is_held(make_lite: MakeAcme) -> None:
    acme = make_lite(300, seed=4)
    acme.run()
    acme.lose(acme.active()[:40])
    planned = acme.preview()
    assert (planned.status, planned.counts["archived"]) == ("held", 40)
    assert [guard.name for guard in planned.tripped] == ["archive_limit"]
    assert len(planned.tripped[0].employee_ids) == 40


def test_the_aggregator_serves_the_same_story(make_lite: MakeAcme) -> None:
    acme = make_lite(12)
    acme.switch("source=finch")
    services = acme.services
    connect(services, "acme", finch_token("acme"), redirect_uri="")
    assert acme.run().counts["created"] == 12
    [gone] = acme.active()[:1]
    member = next(key for key, person in acme.company.by_finch_id().items() if key == gone)
    acme.company.remove(acme.company.by_finch_id()[member].id)
    assert acme.run().counts["archived"] == 1
    assert acme.archived() == {gone}
