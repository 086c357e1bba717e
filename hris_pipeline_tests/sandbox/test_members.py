"""The Partner API's resources: pages with cursors, filters, single members, the company, custom fields."""

from typing import Any

import pytest

from hris_pipeline.sandbox import Sandbox
from hris_pipeline_tests.kit.sandbox_client import Client


@pytest.mark.parametrize("limit", [1, 7, 100])
def test_pages_add_up_to_everybody_once(sandbox: Sandbox, client: Client, limit: int) -> None:
    members = client.members(limit=limit, most_pages=300)
    assert [member["id"] for member in members] == sandbox.company.member_ids


def test_with_every_scope_members_are_the_ground_truth(sandbox: Sandbox, client: Client) -> None:
    assert client.members() == sandbox.ground_truth()


def test_a_page_has_a_hundred_members_unless_told_otherwise(client: Client) -> None:
    page = client.get("/v1/members").json()
    assert len(page["items"]) == 100
    assert set(page) == {"items", "next_cursor"}


@pytest.mark.parametrize(
    "query",
    [
        {"limit": 0},
        {"limit": 101},
        {"limit": "many"},
        {"cursor": "17"},
        {"cursor": "!"},
        {"status": "gone"},
        {"updated_at_gte": "yesterday"},
    ],
)
def test_a_query_that_makes_no_sense_is_400(client: Client, query: dict[str, Any]) -> None:
    assert client.get("/v1/members", **query).status_code == 400


@pytest.mark.parametrize(("status", "active"), [("active", True), ("terminated", False)])
def test_status_filters(sandbox: Sandbox, client: Client, status: str, active: bool) -> None:
    expected = [person.id for person in sandbox.company.persons() if person.active is active]
    assert expected
    assert [member["id"] for member in client.members(status=status)] == expected


@pytest.mark.parametrize(
    ("suffix", "kept"),
    [("_gt", ">"), ("_gte", "=>"), ("_lt", "<"), ("_lte", "<="), ("_ne", "<>"), ("", "=")],
)
def test_moments_of_change_filter(sandbox: Sandbox, client: Client, suffix: str, kept: str) -> None:
    everybody = sandbox.ground_truth()
    pivot = everybody[100]["updated_at"]

    def relation(moment: str) -> str:
        return "=" if moment == pivot else ">" if moment > pivot else "<"

    expected = [member["id"] for member in everybody if relation(member["updated_at"]) in kept]
    for spelled in (pivot, pivot.replace("Z", "+00:00")):
        assert [member["id"] for member in client.members(**{f"updated_at{suffix}": spelled})] == expected


def test_one_member_answers_singly_and_a_stranger_is_404(sandbox: Sandbox, client: Client) -> None:
    member_id = sandbox.company.member_ids[17]
    assert client.get(f"/v1/members/{member_id}").json() == sandbox.company.member(member_id)
    assert client.get("/v1/members/nobody").status_code == 404
    assert client.get("/v1/members/nobody/custom-field-values").status_code == 404


def test_who_vanished_is_404(sandbox: Sandbox, client: Client) -> None:
    gone = sandbox.company.member_ids[-1]
    person = sandbox.company.remove(gone)
    assert client.get(f"/v1/members/{gone}").status_code == 404
    sandbox.company.add(person)
    assert client.get(f"/v1/members/{gone}").status_code == 200


def test_people_who_move_while_paging_are_seen_twice_or_not_at_all(sandbox: Sandbox, client: Client) -> None:
    page = client.get("/v1/members", limit=10).json()
    person = sandbox.company.remove(page["items"][0]["id"])
    missed = sandbox.company.member_ids[9]
    following = client.get("/v1/members", limit=10, cursor=page["next_cursor"]).json()
    assert missed not in [member["id"] for member in page["items"] + following["items"]]
    sandbox.company.add(person)


def test_the_company_names_itself_and_its_offices(sandbox: Sandbox, client: Client) -> None:
    company = client.get("/v1/company").json()
    assert (company["id"], company["display_name"]) == (sandbox.company.id, "Acme")
    office_ids = {office["id"] for office in company["offices"] if office["address"]["country"]}
    assert {member["office"]["id"] for member in client.members() if "office" in member} <= office_ids


def test_custom_values_are_of_the_fields_defined(sandbox: Sandbox, client: Client) -> None:
    fields = {field["id"]: field for field in client.get("/v1/company/custom-fields").json()["items"]}
    assert {field["cardinality"] for field in fields.values()} == {"single", "multiple"}
    several = 0
    for member_id in sandbox.company.member_ids[:80]:
        for item in client.get(f"/v1/members/{member_id}/custom-field-values").json()["items"]:
            field = fields[item["id"]]
            assert item["values"]
            assert not field["options"] or set(item["values"]) <= set(field["options"])
            assert field["cardinality"] == "multiple" or len(item["values"]) == 1
            several += len(item["values"]) > 1
    assert several
