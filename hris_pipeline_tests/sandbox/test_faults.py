"""Faults on request: each kind does what its name says, to whom and as often as asked, and is gone when cleared."""

import time
from typing import Any

import httpx
import msgspec
import pytest

from hris_pipeline.cli.app import COMMANDS, load_command
from hris_pipeline.errors import UsageError
from hris_pipeline.sandbox import KINDS, Company, Fault, Sandbox, running
from hris_pipeline.sandbox.oauth_routes import CONTROL_ROUTES
from hris_pipeline.sandbox.world import FAULT_KEYS
from hris_pipeline_tests.kit.sandbox_client import Client


def test_429_names_the_seconds_to_wait_and_passes(sandbox: Sandbox, client: Client) -> None:
    sandbox.fault("rate_limited", times=2, retry_after=3)
    answers = [client.get("/v1/company") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 429, 200]
    assert answers[0].headers["retry-after"] == "3"


def test_errors_strike_the_path_asked_for_from_the_request_asked_for(sandbox: Sandbox, client: Client) -> None:
    sandbox.fault("server_error", path="/v1/members", after=1, times=1, status=503)
    assert client.get("/v1/company").status_code == 200
    assert [client.get("/v1/members").status_code for _ in range(3)] == [200, 503, 200]


def test_without_a_number_of_times_a_fault_is_for_ever(sandbox: Sandbox, client: Client) -> None:
    sandbox.fault("server_error")
    assert {client.get("/v1/company").status_code for _ in range(5)} == {500}
    assert client.refresh().status_code == 500
    sandbox.clear_faults()
    assert client.get("/v1/company").status_code == 200


def test_slow_takes_longer(sandbox: Sandbox, client: Client) -> None:
    sandbox.fault("slow", seconds=0.15, times=1)
    begun = time.monotonic()
    client.get("/v1/company")
    assert time.monotonic() - begun >= 0.15


def test_a_short_list_loses_its_end_while_its_people_still_answer(sandbox: Sandbox, client: Client) -> None:
    everybody = sandbox.company.member_ids
    sandbox.fault("short_list", share=0.4)
    member_ids = [member["id"] for member in client.members()]
    assert member_ids == everybody[: len(everybody) * 6 // 10]
    assert client.get(f"/v1/members/{everybody[-1]}").status_code == 200


def test_an_empty_list_has_nobody(sandbox: Sandbox, client: Client) -> None:
    sandbox.fault("empty_list")
    assert client.members() == []


def test_a_repeated_page_comes_twice_and_nobody_is_lost(sandbox: Sandbox, client: Client) -> None:
    sandbox.fault("repeated_page", after=1, times=1)
    member_ids = [member["id"] for member in client.members()]
    everybody = sandbox.company.member_ids
    assert len(member_ids) == len(everybody) + 100
    assert set(member_ids) == set(everybody)


def test_a_page_repeated_for_ever_never_ends(sandbox: Sandbox, client: Client) -> None:
    sandbox.fault("repeated_page")
    assert len(client.members(most_pages=20)) == 2000


def test_a_page_may_be_no_json(sandbox: Sandbox, client: Client) -> None:
    sandbox.fault("not_json", times=1)
    answer = client.get("/v1/members")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert client.get("/v1/members").json()["items"]


def test_details_fail_for_the_members_named(sandbox: Sandbox, client: Client) -> None:
    member_id, other = sandbox.company.member_ids[:2]
    sandbox.fault("failing_details", members=(member_id,))
    assert client.get(f"/v1/members/{member_id}").status_code == 500
    assert client.get(f"/v1/members/{member_id}/custom-field-values").status_code == 500
    assert client.get(f"/v1/members/{other}").status_code == 200
    assert len(client.members()) == len(sandbox.company.member_ids)


def test_an_expired_token_can_be_refreshed(sandbox: Sandbox, client: Client) -> None:
    sandbox.token_expires_now()
    assert client.get("/v1/company").status_code == 401
    client.use(client.refresh())
    assert client.get("/v1/company").status_code == 200


@pytest.mark.parametrize("kind", ["expired_refresh", "revoked_token"])
def test_a_dead_connection_cannot(sandbox: Sandbox, client: Client, kind: str) -> None:
    sandbox.fault(kind)
    assert client.get("/v1/company").status_code == 401
    assert client.refresh().status_code == 400


def test_a_fault_may_concern_one_company_alone(sandbox: Sandbox, client: Client) -> None:
    sandbox.add_company("other", Company(3, seed=5))
    sandbox.fault("server_error", username="other")
    with Client(sandbox) as other:
        other.connect(username="other")
        assert other.get("/v1/company").status_code == 500
    assert client.get("/v1/company").status_code == 200


def test_the_page_to_log_in_is_never_struck(sandbox: Sandbox, client: Client) -> None:
    sandbox.fault("server_error")
    assert sandbox.authorize()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("empty_list", Fault("empty_list")),
        ("rate_limited:times=3,retry_after=0.5", Fault("rate_limited", times=3, retry_after=0.5)),
        ("failing_details:members=a+b,status=404", Fault("failing_details", members=("a", "b"), status=404)),
        ("server_error:path=/v1/company", Fault("server_error", path="/v1/company")),
    ],
)
def test_faults_are_written_on_a_command_line(text: str, fault: Fault) -> None:
    assert Fault.parse(text) == fault


@pytest.mark.parametrize("text", ["fire", "slow:seconds=long", "slow:colour=red", "", "slow:seconds"])
def test_a_fault_that_cannot_be_read_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        Fault.parse(text)


def test_a_sandbox_starts_with_the_faults_asked_for() -> None:
    with running(employees=3, faults=["empty_list"]) as sandbox, Client(sandbox) as client:
        client.connect()
        assert client.members() == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_asked_for_over_http(sandbox: Sandbox, client: Client, kind: str) -> None:
    assert httpx.post(f"{sandbox.url}/sandbox/faults", json={"kind": kind}).status_code == 200
    assert httpx.delete(f"{sandbox.url}/sandbox/faults").json() == {"faults": []}


@pytest.mark.parametrize("body", [{"kind": "fire"}, {}, {"kind": "slow", "colour": "red"}])
def test_a_fault_nobody_knows_is_400_over_http(sandbox: Sandbox, body: dict[str, Any]) -> None:
    answer = httpx.post(f"{sandbox.url}/sandbox/faults", content=msgspec.json.encode(body))
    assert answer.status_code == 400
    assert answer.json()["error"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rate_limit:foo=1", ("No fault is called 'rate_limit'", "rate_limited")),
        ("rate_limited:foo=1", ("no key 'foo'", "times", "retry_after")),
    ],
)
def test_what_a_fault_has_not_is_refused_with_all_that_it_has(text: str, words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError) as refusal:
        Fault.parse(text)
    assert all(word in str(refusal.value) for word in words)


def test_the_help_names_every_kind_every_key_and_every_control_route() -> None:
    [command] = [load_command(command) for command in COMMANDS if command.name == "sandbox"]
    [fault] = [parameter for parameter in command.params if parameter.name == "fault"]
    assert all(name in fault.help for name in (*KINDS, *FAULT_KEYS))
    assert all(f"`{route.path}`" in command.help for route in CONTROL_ROUTES)
