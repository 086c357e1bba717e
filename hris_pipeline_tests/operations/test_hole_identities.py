"""Who a hole is, as far as the list itself tells it: whoever works on under another member id stays, whoever else left
goes, also while somebody's details fail for good."""

import msgspec
import pytest

from hris_pipeline.operations.review_queues import open_conflicts
from hris_pipeline_tests.kit.acme import Acme, MakeAcme

BADGE = "metadata=[{name: Badge, source: 'custom:Badge Number'}]"


@pytest.fixture
def acme(make_lite: MakeAcme) -> Acme:
    acme = make_lite(20, seed=5)
    acme.switch(BADGE)
    acme.run()
    return acme


def come_back(acme: Acme, hris_id: str, *, listed: bool = False, **changed: object) -> str:
    """The person under another member id, which it gives; the old one is gone, or still listed as inactive."""
    person = acme.company.person(hris_id)
    if listed:
        acme.company.edit(hris_id, raw={"active": False})
    else:
        acme.lose([hris_id])
    return acme.company.add(msgspec.structs.replace(person, id=f"again-{hris_id}", raw=None, **changed))


AGAIN = {
    "all else equal": ({}, False),
    "and another work id": ({"work_id": "9001"}, False),
    "and listed as inactive under the old one": ({}, True),
    "and another work id, listed as inactive under the old one": ({"work_id": "9001"}, True),
    "with another name and no address, as would be a conflict": ({"last_name": "Newname", "work_email": None}, False),
}


@pytest.mark.parametrize(("changed", "listed"), AGAIN.values(), ids=AGAIN)
def test_whoever_comes_back_as_a_hole_stays(acme: Acme, changed: dict[str, object], listed: bool) -> None:
    [back, gone, *_] = acme.active()
    employee_id = acme.users()[back]["employee_id"]
    member = come_back(acme, back, listed=listed, **changed)
    acme.lose([gone])
    acme.fault("failing_details", members=(member,), status=403)
    for _ in range(2):
        done = acme.run()
        assert acme.users()[back]["status"] == "active"
        assert employee_id in done.diagnostics["listed_under_other_id"]
    assert acme.archived() == {gone}


NAME_LOST = {
    "all of the name": {"name": "spelled otherwise"},
    "the first name": {"name": {"family_name": "Same"}},
    "the last name": {"name": {"given_name": "Same"}},
}


@pytest.mark.parametrize("is_hole", [False, True], ids=["quarantined", "a hole"])
@pytest.mark.parametrize("name", NAME_LOST.values(), ids=NAME_LOST)
def test_where_a_name_cannot_be_read_the_birth_date_and_the_rest_of_it_decide(
    acme: Acme, name: dict[str, object], is_hole: bool
) -> None:
    [back, gone, *_] = acme.active()
    acme.company.edit(back, first_name="Same", last_name="Same")
    acme.run()
    member = come_back(acme, back, work_id="9001", work_email=None, personal_email=None)
    acme.company.edit(member, raw={**name, "emails": []})
    acme.lose([gone])
    if is_hole:
        acme.fault("failing_details", members=(member,), status=403)
    acme.run()
    assert acme.archived() == {gone}


@pytest.mark.parametrize("listed", [False, True], ids=["gone", "listed as inactive"])
def test_somebody_new_who_is_a_hole_keeps_no_leaver(acme: Acme, listed: bool) -> None:
    hired = acme.company.add()
    acme.fault("failing_details", members=(hired,), status=422)
    [left, *_] = acme.active()
    if listed:
        acme.company.edit(left, raw={"active": False})
    else:
        acme.lose([left])
    done = acme.run()
    assert (done.counts["archived"], done.diagnostics["hole"]) == (1, (hired,))
    assert acme.archived() == {left}


def test_a_hole_that_the_list_calls_inactive_keeps_nobody(acme: Acme) -> None:
    [left, *_] = acme.active()
    member = come_back(acme, left)
    acme.company.edit(member, raw={"active": False})
    acme.fault("failing_details", members=(member,), status=403)
    acme.run()
    assert acme.archived() == {left}


@pytest.mark.parametrize("status", [403, 404, 500])
def test_whom_the_list_calls_inactive_has_left_whatever_becomes_of_their_details(acme: Acme, status: int) -> None:
    [left, works, *_] = acme.active()
    acme.company.edit(left, raw={"active": False})
    acme.fault("failing_details", members=(left, works), status=status)
    done = acme.run()
    assert acme.archived() == {left}
    assert done.diagnostics["hole"] == (works,)


@pytest.mark.parametrize("active", ["no", None, 0], ids=str)
def test_only_inactive_itself_tells_that_somebody_has_left(acme: Acme, active: object) -> None:
    [hole, *_] = acme.active()
    acme.company.edit(hole, raw={"active": active})
    acme.fault("failing_details", members=(hole,), status=403)
    acme.run()
    assert acme.archived() == set()


def test_a_member_in_conflict_who_left_keeps_nobody_though_their_details_fail(acme: Acme) -> None:
    [left, *_] = acme.active()
    member = come_back(acme, left, last_name="Newname", work_email=None)
    assert acme.run().counts["conflicts"] == 1
    acme.company.edit(member, raw={"active": False})
    acme.fault("failing_details", members=(member,), status=403)
    acme.run()
    assert acme.archived() == {left}
    assert not open_conflicts(acme.services, "acme")


def test_what_the_list_tells_of_a_hole_is_no_member(acme: Acme) -> None:
    member = acme.active()[0]
    acme.fault("failing_details", members=(member,), status=500)
    manifest = acme.extract()
    lines = list(acme.services.archive.lines(manifest))
    assert (len(lines), manifest.holes) == (manifest.records, (member,))
    assert len(list(acme.services.archive.hole_lines(manifest))) == 1
    assert acme.plan(manifest).counts["updated"] == 0
