"""Roles: a table of role × action × face. The console's pages and Dagster's own; on the command line the account of the
operating system decides, and is written down (tests of the command line)."""

import json
import re
from typing import Any

import pytest

from hris_pipeline.console.pages import PAGES
from hris_pipeline.environment import ROLES, Role
from hris_pipeline.operations.roles import decisions_of
from hris_pipeline.operations.services import Services
from hris_pipeline_tests.kit.browser import ORIGIN, Served, serve, websocket
from hris_pipeline_tests.kit.role_table import documented_actions

PAGES_BY_ROLE: dict[Role, tuple[str, ...]] = {
    "viewer": (
        "GET /",
        "GET /deleted",
        "GET /i/acme",
        "GET /i/acme/decisions",
        "GET /i/acme/progress",
        "GET /i/acme/review",
        "GET /i/acme/imports/ID",
        "GET /i/acme/conflicts",
        "GET /i/acme/history",
        "GET /i/acme/mapping",
        "GET /i/acme/settings",
        "GET /i/acme/settings/versions",
    ),
    "reviewer": (
        "POST /i/acme/preview",
        "POST /i/acme/imports/ID",
        "POST /i/acme/imports/ID/save",
        "POST /i/acme/imports/ID/discard",
        "POST /i/acme/history/explain",
        "POST /i/acme/history/user",
        "GET /i/acme/history/ID",
        "POST /i/acme/history/ID",
        "GET /i/acme/people",
        "GET /i/acme/user-file",
        "GET /i/acme/files/user-file.csv",
    ),
    "approver": (
        "POST /i/acme/pause",
        "POST /i/acme/resume",
        "POST /i/acme/imports/ID/approve",
        "POST /i/acme/imports/ID/undo",
        "POST /i/acme/conflicts/relink",
        "POST /i/acme/conflicts/ID",
    ),
    "administrator": (
        "GET /setup",
        "POST /setup",
        "GET /i/acme/setup",
        "GET /i/acme/setup/terms",
        "POST /i/acme/setup/terms",
        "POST /i/acme/setup/connect/token",
        "GET /connect/callback",
        "POST /i/acme/mapping",
        "POST /i/acme/mapping/store",
        "POST /i/acme/people/erase",
        "POST /i/acme/settings",
        "POST /i/acme/settings/store",
        "GET /i/acme/settings/export",
        "POST /i/acme/settings/disconnect",
        "POST /i/acme/settings/delete",
    ),
}
"""The least role of SEMANTICS for each page."""

CELLS = [(role, least, page) for least, pages in PAGES_BY_ROLE.items() for page in pages for role in ROLES]


ANY = re.compile(r"\{\w+\}|(?<=/)(?:acme|ID|terms|user-file\.csv)(?=/|$)")
"""What stands for a name in an address."""


def pattern(page: str) -> str:
    return ANY.sub("{}", page)


def test_the_table_has_every_page() -> None:
    listed = {pattern(page) for pages in PAGES_BY_ROLE.values() for page in pages}
    assert listed == {pattern(f"{page.method} {page.path}") for page in PAGES}


def test_the_table_of_the_docs_is_the_one_that_is_tried() -> None:
    for row in documented_actions():
        least = row.roles[0]
        assert row.roles == ROLES[ROLES.index(least) :], "whoever is above may, too"
        assert {pattern(page) for page in row.pages} <= {pattern(page) for page in PAGES_BY_ROLE[least]}, row.action
        assert set(row.jobs) <= set(JOBS_BY_ROLE.get(least, ())), row.action
    assert sum(len(row.pages) for row in documented_actions()) == len(PAGES)
    tried = {job for jobs in JOBS_BY_ROLE.values() for job in jobs}
    assert {job for row in documented_actions() for job in row.jobs} == tried - {"another_job"}


@pytest.mark.parametrize(("role", "least", "page"), CELLS, ids=[f"{role} {page}" for role, _, page in CELLS])
def test_a_page_is_for_its_role_and_those_above(
    role: Role, least: Role, page: str, served: Served, imported: Any
) -> None:
    method, _, path = page.partition(" ")
    path = path.replace("ID", imported.import_id)
    browser = served.browser(role)
    answer = browser.get(path) if method == "GET" else browser.post_only(path)
    allowed = ROLES.index(role) >= ROLES.index(least)
    assert (answer.status_code == 403) == (not allowed), answer.text
    assert answer.status_code < 500


