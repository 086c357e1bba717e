"""What both APIs serve of the one company: the Partner API's members, the company and custom fields, and the aggregator
with Finch's shape, under ``/finch``.

How a person looks on either wire is ``wire``'s.
"""

import base64
import secrets
import uuid
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from operator import eq, ge, gt, le, lt, ne
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hris_pipeline.errors import UnknownName
from hris_pipeline.sandbox import wire
from hris_pipeline.sandbox.company import Company
from hris_pipeline.sandbox.people import Person
from hris_pipeline.sandbox.world import Fault, Grant, SandboxState, bearer, world

__all__ = ["FINCH_ROUTES", "ROUTES"]

MOMENTS: dict[str, Callable[[datetime, datetime], bool]] = {
    "updated_at": eq,
    "updated_at_ne": ne,
    "updated_at_gt": gt,
    "updated_at_gte": ge,
    "updated_at_lt": lt,
    "updated_at_lte": le,
}

STATUSES = {"active": True, "terminated": False}

BAD = (
    b',"job_title":"half \\ud83d"',
    b',"work_id":NaN',
    b',"department":{"name":"a bare\nline break"}',
    b',"pay_history":' + b"[" * 20_000 + b"]" * 20_000,
)
"""What no member should hold; the later of two equal keys counts."""

LAST_PAGE = (b"", b',"next_cursor":null', b',"next_cursor":""')
"""How a last page may say so: all are heard of."""


@dataclass(frozen=True)
class Call:
    """A call that may be answered: for whose company, with what consent."""

    world: SandboxState
    grant: Grant
    company: Company
    request: Request

    def may(self, scope: str) -> bool:
        """Whether the scope was consented to."""
        return scope in self.grant.scopes

    def strike(self, kind: str, member_id: str = "") -> Fault | None:
        """The fault of the kind that strikes this call."""
        return self.world.faults.strike(kind, self.request.url.path, self.grant.username, member_id)


class QueryError(Exception):
    """A query that cannot be answered."""


Handler = Callable[[Call], Response]


