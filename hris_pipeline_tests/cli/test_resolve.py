"""`hris conflicts` and `hris resolve`, end to end: what was decided there is what the next import does."""

from typing import Any

import sqlalchemy as sa

from hris_pipeline.operations.roles import decisions_of
from hris_pipeline.operations.services import open_services
from hris_pipeline.sandbox.server import Sandbox
from hris_pipeline.store.tables import users
from hris_pipeline_tests.kit.command_line import Hris

MEMBERS = ("first_name", "last_name", "birth_date", "work_email", "work_id")


def stored() -> dict[str, dict[str, Any]]:
    """Every user by EmployeeId, as the store has them."""
    services = open_services()
    try:
        with services.store.read() as connection:
            return {row.employee_id: dict(row._mapping) for row in connection.execute(sa.select(users))}
    finally:
        services.close()


def archive_by_a_person(employee_id: str) -> None:
    """What another program of the company did: Pat switched the user off."""
    services = open_services()
    try:
        values = {"status": "archived", "archived_by": "Pat", "version": users.c.version + 1}
        with services.store.begin() as connection:
            connection.execute(sa.update(users).where(users.c.employee_id == employee_id).values(values))
    finally:
        services.close()


def decided() -> list[tuple[str, str | None]]:
    services = open_services()
    try:
        return [(decision.action, decision.outcome) for decision in decisions_of(services, "acme")]
    finally:
        services.close()


def working(sandbox: Sandbox) -> list[Any]:
    """The people whom the first import made users."""
    ids = {row["hris_id"] for row in stored().values()}
    return [person for person in sandbox.company.persons() if person.active and person.id in ids]


def come_back_as_another_member(sandbox: Sandbox, person: Any) -> None:
    """The same person under another member id: the source lost the old record."""
    same = {name: getattr(person, name) for name in MEMBERS}
    sandbox.company.remove(person.id)
    sandbox.company.add(**same)


def open_conflicts(hris: Hris) -> list[dict[str, Any]]:
    return list(hris("conflicts", "acme", "--json").document["conflicts"])


def preview(hris: Hris) -> Any:
    return hris("preview", "acme", "--json").document


def test_all_ids_changed_and_one_line_links_everybody_again(saved: Any, sandbox: Sandbox, hris: Hris) -> None:
    before = {employee_id: row["user_id"] for employee_id, row in stored().items()}
    sandbox.company.renew_ids()
    held = preview(hris)
    assert held["counts"]["conflicts"] == len(before)
    assert held["counts"]["created"] == 0
    linked = hris("resolve", "--relink", "acme", "--json")
    assert linked.exit_code == 0
    assert linked.document == {"integration": "acme", "linked": len(before)}
    assert open_conflicts(hris) == []
    planned = preview(hris)
    assert (planned["counts"]["updated"], planned["counts"]["conflicts"]) == (len(before), 0)
    assert planned["counts"]["archived"] == 0
    assert hris("save", "acme").exit_code == 0
    after = stored()
    assert {employee_id: row["user_id"] for employee_id, row in after.items()} == before
    assert {row["hris_id"] for row in after.values()} <= set(sandbox.company.member_ids)
    assert ("relink", "done") in decided()


def test_linking_in_bulk_says_how_many_and_what_to_look_at_next(saved: Any, sandbox: Sandbox, hris: Hris) -> None:
    assert hris("resolve", "acme", "--relink").stdout.startswith("0 conflicts linked by EmployeeId.")
    sandbox.company.renew_ids()
    preview(hris)
    answer = hris("resolve", "acme", "--relink")
    assert answer.exit_code == 0
    assert "hris preview acme" in answer.stdout


def test_relinking_goes_with_nothing_else(saved: Any, hris: Hris) -> None:
    for line in (("--relink",), ("acme", "--relink", "--create"), ("acme", "--relink", "--link", "x")):
        answer = hris("resolve", *line)
        assert answer.exit_code == 2
        assert "hris resolve NAME --relink" in answer.error
    assert hris("resolve", "nobody", "--relink").exit_code != 0


def test_linking_to_somebody_whom_a_person_archived_takes_the_word_restore(
    saved: Any, sandbox: Sandbox, hris: Hris
) -> None:
    person = working(sandbox)[0]
    archive_by_a_person(person.work_id)
    come_back_as_another_member(sandbox, person)
    assert preview(hris)["counts"]["conflicts"] == 1
    [conflict] = open_conflicts(hris)
    conflict_id, user_id = conflict["conflict_id"], conflict["user_id"]
    assert hris("resolve", "acme", "--relink", "--json").document["linked"] == 0, "decided one by one"
    refused = hris("resolve", conflict_id, "--link", user_id)
    assert refused.exit_code == 2
    assert "--restore" in refused.error
    assert "Pat" not in refused.error
    assert stored()[person.work_id]["status"] == "archived"
    answer = hris("resolve", conflict_id, "--link", user_id, "--restore", "--json")
    assert answer.exit_code == 0
    assert (answer.document["status"], answer.document["resolution"]) == ("resolved", "link")
    planned = preview(hris)
    assert (planned["counts"]["restored"], planned["counts"]["conflicts"]) == (1, 0)
    assert hris("save", "acme").exit_code == 0
    assert stored()[person.work_id]["status"] == "active"
    assert stored()[person.work_id]["user_id"] == user_id
    assert [entry for entry in decided() if entry[0] == "resolve"] == [("resolve", "done"), ("resolve", "UsageError")]


def test_restore_goes_with_link_alone(saved: Any, sandbox: Sandbox, hris: Hris) -> None:
    for decision in ("--create", "--ignore"):
        answer = hris("resolve", "0000", decision, "--restore")
        assert answer.exit_code == 2
        assert "--link USER_ID" in answer.error


def test_another_user_than_the_one_in_conflict_is_not_linked(saved: Any, sandbox: Sandbox, hris: Hris) -> None:
    user = stored()[working(sandbox)[0].work_id]
    sandbox.company.add(first_name="Neu", last_name="Anders", work_email=user["email"])
    preview(hris)
    [conflict] = open_conflicts(hris)
    answer = hris("resolve", conflict["conflict_id"], "--link", "somebody-else")
    assert answer.exit_code == 2
    assert conflict["user_id"] in answer.error
    assert hris("resolve", conflict["conflict_id"], "--create").exit_code == 0
    assert preview(hris)["counts"]["created"] == 1


def test_whoever_is_ignored_stays_out_of_later_imports(saved: Any, sandbox: Sandbox, hris: Hris) -> None:
    user = stored()[working(sandbox)[0].work_id]
    sandbox.company.add(first_name="Neu", last_name="Anders", work_email=user["email"])
    preview(hris)
    [conflict] = open_conflicts(hris)
    assert hris("resolve", conflict["conflict_id"], "--ignore").exit_code == 0
    planned = preview(hris)
    assert (planned["counts"]["created"], planned["counts"]["conflicts"]) == (0, 0)
    assert planned["counts"]["excluded"] > saved["counts"]["excluded"]