@pytest.mark.parametrize("page", [page for pages in PAGES_BY_ROLE.values() for page in pages if "POST" in page])
def test_a_form_that_is_not_the_sessions_changes_nothing(page: str, served: Served, imported: Any) -> None:
    path = page.removeprefix("POST ").replace("ID", imported.import_id)
    browser, other = served.browser(), served.browser()
    for token in ("", "x", other.csrf):
        assert browser.post_only(path, csrf=token).status_code == 403
    assert served.jobs.started == []


JOBS_BY_ROLE: dict[Role, tuple[str, ...]] = {
    "reviewer": ("preview_import", "save_import", "import_users", "__ASSET_JOB"),
    "approver": ("approve_import", "pause_imports", "resume_imports"),
    "administrator": ("refresh_connection", "prune", "another_job"),
}

MUTATIONS_BY_ROLE: dict[Role, tuple[str, ...]] = {
    "viewer": ("{ version }", "query Q { runsOrError { __typename } }", "mutation { logTelemetry(action: a) { x } }"),
    "reviewer": ("mutation { terminateRun(runId: a) { x } }",),
    "administrator": (
        "mutation { deleteRun(runId: a) { x } }",
        "mutation { wipeAssets(assetPartitionRanges: []) { x } }",
        "mutation { stopSensor(id: a) { x } }",
        "mutation { startSchedule(scheduleSelector: {}) { x } }",
        "mutation { shutdownRepositoryLocation(repositoryLocationName: a) { x } }",
        "mutation { addDynamicPartition(partitionKey: a) { x } }",
        "mutation { logTelemetry(action: a) { x } deleteRun(runId: a) { x } }",
        "mutation { a: logTelemetry(action: a) { x } logTelemetry: deleteRun(runId: a) { x } }",
        "mutation { ...F } fragment F on Mutation { deleteRun(runId: a) { x } }",
        "mutation { ... on Mutation { deleteRun(runId: a) { x } } }",
        "query A { version } mutation B { deleteRun(runId: a) { x } }",
    ),
}
"""What says too little of what it starts takes an administrator, whatever names its fields are given."""

LAUNCH = "mutation L($executionParams: ExecutionParams!) { launchRun(executionParams: $executionParams) { x } }"


class Dagster:
    """Stands for Dagster's webserver: says yes to everything, and keeps what reached it."""

    def __init__(self) -> None:
        self.bodies: list[Any] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await self._websocket(receive, send)
            return
        message = await receive()
        self.bodies.append(json.loads(message["body"]) if message["body"] else None)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"yes"})

    async def _websocket(self, receive: Any, send: Any) -> None:
        while (message := await receive())["type"] != "websocket.disconnect":
            if message["type"] == "websocket.receive":
                self.bodies.append(json.loads(message["text"]))
        await send({"type": "websocket.close", "code": message["code"]})


@pytest.fixture
def dagster() -> Dagster:
    return Dagster()


@pytest.fixture
def behind(services: Services, dagster: Dagster) -> Served:
    return serve(services, dagster=dagster)


def ask(served: Served, role: Role, document: Any, content_type: str = "application/json") -> int:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    headers = {"origin": ORIGIN, "content-type": content_type}
    answer = served.browser(role).client.post("/dagster/graphql", content=body, headers=headers)
    return int(answer.status_code)


def launch(job: str, **more: Any) -> dict[str, Any]:
    tags = [{"key": "dagster/partition", "value": "acme"}, {"key": "hris/actor", "value": "somebody else"}]
    parameters = {"selector": {"jobName": job}, "executionMetadata": {"tags": tags}, "runConfigData": {}, **more}
    return {"query": LAUNCH, "variables": {"executionParams": parameters}}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("least", "job"), [(least, job) for least, jobs in JOBS_BY_ROLE.items() for job in jobs])
def test_a_job_of_dagster_is_launched_by_its_role_and_those_above(
    role: Role, least: Role, job: str, behind: Served, dagster: Dagster
) -> None:
    allowed = ROLES.index(role) >= ROLES.index(least)
    assert ask(behind, role, launch(job)) == (200 if allowed else 403)
    assert bool(dagster.bodies) == allowed


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("least", "query"), [(least, query) for least, queries in MUTATIONS_BY_ROLE.items() for query in queries]
)
def test_a_mutation_of_dagster_is_for_its_role_and_those_above(
    role: Role, least: Role, query: str, behind: Served, dagster: Dagster
) -> None:
    allowed = ROLES.index(role) >= ROLES.index(least)
    assert ask(behind, role, {"query": query}) == (200 if allowed else 403)
    assert bool(dagster.bodies) == allowed


