"""The aggregator with Finch's shape, served from the same company under ``/finch``."""

import uuid
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from functools import wraps
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hris_pipeline.sandbox import wire
from hris_pipeline.sandbox.company import Company
from hris_pipeline.sandbox.people import Person
from hris_pipeline.sandbox.world import SandboxState, bearer, world

__all__ = ["ROUTES"]

VERSION = "2020-09-17"
MOST = 10_000
"""The most people a page or a batch may have."""

ERRORS = {
    202: ("accepted", "data_sync_in_progress", "The data is not ready yet."),
    400: ("invalid_request_error", "invalid_request", "The request cannot be understood."),
    401: ("reauthenticate_user", "reauthenticate_user", "The employer must connect again."),
    404: ("not_found_error", "individual_not_found", "There is no such individual."),
    500: ("internal_server_error", "internal_server_error", "Something went wrong."),
}

Handler = Callable[[SandboxState, str, Request], Awaitable[tuple[int, object]]]


def problem(code: int) -> dict[str, Any]:
    """An error body."""
    name, finch_code, message = ERRORS.get(code, ERRORS[500])
    return {"code": code, "name": name, "finch_code": finch_code, "message": message}


def _answer(status: int, body: object, retrieved: datetime) -> Response:
    headers = {
        "Finch-Request-ID": str(uuid.uuid4()),
        "Finch-Data-Retrieved": retrieved.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
    }
    return Response(msgspec.json.encode(body), status, headers, "application/json")


def _connected(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """Lets a handler answer only calls with a living token and a version."""

    @wraps(handler)
    async def answer(request: Request) -> Response:
        state = world(request)
        now = state.clock.now()
        retrieved = now.astimezone(UTC).replace(hour=0, minute=0, second=0)
        username = state.finch_owner(bearer(request))
        if username is None or username in state.reauthenticate:
            return _answer(401, problem(401), retrieved)
        if request.headers.get("finch-api-version") != VERSION:
            return _answer(400, problem(400), retrieved)
        status, body = await handler(state, username, request)
        return _answer(status, body, retrieved)

    return answer


@_connected
async def directory(state: SandboxState, username: str, request: Request) -> tuple[int, object]:
    """A page of the directory."""
    limit, offset = request.query_params.get("limit", "100"), request.query_params.get("offset", "0")
    if not (limit.isdecimal() and offset.isdecimal() and 1 <= int(limit) <= MOST):
        return 400, problem(400)
    path, first = request.url.path, int(offset)
    shown_from = 0 if first and state.faults.strike("repeated_page", path, username) else first
    page, count = state.companies[username].page(shown_from, int(limit))
    if state.faults.strike("empty_list", path, username):
        page, count = [], 0
    elif short := state.faults.strike("short_list", path, username):
        count -= max(1, round(short.share * count))
        page = page[: max(0, count - shown_from)]
    return 200, {
        "paging": {"count": count, "offset": first},
        "individuals": [wire.finch_listed(person) for person in page],
    }


def _batch(describe: Callable[[Company, Person], dict[str, Any]]) -> Callable[[Request], Awaitable[Response]]:
    @_connected
    async def batch(state: SandboxState, username: str, request: Request) -> tuple[int, object]:
        asked = _asked(await request.body())
        if asked is None:
            return 400, problem(400)
        company = state.companies[username]
        people_by_id = company.by_finch_id()

        def answer_of(id_: str) -> dict[str, Any]:
            person = people_by_id.get(id_)
            if person is None:
                return {"individual_id": id_, "code": 404, "body": problem(404)}
            if fault := state.faults.strike("failing_details", request.url.path, username, person.id):
                return {"individual_id": id_, "code": fault.status, "body": problem(fault.status)}
            return {"individual_id": id_, "code": 200, "body": describe(company, person)}

        return 200, {"responses": [answer_of(id_) for id_ in asked]}

    return batch


class _Request(msgspec.Struct):
    individual_id: str


class _Batch(msgspec.Struct):
    requests: list[_Request]


def _asked(body: bytes) -> Iterable[str] | None:
    try:
        asked = [request.individual_id for request in msgspec.json.decode(body, type=_Batch).requests]
    except msgspec.DecodeError:
        return None
    return asked if 1 <= len(asked) <= MOST else None


@_connected
async def introspect(state: SandboxState, username: str, _: Request) -> tuple[int, object]:
    """What the token stands for."""
    return 200, {
        "id": f"connection-{username}",
        "company_id": wire.finch_id(state.companies[username].id),
        "connection_status": {"status": "connected"},
        "provider_id": "justworks",
        "products": ["company", "directory", "individual", "employment"],
        "entities": None,
    }


@_connected
async def company(state: SandboxState, username: str, _: Request) -> tuple[int, object]:
    """The company."""
    return 200, wire.finch_company(state.companies[username].id, state.companies[username].display_name)


ROUTES = [
    Route("/finch/employer/directory", directory),
    Route("/finch/employer/individual", _batch(lambda _, person: wire.finch_individual(person)), methods=["POST"]),
    Route(
        "/finch/employer/employment",
        _batch(lambda company, person: wire.finch_employment(person, company.today.isoformat())),
        methods=["POST"],
    ),
    Route("/finch/employer/company", company),
    Route("/finch/introspect", introspect),
]
