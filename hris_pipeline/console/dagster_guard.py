"""What stands between the door and Dagster's own webserver: GraphQL only as JSON by POST, read before it is let
through, each mutation by the role that it takes, each launch with the identity that was authenticated, and written
down.

What a document may do, and who may, is decided by pure functions: reading is for viewers; a mutation needs the role
of what it starts, and one that says too little needs an administrator. A run that decides writes that down itself,
with what came of it; what else an administrator launches is written down here.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from graphql import (
    ArgumentNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
    parse,
)
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from hris_pipeline.console.gateway import DAGSTER_PATH, App, Message, Receive, Scope, Send
from hris_pipeline.console.sessions import Session
from hris_pipeline.operations.roles import ACTIONS, DecidedBy, may

__all__ = ["JOB_ACTIONS", "DagsterGuard", "Launch", "Request", "is_subscription", "read_request", "with_tags"]

JOB_ACTIONS: Mapping[str, str] = {
    "preview_import": "preview",
    "save_import": "save",
    "import_users": "save",
    "__ASSET_JOB": "save",
    "approve_import": "approve",
    "pause_imports": "pause",
    "resume_imports": "resume",
    "refresh_connection": "connect",
    "prune": "administer",
}
"""What it takes to launch each job."""

MUTATION_ACTIONS: Mapping[str, str] = {
    "logTelemetry": "see",
    "setNuxSeen": "see",
    "terminateRun": "save",
    "terminateRuns": "save",
    "terminatePipelineExecution": "save",
}
"""What it takes for the mutations that launch nothing; ``administer`` for all others."""

LAUNCHES: Mapping[str, tuple[str, ...]] = {
    "launchRun": ("executionParams",),
    "launchPipelineExecution": ("executionParams",),
    "launchMultipleRuns": ("executionParamsList",),
    "launchRunReexecution": ("executionParams", "reexecutionParams"),
    "launchPipelineReexecution": ("executionParams", "reexecutionParams"),
    "launchPartitionBackfill": ("backfillParams",),
    "reexecutePartitionBackfill": ("reexecutionParams",),
}
"""The mutations that launch runs, and the variables in which Dagster's own pages send what."""

BY_JOB = frozenset({"launchRun", "launchPipelineExecution", "launchMultipleRuns"})
"""Those that take what their job takes; starting again and backfills are for administrators."""

TAG_PLACES: Mapping[str, tuple[str, ...]] = {
    "executionParams": ("executionMetadata", "tags"),
    "executionParamsList": ("executionMetadata", "tags"),
    "backfillParams": ("tags",),
    "reexecutionParams": ("extraTags",),
}
"""Where in each variable the tags of the runs stand."""

OWNED_TAGS = "hris/"
"""Tags that only the project itself writes on a run."""


@dataclass(frozen=True)
class Launch:
    """A run that is asked for: which job, of which integration, about which import."""

    action: str
    job: str
    integration_id: str
    import_id: str | None


@dataclass(frozen=True)
class Request:
    """One GraphQL request: the actions it takes, and the runs that it launches."""

    actions: frozenset[str]
    launches: tuple[Launch, ...] = ()


def read_request(body: Any) -> Request | str:
    """What a POST to Dagster's GraphQL asks for; or in words why it is not let through.

    Args:
        body: The decoded JSON: ``query``, ``variables``, ``operationName``. What launches is only let through in the
            variables in which Dagster's own pages send it: who asks is written there.
    """
    document = _parse_document(body)
    operations = _operation_nodes(document)
    kinds = {operation.operation for operation in operations}
    if document is None or not operations:
        return "This is no GraphQL that can be read: JSON with `query`, and `variables` where it has any."
    if OperationType.SUBSCRIPTION in kinds:
        return "Subscriptions go over the websocket."
    if kinds == {OperationType.QUERY}:
        return Request(frozenset({"see"}))
    mutations = [node for node in operations if node.operation is OperationType.MUTATION]
    fields = [field for node in mutations for field in _top_level_fields(node.selection_set, document)]
    launching = next((field.name.value for field in fields if field.name.value in LAUNCHES), None)
    if launching:
        launches = _read_launches(fields[0], body.get("variables")) if len(operations) == len(fields) == 1 else ()
        if launches:
            return Request(frozenset(launch.action for launch in launches), launches)
        variables = " or ".join(f"${name}" for name in LAUNCHES[launching])
        return (
            f"{launching} is let through alone in its document, with one job or its partitions in the variable "
            f"{variables}, as Dagster's own pages send it: who asks is written there."
        )
    actions = frozenset(MUTATION_ACTIONS.get(field.name.value, "administer") for field in fields)
    return Request(actions or frozenset({"administer"}))