PARTITION = [{"key": "dagster/partition", "value": "acme"}, {"key": "hris/actor", "value": "the chief"}]

AGAIN = (
    (
        "mutation B($backfillParams: L!) { launchPartitionBackfill(backfillParams: $backfillParams) { x } }",
        {"backfillParams": {"partitionNames": ["acme"], "tags": PARTITION}},
    ),
    (
        "mutation R($executionParams: E, $reexecutionParams: R) { launchPipelineReexecution("
        "executionParams: $executionParams, reexecutionParams: $reexecutionParams) { x } }",
        {"reexecutionParams": {"parentRunId": "r", "extraTags": PARTITION}},
    ),
    (
        "mutation R($reexecutionParams: R!) { "
        "reexecutePartitionBackfill(reexecutionParams: $reexecutionParams) { x } }",
        {"reexecutionParams": {"parentRunId": "b", "strategy": "FROM_FAILURE"}},
    ),
)


@pytest.mark.parametrize(("query", "variables"), AGAIN, ids=["backfill", "run again", "backfill again"])
def test_backfills_and_runs_again_are_for_administrators_and_carry_who_asked(
    query: str, variables: dict[str, Any], behind: Served, dagster: Dagster
) -> None:
    document = {"query": query, "variables": variables}
    assert [ask(behind, role, document) for role in ROLES] == [403, 403, 403, 200]
    sent = json.dumps(dagster.bodies)
    assert '"key": "hris/actor", "value": "dana"' in sent
    assert "the chief" not in sent


MIXED = (
    {"query": "mutation { launchRun(executionParams: {selector: {jobName: preview_import}}) { x } }"},
    {"query": "mutation { launchPartitionBackfill(backfillParams: {}) { x } }"},
    {"query": "mutation L($p: E!) { launchRun(executionParams: $p) { x } }", "variables": {"p": {}}},
    {"query": f"{LAUNCH} query Q {{ version }}", "variables": {}},
    {
        "query": LAUNCH,
        "variables": {"executionParams": {"selector": {"jobName": "x"}, "executionMetadata": {"tags": 7}}},
    },
    {"query": LAUNCH, "variables": {"executionParams": None}},
    {
        "query": "mutation L($executionParams: E!) { a: launchRun(executionParams: $executionParams) { x } version }",
        "variables": launch("preview_import")["variables"],
    },
    {
        "query": LAUNCH,
        "variables": {"executionParams": {"selector": {"jobName": "preview_import", "pipelineName": "x"}}},
    },
    {"query": LAUNCH, "variables": {"executionParams": {"selector": {"jobName": ["preview_import"]}}}},
    {"query": LAUNCH, "variables": {"executionParams": {"selector": "preview_import"}}},
    {"query": LAUNCH, "variables": json.dumps(launch("preview_import")["variables"])},
    {"query": LAUNCH, "variables": {**launch("preview_import")["variables"], "other": launch("x")}},
    {
        "query": LAUNCH.replace("executionParams: $", "executionParams: $other, x: $"),
        "variables": launch("preview_import")["variables"],
    },
)


@pytest.mark.parametrize("document", MIXED, ids=range(len(MIXED)))
def test_a_launch_is_let_through_only_as_dagsters_own_pages_send_it(
    document: Any, behind: Served, dagster: Dagster
) -> None:
    assert ask(behind, "administrator", document) == 400
    assert dagster.bodies == []


def test_a_launch_in_another_variable_is_told_which_one_it_takes(behind: Served) -> None:
    body = {"query": "mutation L($p: E!) { launchRun(executionParams: $p) { x } }", "variables": {"p": {}}}
    answer = behind.browser("administrator").client.post("/dagster/graphql", json=body, headers={"origin": ORIGIN})
    assert "$executionParams" in answer.text


def test_a_launch_carries_who_was_authenticated_and_nobody_elses_name(behind: Served, dagster: Dagster) -> None:
    assert ask(behind, "administrator", launch("save_import")) == 200
    metadata = dagster.bodies[0]["variables"]["executionParams"]["executionMetadata"]
    tags = {tag["key"]: tag["value"] for tag in metadata["tags"]}
    assert tags == {
        "dagster/partition": "acme",
        "hris/actor": "dana",
        "hris/method": "link",
        "hris/address": "127.0.0.1",
    }


