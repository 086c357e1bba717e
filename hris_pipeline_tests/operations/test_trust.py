"""Held change sets and approvals, told as stories."""

import pytest

from hris_pipeline.errors import ImportHeld, ImportStale, UnknownName, UsageError
from hris_pipeline.operations.decisions import approve_import, is_approved
from hris_pipeline.operations.overview import history, read_import
from hris_pipeline.store.imports import Import
from hris_pipeline_tests.kit.acme import Acme, MakeAcme


def approve(acme: Acme, held: Import, reason: str = "checked with HR") -> Import:
    return approve_import(acme.services, held.import_id, held.digest, "lee", reason)


def _limited_to_five(make: MakeAcme) -> Acme:
    """Nearly forty people, none of them odd, with a limit of five archives."""
    acme = make(39, seed=6)
    acme.switch("guards={archive_limit: {people: 5, people_percent: 0, percent: 100}}")
    acme.run()
    return acme


@pytest.fixture
def forty(make: MakeAcme) -> Acme:
    return _limited_to_five(make)


@pytest.fixture
def forty_lite(make_lite: MakeAcme) -> Acme:
    return _limited_to_five(make_lite)


def test_eight_people_vanish_with_a_limit_of_five(forty: Acme) -> None:
    acme, before = forty, forty.users()
    eight = acme.active()[:8]
    people = acme.lose(eight)
    held = acme.preview()
    assert (held.status, held.counts["archived"]) == ("held", 8)
    with pytest.raises(ImportHeld):
        acme.save()
    again = acme.preview()
    assert again.import_id == held.import_id
    with pytest.raises(ImportHeld):
        acme.save(held.import_id)
    assert acme.users() == before

    acme.bring_back(people[4:])  # the source is mended: four really left
    done = acme.run()
    assert (done.status, done.counts["archived"]) == ("applied", 4)
    assert acme.archived() == set(eight[:4])
    assert read_import(acme.services, held.import_id).status == "discarded"


def test_eight_people_vanish_and_somebody_approves_exactly_that(forty: Acme) -> None:
    acme = forty
    eight = acme.active()[:8]
    acme.lose(eight)
    held = acme.preview()
    assert not is_approved(acme.services, held)
    assert approve(acme, held).status == "held"
    assert is_approved(acme.services, held)
    assert acme.preview().import_id == held.import_id, "the same plan keeps its approval"
    assert acme.save(held.import_id).counts["archived"] == 8
    assert acme.archived() == set(eight)


def test_another_plan_supersedes_the_approved_one(forty_lite: Acme) -> None:
    acme = forty_lite
    acme.lose(acme.active()[:8])
    held = acme.preview()
    approve(acme, held)
    acme.lose(acme.active()[8:9])
    nine = acme.preview()
    assert (nine.status, nine.counts["archived"]) == ("held", 9)
    with pytest.raises(ImportHeld):
        acme.save()
    with pytest.raises(ImportStale):
        acme.save(held.import_id)
    assert acme.archived() == set()


def test_an_approval_lapses_after_seven_days(forty_lite: Acme) -> None:
    acme = forty_lite
    acme.lose(acme.active()[:8])
    held = acme.preview()
    approve(acme, held)
    acme.clock.advance(days=6)
    assert acme.preview().import_id == held.import_id
    acme.clock.advance(days=1, seconds=1)
    assert not is_approved(acme.services, held)
    with pytest.raises(ImportHeld, match="lapsed"):
        acme.save(held.import_id)
    approve(acme, held, "still so")
    assert acme.save(held.import_id).status == "applied"


def test_an_approval_goes_stale_with_its_change_set(forty: Acme) -> None:
    acme = forty
    eight = acme.active()[:8]
    acme.lose(eight)
    held = acme.preview()
    approve(acme, held)
    acme.edit_user(eight[0], phone_number="+12125550100")
    with pytest.raises(ImportStale):
        acme.save(held.import_id)
    assert acme.archived() == set()
    with pytest.raises(ImportStale):
        approve(acme, held)


def test_an_approval_needs_the_digest_a_name_and_a_reason(forty_lite: Acme) -> None:
    acme = forty_lite
    acme.company.edit(acme.active()[0], job_title="Astronaut")
    planned = acme.preview()
    with pytest.raises(UsageError, match="not held"):
        approve(acme, planned)
    acme.lose(acme.active()[:8])
    held = acme.preview()
    for digest, by, reason in (("0" * 64, "lee", "why"), (held.digest, " ", "why"), (held.digest, "lee", "")):
        with pytest.raises(UsageError):
            approve_import(acme.services, held.import_id, digest, by, reason)
    with pytest.raises(UnknownName):
        approve_import(acme.services, "20200101-000000-abcdef12", held.digest, "lee", "why")


def test_an_approved_layoff_does_not_hold_the_week_after(forty_lite: Acme) -> None:
    acme = forty_lite
    acme.lose(acme.active()[:10])
    held = acme.preview()
    assert {guard.name for guard in held.tripped} == {"archive_limit", "slow_bleed"}
    approve(acme, held)
    acme.save(held.import_id)
    acme.tomorrow()
    acme.lose(acme.active()[:2])
    assert acme.run().status == "applied"


def test_a_slow_bleed_under_the_daily_limit_is_held_by_the_seventh_day(make_lite: MakeAcme) -> None:
    acme = make_lite(31, seed=6)
    acme.run()
    statuses = []
    for _ in range(7):
        acme.tomorrow()
        acme.lose(acme.active()[:1])
        planned = acme.preview()
        statuses.append(planned.status)
        if planned.status == "planned":
            acme.save()
    assert statuses == ["planned"] * 6 + ["held"]  # the seventh of 31 is more than 20 %
    assert [guard.name for guard in planned.tripped] == ["slow_bleed"]
    acme.clock.advance(days=7)
    assert acme.preview().status == "planned"


def test_the_open_import_is_one(acme_lite: Acme) -> None:
    acme = acme_lite
    for title in ("Astronaut", "Baker", "Cook"):
        acme.company.edit(acme.active()[0], job_title=title)
        acme.preview()
    statuses = [record.status for record in history(acme.services, "acme")]
    assert statuses == ["planned", "discarded", "discarded", "applied"]


def test_the_same_plan_a_day_later_keeps_the_open_import(acme_lite: Acme) -> None:
    acme = acme_lite
    acme.company.edit(acme.active()[0], job_title="Astronaut")
    first = acme.preview()
    acme.clock.advance(days=1)
    assert acme.preview().import_id == first.import_id