def is_subscription(message: Any) -> bool:
    """Whether a message of the websocket does nothing but control it or subscribe."""
    if not isinstance(message, dict):
        return False
    if message.get("type") != "start":
        return message.get("type") in ("connection_init", "connection_terminate", "stop")
    operations = _operation_nodes(_parse_document(message.get("payload")))
    return bool(operations) and all(node.operation is OperationType.SUBSCRIPTION for node in operations)


def with_tags(body: dict[str, Any], tags: Mapping[str, str]) -> dict[str, Any]:
    """The same request with these tags on every run that it launches, whatever tags of the project's they had."""
    changed = deepcopy(body)
    for variable, parameters in _launch_parameters(changed["variables"]):
        *outer, last = TAG_PLACES[variable]
        place = parameters
        for key in outer:
            place[key] = place.get(key) or {}
            place = place[key]
        others = [tag for tag in place.get(last) or [] if not str(tag.get("key", "")).startswith(OWNED_TAGS)]
        place[last] = [*others, *({"key": key, "value": value} for key, value in tags.items())]
    return changed


def _parse_document(body: Any) -> DocumentNode | None:
    if not isinstance(body, dict) or not isinstance(body.get("query"), str):
        return None
    try:
        return parse(body["query"], no_location=True, max_tokens=20000)
    except (GraphQLError, RecursionError):
        return None


def _operation_nodes(document: DocumentNode | None) -> list[OperationDefinitionNode]:
    return [node for node in document.definitions if isinstance(node, OperationDefinitionNode)] if document else []


def _top_level_fields(
    selection_set: SelectionSetNode, document: DocumentNode, visited: frozenset[str] = frozenset()
) -> Iterator[FieldNode]:
    """The fields at the top of a mutation, wherever they stand: in itself, or in a fragment."""
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    for selection in selection_set.selections:
        if isinstance(selection, FieldNode):
            yield selection
        elif isinstance(selection, InlineFragmentNode):
            yield from _top_level_fields(selection.selection_set, document, visited)
        elif isinstance(selection, FragmentSpreadNode) and selection.name.value not in visited:
            name = selection.name.value
            if name in fragments:
                yield from _top_level_fields(fragments[name].selection_set, document, visited | {name})


def _read_launches(field: FieldNode, variables: Any) -> tuple[Launch, ...]:
    """The launches, when they stand in the variables in which Dagster's own pages send them; otherwise none."""
    expected = LAUNCHES[field.name.value]
    if not isinstance(variables, dict) or not all(_is_variable(argument, expected) for argument in field.arguments):
        return ()
    sent = {name for name, value in variables.items() if value is not None}
    if not sent or not sent <= {argument.name.value for argument in field.arguments}:
        return ()
    listed = _launch_parameters(variables)
    if not listed or not all(_has_readable_tags(variable, parameters) for variable, parameters in listed):
        return ()
    if field.name.value not in BY_JOB:
        names = [name for _, parameters in listed for name in parameters.get("partitionNames") or [""]]
        return tuple(Launch("administer", field.name.value, str(name)[:80], None) for name in names)
    launches = [_read_launch(parameters) for _, parameters in listed]
    return tuple(launch for launch in launches if launch) if all(launches) else ()


def _is_variable(argument: ArgumentNode, expected: tuple[str, ...]) -> bool:
    """Whether the argument is the variable of its own name."""
    name, value = argument.name.value, argument.value
    return name in expected and isinstance(value, VariableNode) and value.name.value == name


