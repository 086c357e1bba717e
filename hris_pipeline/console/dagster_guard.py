"""What stands between the door and Dagster's own webserver: GraphQL only as JSON by POST, read before it is let
through, each mutation by the role that it takes, each launch with the identity that was authenticated, and written
down."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from hris_pipeline.console.gateway import DAGSTER_PATH, App, Message, Receive, Scope, Send
from hris_pipeline.console.graphql_rules import Launch, Request, is_subscription, read_request, with_tags
from hris_pipeline.console.sessions import Session
from hris_pipeline.operations.decision_log import DecidedBy
from hris_pipeline.operations.roles import ACTIONS, may

__all__ = ["DagsterGuard"]

GRAPHQL = f"{DAGSTER_PATH}/graphql"
LOOKING = frozenset({"see", "preview"})
"""What is no decision: it changes no user."""

LABEL = b"op"
"""All that may stand in an address of GraphQL: the name that Dagster's pages give their question, for the eye only."""

Log = Callable[[Launch, DecidedBy], None]


class DagsterGuard:
    """Guards Dagster's webserver, which is mounted below ``/dagster``.

    Args:
        dagster: Dagster's webserver.
        log: Writes down that somebody launches something that decides.
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
            await self._graphql(session, scope, receive, send)
        elif scope["method"] in ("GET", "HEAD") or may(session.role, "administer"):
            await self._dagster(scope, receive, send)
        else:
            await _refused(403, f"It takes the role {ACTIONS['administer']}.")(scope, receive, send)

    async def _graphql(self, session: Session, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.lower(): value for name, value in scope["headers"]}
        content_type = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        asked_by_address = set(parse_qs(scope.get("query_string", b""), keep_blank_values=True)) - {LABEL}
        if scope["method"] != "POST" or content_type != b"application/json" or asked_by_address:
            await _refused(405, "GraphQL is only answered to JSON by POST.")(scope, receive, send)
            return
        body = await _body(receive)
        try:
            decoded = json.loads(body)
        except (ValueError, RecursionError):
            decoded = None
        request = read_request(decoded)
        if request is None:
            await _refused(400, "This is no GraphQL that is let through.")(scope, receive, send)
            return
        lacking = sorted({ACTIONS[action] for action in request.actions if not may(session.role, action)})
        if lacking:
            await _refused(403, f"It takes the role {', '.join(lacking)}; you are {session.role}.")(
                scope, receive, send
            )
            return
        if request.launches:
            decoded = await run_in_threadpool(self._launching, session, request, decoded)
        body = json.dumps(decoded).encode()  # what was read is what is sent, however it was written
        scope["query_string"] = b""
        scope["headers"] = [
            *((name, value) for name, value in scope["headers"] if name.lower() != b"content-length"),
            (b"content-length", str(len(body)).encode()),
        ]
        await self._dagster(scope, _replayed(body, receive), send)

    def _launching(self, session: Session, request: Request, body: dict[str, Any]) -> dict[str, Any]:
        """The request with who asks on every run, after the decisions among them were written down."""
        by = session.by
        for launch in request.launches:
            if launch.action not in LOOKING:
                self._log(launch, by)
        return with_tags(body, {"hris/actor": by.identity, "hris/method": by.method, "hris/address": by.address or ""})


async def _body(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"") or b""
        more = message["type"] == "http.request" and message.get("more_body", False)
    return body


def _replayed(body: bytes, receive: Receive) -> Receive:
    """The body again, as the webserver expects it, and then whatever comes."""
    sent = False

    async def replayed() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed


def _subscriptions_only(receive: Receive) -> Receive:
    """Hangs up on whoever sends anything but subscriptions."""

    async def subscriptions() -> Message:
        message = await receive()
        if message["type"] != "websocket.receive":
            return message
        try:
            decoded = json.loads(message.get("text") or message.get("bytes") or b"")
        except (ValueError, RecursionError):
            decoded = None
        return message if is_subscription(decoded) else {"type": "websocket.disconnect", "code": 4400}

    return subscriptions


def _refused(status: int, words: str) -> Response:
    return JSONResponse({"errors": [{"message": words}]}, status)
