"""Deleted and set up again: what was before is history only. And how long an open import stays one."""

from dataclasses import replace
from datetime import timedelta

import pytest

from hris_pipeline.errors import ImportStale, UnknownName, UsageError
from hris_pipeline.operations.automation import due_imports, resume
from hris_pipeline.operations.connection import delete_integration, purge_old
from hris_pipeline.operations.decisions import approve_import, discard_import, open_import, plan_undo, save_import
from hris_pipeline.operations.overview import history, read_import
from hris_pipeline.operations.settings import set_up
from hris_pipeline.operations.users import erase, load_users
from hris_pipeline.store.automation import automation
from hris_pipeline.store.history import recent_archives
from hris_pipeline_tests.kit.acme import Acme, MakeAcme


def reborn(acme: Acme) -> None:
    """Deletes the integration and sets it up again."""
    acme.clock.advance(minutes=1)
    delete_integration(acme.services, "acme", "acme")
    set_up(acme.services, "acme", actor="dana", accept=True)
    acme.connect()


def test_a_former_life_starts_nothing_and_counts_for_nothing(acme: Acme) -> None:
    services = acme.services
    former = history(services, "acme")[0]
    reborn(acme)
    with services.store.read() as connection:
        state = automation(connection, "acme")
    assert (state.saved, state.last_good_at, state.automatic) == (False, None, "off")
    with pytest.raises(UsageError, match="need one saved manual import"):
        resume(services, "acme", "dana", "go")
    assert due_imports(services, "daily", services.now()).due == ()
    with pytest.raises(UnknownName, match="no open import"):
        save_import(services, "acme", actor="dana")
    with pytest.raises(UsageError, match="history only"):
        plan_undo(services, former.import_id, actor="dana")
    assert [line.import_id for line in history(services, "acme")] == [former.import_id]
    again = acme.run()
    assert (again.life, former.life, again.trigger) == (2, 1, "manual")
    resume(services, "acme", "dana", "go")


def test_archives_of_a_former_life_and_of_people_who_are_back_are_no_slow_bleed_but_of_erased_ones(
    make: MakeAcme,
) -> None:
    acme = make(40)
    acme.run()
    since = acme.services.now()
    lost = acme.active()[:3]
    people = acme.lose(lost)
    assert acme.run().counts["archived"] == 3

    def bleeding() -> int:
        with acme.services.store.read() as connection:
            return len(recent_archives(connection, "acme", since))

    assert bleeding() == 3
    acme.bring_back(people[:1])
    assert acme.run().counts["restored"] == 1
    assert bleeding() == 2
    erase(acme.services, "acme", lost[1], "lee")
    erase(acme.services, "acme", lost[0], "lee")
    assert bleeding() == 2, "restored before, and archived since by being erased"
    acme.lose(acme.active()[:1])
    assert next(guard for guard in acme.run().guards if guard.name == "slow_bleed").observed.startswith("3 of ")
    reborn(acme)
    assert bleeding() == 0


def test_the_history_of_a_deleted_integration_can_still_be_shown(acme_lite: Acme) -> None:
    former = history(acme_lite.services, "acme")
    delete_integration(acme_lite.services, "acme", "acme")
    assert history(acme_lite.services, "acme") == former
    with pytest.raises(UnknownName):
        history(acme_lite.services, "acne")


def test_deletion_keeps_the_link_on_record(acme: Acme) -> None:
    linked = {user["user_id"]: user["hris_id"] for user in acme.users().values()}
    delete_integration(acme.services, "acme", "acme")
    former = {user["user_id"]: (user["former_source"], user["former_hris_id"]) for user in acme.users().values()}
    assert former == {user_id: ("justworks", hris_id) for user_id, hris_id in linked.items()}


def test_the_same_plan_brings_the_open_import_up_to_date(acme: Acme) -> None:
    services = acme.services
    acme.company.edit(acme.active()[0], job_title="Astronaut")
    monday = acme.preview()
    acme.clock.advance(days=1)
    load_users(services, "acme", b"Employee Id,First Name,Last Name,Email\nL1,Zoe,Other,new@home.example\n")
    acme.company.add(last_name=None)
    acme.company.add(work_email="new@home.example")
    tuesday = acme.preview()
    assert (tuesday.import_id, tuesday.digest, tuesday.planned_at) == (
        monday.import_id,
        monday.digest,
        monday.planned_at,
    )
    assert (monday.counts["quarantined"], tuesday.counts["quarantined"]) == (0, 1)
    assert (monday.counts["conflicts"], tuesday.counts["conflicts"]) == (0, 1)
    assert tuesday.extract_id != monday.extract_id
    assert set(tuesday.diagnostics) - set(monday.diagnostics) >= {"conflict", "quarantined"}
    assert read_import(services, monday.import_id) == tuesday


@pytest.mark.parametrize(("days", "stale"), [(7, False), (8, True), (30, True)])
def test_an_open_import_older_than_a_week_is_stale(acme_lite: Acme, days: int, stale: bool) -> None:
    acme = acme_lite
    acme.company.edit(acme.active()[0], job_title="Astronaut")
    planned = acme.preview()
    acme.clock.advance(days=days, minutes=-1)
    if not stale:
        assert acme.save(planned.import_id).status == "applied"
        return
    with pytest.raises(ImportStale, match="within 7 days"):
        acme.save(planned.import_id)
    assert read_import(acme.services, planned.import_id).status == "stale"


def test_a_plan_that_came_out_the_same_since_is_as_young_as_that(acme_lite: Acme) -> None:
    acme = acme_lite
    acme.company.edit(acme.active()[0], job_title="Astronaut")
    planned = acme.preview()
    acme.clock.advance(days=6)
    assert acme.preview().import_id == planned.import_id
    acme.clock.advance(days=6)
    assert acme.save(planned.import_id).status == "applied"


def test_an_outdated_import_is_neither_kept_nor_approved(acme_lite: Acme) -> None:
    acme = acme_lite
    acme.switch("guards={archive_limit: {people: 5, people_percent: 0, small_people: 2, small_percent: 1}}")
    acme.lose(acme.active()[:2])
    held = acme.preview()
    assert held.status == "held"
    acme.clock.advance(days=8)
    with pytest.raises(ImportStale):
        approve_import(acme.services, held.import_id, held.digest, "Lee", "checked")
    again = acme.preview()
    assert (again.digest, again.import_id != held.import_id) == (held.digest, True)
    assert read_import(acme.services, held.import_id).status == "stale"
    acme.clock.advance(days=8)
    purge_old(acme.services)
    assert read_import(acme.services, again.import_id).status == "stale"


def test_a_person_discards_an_open_import_once(acme: Acme) -> None:
    acme.company.edit(acme.active()[0], job_title="Astronaut")
    planned = acme.preview()
    with pytest.raises(UsageError):
        discard_import(acme.services, planned.import_id, "Lee", " ")
    discarded = discard_import(acme.services, planned.import_id, "Lee", "a typo in Justworks")
    assert (discarded.status, discarded.message) == ("discarded", "discarded by Lee: a typo in Justworks")
    assert replace(discarded, status="planned", message=None, finished_at=None) == planned
    assert open_import(acme.services, "acme") is None
    with pytest.raises(ImportStale, match="discarded"):
        discard_import(acme.services, planned.import_id, "Lee", "again")
    acme.clock.advance(seconds=timedelta(hours=1).total_seconds())
    assert acme.preview().import_id != planned.import_id