def test_several_launches_at_once_are_each_looked_at(behind: Served, dagster: Dagster) -> None:
    query = "mutation L($executionParamsList: [P!]!) { launchMultipleRuns(executionParamsList: $executionParamsList) }"
    listed = [launch(job)["variables"]["executionParams"] for job in ("preview_import", "approve_import")]
    document = {"query": query, "variables": {"executionParamsList": listed}}
    assert ask(behind, "reviewer", document) == 403
    assert ask(behind, "approver", document) == 200
    metadata = [params["executionMetadata"]["tags"] for params in dagster.bodies[0]["variables"]["executionParamsList"]]
    assert all({"key": "hris/actor", "value": "dana"} in tags for tags in metadata)


def test_the_door_writes_down_what_no_run_does(behind: Served, services: Services) -> None:
    ask(behind, "administrator", launch("approve_import"))
    ask(behind, "administrator", launch("preview_import"))
    ask(behind, "administrator", launch("refresh_connection"))
    (decision,) = decisions_of(services, "acme")
    assert (decision.action, decision.identity) == ("connect", "dana")
    assert (decision.method, decision.address) == ("link", "127.0.0.1")


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b'{"query": 7}', "application/json", 400),
        (b'{"query": "{"}', "application/json", 400),
        (json.dumps({"query": "{a" * 9000}).encode(), "application/json", 400),
        (b'{"query": "subscription { x }"}', "application/json", 400),
        (b'{"query": "{ version }"}', "text/plain", 405),
        (b'{"query": "{ version }"}', "application/x-www-form-urlencoded", 405),
        (b"{ version }", "application/graphql", 405),
    ],
)
def test_graphql_is_json_that_can_be_read(
    body: bytes, content_type: str, status: int, behind: Served, dagster: Dagster
) -> None:
    assert ask(behind, "administrator", body, content_type) == status
    assert dagster.bodies == []


def test_graphql_is_never_asked_by_an_address(behind: Served, dagster: Dagster) -> None:
    client = behind.browser().client
    query = "?query=mutation%20%7B%20deleteRun%20%7D"
    headers = {"accept": "application/json", "origin": ORIGIN, "content-type": "application/json"}
    assert client.get(f"/dagster/graphql{query}", headers=headers).status_code == 405
    assert client.get("/dagster/graphql", headers=headers).status_code == 405
    assert client.post(f"/dagster/graphql{query}", headers=headers, json={"query": "{ version }"}).status_code == 405
    assert dagster.bodies == []


def test_the_name_of_a_question_may_stand_in_the_address(behind: Served, dagster: Dagster) -> None:
    client = behind.browser().client
    answer = client.post("/dagster/graphql?op=Version", headers={"origin": ORIGIN}, json={"query": "{ version }"})
    assert (answer.status_code, len(dagster.bodies)) == (200, 1)


@pytest.mark.parametrize("role", ROLES)
def test_what_else_dagster_takes_by_post_is_for_administrators(role: Role, behind: Served, dagster: Dagster) -> None:
    client = behind.browser(role).client
    answer = client.post("/dagster/report_asset_materialization/employees", json={}, headers={"origin": ORIGIN})
    assert answer.status_code == (200 if role == "administrator" else 403)
    assert client.get("/dagster/assets").status_code == 200


def test_a_websocket_subscribes_and_does_nothing_else(behind: Served, dagster: Dagster) -> None:
    browser = behind.browser("viewer")
    cookie = "; ".join(f"{name}={value}" for name, value in browser.client.cookies.items())
    headers = {"origin": ORIGIN, "cookie": cookie}
    good = [{"type": "connection_init"}, {"type": "start", "id": 1, "payload": {"query": "subscription { a { b } }"}}]
    assert websocket(behind.app, "/dagster/graphql", headers, good)[-1]["code"] == 1000
    assert dagster.bodies == good
    for query in ("mutation { deleteRun }", "{ version }", "subscription { a } mutation { deleteRun }", "{"):
        dagster.bodies.clear()
        sent = websocket(behind.app, "/dagster/graphql", headers, [{"type": "start", "payload": {"query": query}}])
        assert sent[-1]["code"] == 4400
        assert dagster.bodies == []