def _require_scope(scope: str) -> Callable[[Handler], Callable[[Request], Awaitable[Response]]]:
    """Lets a handler answer only calls with a living token that has the scope."""

    def decorate(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        @wraps(handler)
        async def answer(request: Request) -> Response:
            state = world(request)
            grant = state.tokens.access(bearer(request))
            if grant is None:
                return JSONResponse({"error": "invalid_token"}, status_code=401)
            if scope not in grant.scopes:
                return JSONResponse({"error": "insufficient_scope", "scope": scope}, status_code=403)
            try:
                return handler(Call(state, grant, state.companies[grant.username], request))
            except UnknownName:
                return JSONResponse({"error": "not_found"}, status_code=404)
            except QueryError as error:
                return JSONResponse({"error": "bad_request", "message": str(error)}, status_code=400)

        return answer

    return decorate


def _encode_cursor(offset: int, mark: str = "") -> str:
    """A cursor; another for the same place with a mark."""
    return base64.urlsafe_b64encode(f"after:{offset}:{mark}".encode()).decode()


def _decode_cursor(cursor: str) -> int:
    try:
        return int(base64.urlsafe_b64decode(cursor).decode().split(":")[1]) if cursor else 0
    except (ValueError, IndexError):
        raise QueryError("The cursor is not one of ours.") from None


def _parse_limit(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 100:
        raise QueryError("The limit must be from 1 to 100.")
    return int(text)


def _parse_moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise QueryError("A moment must be an ISO date-time.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _filters_of(request: Request) -> list[Callable[[Person], bool]]:
    """The filters of a query."""
    filters: list[Callable[[Person], bool]] = []
    if status := request.query_params.get("status"):
        if status not in STATUSES:
            raise QueryError("The status must be active or terminated.")
        filters.append(lambda person: person.active is STATUSES[status])
    for name, holds in MOMENTS.items():
        if text := request.query_params.get(name):
            filters.append(_filter_updated(holds, _parse_moment(text.replace(" ", "+"))))
    return filters


def _filter_updated(holds: Callable[[datetime, datetime], bool], moment: datetime) -> Callable[[Person], bool]:
    return lambda person: holds(_parse_moment(person.updated_at), moment)


def _listed_ids(call: Call) -> Sequence[str]:
    """The ids the list shows, after filters and faults; without any, the company's own list, not a copy."""
    filters = _filters_of(call.request)
    listed = call.company.order
    if filters:
        listed = [p.id for p in call.company.persons() if all(holds(p) for holds in filters)]
    if call.strike("empty_list"):
        return []
    if short := call.strike("short_list"):
        return listed[: len(listed) - max(1, round(short.share * len(listed)))]
    return listed


@_require_scope("member.detail:read")
def members(call: Call) -> Response:
    """A page of members; the cursor is a place in the list, which may have moved by the next page."""
    request = call.request
    limit, offset = (
        _parse_limit(request.query_params.get("limit", "100")),
        _decode_cursor(request.query_params.get("cursor", "")),
    )
    with call.company.lock:
        listed = _listed_ids(call)
        items = _encode_members(call, listed[offset : offset + limit])
        count = len(listed)
    following, cursor = offset + limit, _encode_cursor(offset + limit)
    if call.strike("repeated_page"):
        following, cursor = offset, _encode_cursor(offset, secrets.token_hex(4))
    if call.strike("cursor_loop"):
        following, cursor = limit, _encode_cursor(limit)
    if call.strike("long_cursor"):
        cursor = "x" * (64 << 10)
    end = f',"next_cursor":"{cursor}"'.encode()
    if following >= count:
        end = LAST_PAGE[count % len(LAST_PAGE)]
    return Response(b'{"items":[' + items + b"]" + end + b"}", media_type="application/json")


def _encode_members(call: Call, member_ids: Sequence[str]) -> bytes:
    birth_date, employment = call.may("member.dob:read"), call.may("member.employment:read")
    encoded = call.company.encoded
    members = (encoded(member_id, birth_date=birth_date, employment=employment) for member_id in member_ids)
    spoiled = ([*BAD] if call.strike("bad_member", member_id) else [] for member_id in member_ids)
    return b",".join(b"%b%b}" % (m[:-1], b"".join(bad)) if bad else m for m, bad in zip(members, spoiled, strict=True))


def _details_fail(call: Call, member_id: str) -> Response | None:
    fault = call.strike("failing_details", member_id)
    if fault is None:
        return None
    if fault.status == 204:
        return Response(status_code=204)
    return JSONResponse({"error": "details_failed"}, status_code=fault.status, headers={"Location": "/elsewhere"})


@_require_scope("member.detail:read")
def one_member(call: Call) -> Response:
    """One member, listed or 404."""
    member_id = call.request.path_params["member_id"]
    if call.strike("error_document", member_id):
        return JSONResponse({"error": "temporarily_unavailable", "message": "Please try again."})
    return _details_fail(call, member_id) or Response(_encode_members(call, [member_id]), media_type="application/json")


@_require_scope("member.detail:read")
def custom_values(call: Call) -> Response:
    """The custom values of one member."""
    member_id = call.request.path_params["member_id"]
    failed = _details_fail(call, member_id)
    return failed or JSONResponse({"items": wire.custom_values(call.company.person(member_id))})


@_require_scope("company.detail:read")
def company(call: Call) -> Response:
    """The company."""
    return JSONResponse(wire.profile(call.company.id, call.company.display_name))


@_require_scope("company.detail:read")
def custom_fields(call: Call) -> Response:
    """The definitions of the custom fields."""
    more = {"next_cursor": "again"} if call.strike("cursor_loop") else {}
    return JSONResponse({"items": wire.custom_fields(), **more})


ROUTES = [
    Route("/v1/members", members),
    Route("/v1/members/{member_id}", one_member),
    Route("/v1/members/{member_id}/custom-field-values", custom_values),
    Route("/v1/company", company),
    Route("/v1/company/custom-fields", custom_fields),
]

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

FinchHandler = Callable[[SandboxState, str, Request], Awaitable[tuple[int, object]]]


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


def _require_connection(handler: FinchHandler) -> Callable[[Request], Awaitable[Response]]:
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


@_require_connection
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


def _answer_batch(describe: Callable[[Company, Person], dict[str, Any]]) -> Callable[[Request], Awaitable[Response]]:
    @_require_connection
    async def batch(state: SandboxState, username: str, request: Request) -> tuple[int, object]:
        asked = _requested_ids(await request.body())
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


def _requested_ids(body: bytes) -> Iterable[str] | None:
    try:
        asked = [request.individual_id for request in msgspec.json.decode(body, type=_Batch).requests]
    except msgspec.DecodeError:
        return None
    return asked if 1 <= len(asked) <= MOST else None


@_require_connection
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


@_require_connection
async def finch_company(state: SandboxState, username: str, _: Request) -> tuple[int, object]:
    """The company."""
    return 200, wire.finch_company(state.companies[username].id, state.companies[username].display_name)


FINCH_ROUTES = [
    Route("/finch/employer/directory", directory),
    Route(
        "/finch/employer/individual", _answer_batch(lambda _, person: wire.finch_individual(person)), methods=["POST"]
    ),
    Route(
        "/finch/employer/employment",
        _answer_batch(lambda company, person: wire.finch_employment(person, company.today.isoformat())),
        methods=["POST"],
    ),
    Route("/finch/employer/company", finch_company),
    Route("/finch/introspect", introspect),
]