def _launch_parameters(variables: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """What is launched, with the variable in which it stands."""
    return [
        (variable, parameters)
        for variable, value in variables.items()
        if value is not None
        for parameters in (value if isinstance(value, list) else [value])
    ]


def _has_readable_tags(variable: str, parameters: Any) -> bool:
    """Whether the tags, or what is around them, are missing or of the right kind."""
    place: Any = parameters
    for key in TAG_PLACES[variable]:
        if not isinstance(place, dict):
            return False
        place = place.get(key)
        if place is None:
            return True
    return isinstance(place, list) and all(isinstance(tag, dict) for tag in place)


def _read_launch(parameters: Mapping[str, Any]) -> Launch | None:
    selector = parameters.get("selector")
    if not isinstance(selector, dict):
        return None
    jobs = [selector[key] for key in ("jobName", "pipelineName") if selector.get(key) is not None]
    job = jobs[0] if len(jobs) == 1 else None
    if not isinstance(job, str):
        return None
    action = JOB_ACTIONS.get(job, "administer")
    return Launch(action, job[:80], _read_partition(parameters), _import_id(parameters.get("runConfigData")))


def _read_partition(parameters: Mapping[str, Any]) -> str:
    tags = (parameters.get("executionMetadata") or {}).get("tags") or []
    return str({tag.get("key"): tag.get("value") for tag in tags}.get("dagster/partition") or "")


def _import_id(config: Any) -> str | None:
    """The import that the run's configuration names, wherever in it."""
    if isinstance(config, dict):
        value = config.get("import_id")
        if isinstance(value, str):
            return value[:80]
        return next((name for part in config.values() if (name := _import_id(part))), None)
    return None


GRAPHQL = f"{DAGSTER_PATH}/graphql"

WRITTEN_HERE = frozenset({"connect", "administer"})
"""What no run writes down: the others decide nothing, or their run does."""

LABEL = b"op"
"""All that may stand in an address of GraphQL: the name that Dagster's pages give their question, for the eye only."""

Log = Callable[[Launch, DecidedBy], None]


class DagsterGuard:
    """Guards Dagster's webserver, which is mounted below ``/dagster``.

    Args:
        dagster: Dagster's webserver.
        log: Writes down that somebody launches something.
    """

    def __init__(self, dagster: App, log: Log) -> None:
        self._dagster = dagster
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection of somebody who is logged in."""
        session: Session = scope["state"]["session"]
        if scope["type"] == "websocket":
            await self._dagster(scope, _subscriptions_only(receive), send)
        elif scope["path"].rstrip("/") == GRAPHQL:
            await self._answer_graphql(session, scope, receive, send)
        elif scope["method"] in ("GET", "HEAD") or may(session.role, "administer"):
            await self._dagster(scope, receive, send)
        else:
            await _refusal_response(403, f"It takes the role {ACTIONS['administer']}.")(scope, receive, send)

    async def _answer_graphql(self, session: Session, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.lower(): value for name, value in scope["headers"]}
        content_type = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        asked_by_address = set(parse_qs(scope.get("query_string", b""), keep_blank_values=True)) - {LABEL}
        if scope["method"] != "POST" or content_type != b"application/json" or asked_by_address:
            await _refusal_response(405, "GraphQL is only answered to JSON by POST.")(scope, receive, send)
            return
        body = await _read_body(receive)
        try:
            decoded = json.loads(body)
        except (ValueError, RecursionError):
            decoded = None
        request = read_request(decoded)
        if isinstance(request, str):
            await _refusal_response(400, request)(scope, receive, send)
            return
        roles_needed = sorted({ACTIONS[action] for action in request.actions if not may(session.role, action)})
        if roles_needed:
            await _refusal_response(403, f"It takes the role {', '.join(roles_needed)}; you are {session.role}.")(
                scope, receive, send
            )
            return
        if request.launches:
            decoded = await run_in_threadpool(self._tag_launches, session, request, decoded)
        body = json.dumps(decoded).encode()  # what was read is what is sent, however it was written
        scope["query_string"] = b""
        scope["headers"] = [
            *((name, value) for name, value in scope["headers"] if name.lower() != b"content-length"),
            (b"content-length", str(len(body)).encode()),
        ]
        await self._dagster(scope, _replay_body(body, receive), send)

    def _tag_launches(self, session: Session, request: Request, body: dict[str, Any]) -> dict[str, Any]:
        """The request with who asks on every run, after what no run writes down was written down."""
        by = session.by
        for launch in request.launches:
            if launch.action in WRITTEN_HERE:
                self._log(launch, by)
        return with_tags(body, {"hris/actor": by.identity, "hris/method": by.method, "hris/address": by.address or ""})


async def _read_body(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"") or b""
        more = message["type"] == "http.request" and message.get("more_body", False)
    return body


def _replay_body(body: bytes, receive: Receive) -> Receive:
    """The body again, as the webserver expects it, and then whatever comes."""
    sent = False

    async def receive_replayed() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_replayed


def _subscriptions_only(receive: Receive) -> Receive:
    """Hangs up on whoever sends anything but subscriptions."""

    async def receive_subscriptions() -> Message:
        message = await receive()
        if message["type"] != "websocket.receive":
            return message
        try:
            decoded = json.loads(message.get("text") or message.get("bytes") or b"")
        except (ValueError, RecursionError):
            decoded = None
        return message if is_subscription(decoded) else {"type": "websocket.disconnect", "code": 4400}

    return receive_subscriptions


def _refusal_response(status: int, words: str) -> Response:
    return JSONResponse({"errors": [{"message": words}]}, status)
