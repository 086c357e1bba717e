"""The sandbox's own controls, over HTTP and in Python, and how it starts and stops."""

import socket
import threading
from datetime import date

import httpx
import pytest

from hris_pipeline.errors import UsageError
from hris_pipeline.sandbox import Company, Sandbox, running, serve
from hris_pipeline_tests.kit.sandbox_client import Client


def post(sandbox: Sandbox, path: str, **body: object) -> httpx.Response:
    return httpx.post(f"{sandbox.url}/sandbox/{path}", json=body)


def test_a_week_passes_over_http_as_in_python() -> None:
    twin = Company(60, 3, date(2026, 3, 2))
    with running(60, 3, today=date(2026, 3, 2)) as sandbox:
        events = post(sandbox, "week").json()["events"]
        assert [(event["kind"], event["member_id"]) for event in events] == [(e.kind, e.member_id) for e in twin.week()]
        assert sandbox.week_passes() == twin.week()
        assert sandbox.company.events == twin.events


def test_people_are_edited_added_terminated_and_removed_over_http(sandbox: Sandbox) -> None:
    new = post(sandbox, "add", changes={"last_name": "Newcomer"}).json()["member_id"]
    assert sandbox.company.person(new).last_name == "Newcomer"
    post(sandbox, "edit", member_id=new, changes={"phones": [["work", "12"]], "work_email": None})
    assert sandbox.company.member(new)["phones"] == [{"type": "work", "number": "12"}]
    post(sandbox, "terminate", member_id=new, last_day="2020-01-31")
    assert sandbox.company.member(new)["active"] is False
    post(sandbox, "remove", member_id=new)
    assert new not in sandbox.company.member_ids


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("edit", {"member_id": "nobody", "changes": {}}),
        ("remove", {"member_id": "nobody"}),
        ("add", {"changes": {"shoe_size": 44}}),
        ("edit", {"member_id": 5}),
        ("week", {"today": "tomorrow"}),
        ("state", {"username": "nobody"}),
    ],
)
def test_a_control_that_makes_no_sense_is_400_with_the_reason(
    sandbox: Sandbox, path: str, body: dict[str, object]
) -> None:
    answer = httpx.request("GET" if path == "state" else "POST", f"{sandbox.url}/sandbox/{path}", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_the_state_counts_requests_by_address(sandbox: Sandbox, client: Client) -> None:
    sandbox.requests.clear()
    member_id = sandbox.company.member_ids[0]
    client.get("/v1/members")
    for path in (member_id, member_id, f"{member_id}/custom-field-values"):
        client.get(f"/v1/members/{path}")
    state = httpx.get(f"{sandbox.url}/sandbox/state").json()
    assert state["requests"] == {
        "GET /v1/members": 1,
        "GET /v1/members/{id}": 2,
        "GET /v1/members/{id}/custom-field-values": 1,
    }
    assert state["employees"] == len(sandbox.company.member_ids)
    assert "service_account" in state["surprises"]


def test_the_truth_is_every_key_of_everybody(sandbox: Sandbox) -> None:
    truth = httpx.get(f"{sandbox.url}/sandbox/members").json()["members"]
    assert truth == sandbox.ground_truth()
    assert "current_pay" in truth[0]


def test_controls_are_struck_by_no_fault(sandbox: Sandbox) -> None:
    sandbox.fault("server_error", path="/")
    assert httpx.get(f"{sandbox.url}/sandbox/state").status_code == 200
    sandbox.clear_faults()


def test_a_browser_can_be_followed_to_a_waiting_callback(sandbox: Sandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as waiting:
        asked: list[bytes] = []

        def answer() -> None:
            with waiting.accept()[0] as connection:
                asked.append(connection.recv(4096))
                connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        address = f"http://127.0.0.1:{waiting.getsockname()[1]}/callback"
        link = (
            f"{sandbox.authorize_url}?response_type=code&client_id={sandbox.client_id}"
            f"&redirect_uri={address}&state=abc&scope=member.detail:read"
        )
        _, code = sandbox.consent(link, follow=True)
        thread.join()
    assert f"code={code}&state=abc".encode() in asked[0]


def test_many_sandboxes_run_at_once_and_leave_nothing_behind() -> None:
    threads = threading.active_count()
    with running(3, 1) as sandbox, running(3, 2) as other:
        assert sandbox.url != other.url
        assert sandbox.environment()["JUSTWORKS_API_URL"] == sandbox.url
    assert threading.active_count() == threads
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{sandbox.url}/sandbox/state")


def test_it_stops_while_somebody_waits_for_a_slow_answer() -> None:
    with running(3, 1) as sandbox, Client(sandbox) as client:
        client.connect()
        sandbox.fault("slow", seconds=30)

        def wait() -> None:
            with pytest.raises(httpx.HTTPError):
                httpx.get(f"{sandbox.url}/v1/members", timeout=5).raise_for_status()

        waiting = threading.Thread(target=wait)
        waiting.start()
    waiting.join()


def test_a_taken_port_is_a_usage_error_that_names_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=str(port)):
            serve(port, employees=3)
