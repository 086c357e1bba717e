"""First import, second import, a week's changes, and people who come back."""

from collections import Counter

from hris_pipeline.operations.decisions import open_import
from hris_pipeline.operations.overview import history
from hris_pipeline.operations.upkeep import verify
from hris_pipeline_tests.kit.acme import Acme, MakeAcme
from hris_pipeline_tests.kit.staged_rows import read_rows

KINDS = {"hired": "create", "changed": "update", "left": "archive", "vanished": "archive", "returned": "restore"}


def test_the_first_import_creates_everybody_and_a_second_writes_nothing(acme: Acme) -> None:
    before, rows = acme.users(), acme.counted()[0]
    assert len(before) == rows == 12
    again = acme.preview()
    assert (again.status, again.changes, again.counts["unchanged"]) == ("applied", 0, 12)
    assert acme.users() == before
    assert acme.counted()[0] == rows


def test_a_preview_changes_no_user_and_save_applies_that_very_change_set(make: MakeAcme) -> None:
    acme = make()
    planned = acme.preview()
    assert planned.status == "planned"
    assert acme.users() == {}
    assert open_import(acme.services, "acme") == planned
    saved = acme.save()
    assert (saved.import_id, saved.digest, saved.status) == (planned.import_id, planned.digest, "applied")
    assert len(acme.users()) == planned.counts["created"]


def test_saving_twice_is_a_no_op_that_says_what_was_saved(acme_lite: Acme) -> None:
    acme = acme_lite
    saved = history(acme.services, "acme")[0]
    assert acme.save() == acme.save(saved.import_id) == saved


def test_a_weeks_changes_are_exactly_what_happened(make: MakeAcme) -> None:
    acme = make(250, seed=5)
    acme.run()
    for _ in range(2):
        acme.clock.advance(days=7)
        events = acme.company.week(acme.clock().date())
        happened = Counter(KINDS[event.kind] for event in events if event.kind in KINDS)
        planned = acme.preview()
        assert planned.status == "planned"
        made = Counter(row.action for row in read_rows(acme.services, planned.import_id))
        assert made["archive"] == happened["archive"]
        assert made["restore"] <= happened["restore"]
        assert made["create"] >= happened["create"]
        assert made["update"] >= happened["update"]
        acme.save()
    assert verify(acme.services, "acme").ok


def test_somebody_who_comes_back_is_the_same_user(make: MakeAcme) -> None:
    acme = make(30)
    acme.run()
    [gone] = acme.active()[:1]
    before = acme.users()[gone]
    people = acme.lose([gone])
    assert acme.run().counts["archived"] == 1
    assert acme.users()[gone]["status"] == "archived"
    acme.bring_back(people)
    assert acme.run().counts["restored"] == 1
    after = acme.users()[gone]
    assert (after["user_id"], after["status"], after["archived_by"]) == (before["user_id"], "active", None)


def test_an_edited_work_id_keeps_the_user(acme_lite: Acme) -> None:
    acme = acme_lite
    [edited] = acme.active()[:1]
    before = acme.users()[edited]
    acme.company.edit(edited, work_id="X-99")
    assert acme.run().counts["updated"] == 1
    after = acme.users()[edited]
    assert (after["user_id"], after["employee_id"]) == (before["user_id"], "X-99")


def test_history_lists_the_newest_first_and_can_be_filtered(acme_lite: Acme) -> None:
    acme = acme_lite
    acme.preview()
    acme.company.edit(acme.active()[0], job_title="Astronaut")
    open_one = acme.preview()
    listed = history(acme.services, "acme")
    assert [record.status for record in listed] == ["planned", "applied", "applied"]
    assert history(acme.services, "acme", ("planned",)) == (open_one,)
    assert len(history(acme.services, "acme", limit=1)) == 1
