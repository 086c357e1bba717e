"""What only a sandbox can do: let a week pass, ask for faults, edit people, tell the truth. No fault strikes here."""

from collections.abc import Awaitable, Callable
from datetime import date
from functools import wraps
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hris_pipeline.errors import HrisError, UnknownName
from hris_pipeline.sandbox.company import Company
from hris_pipeline.sandbox.faults import Fault
from hris_pipeline.sandbox.people import Person
from hris_pipeline.sandbox.world import USERNAME, SandboxState, world

__all__ = ["ROUTES"]


class _Body(msgspec.Struct):
    """What a control call may say; ``username`` picks the company, ``changes`` are fields of ``Person``."""

    username: str = USERNAME
    today: date | None = None
    member_id: str = ""
    last_day: date | None = None
    changes: dict[str, Any] = {}


Handler = Callable[[SandboxState, bytes], object]


def _control(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    @wraps(handler)
    async def answer(request: Request) -> Response:
        try:
            return _json(200, handler(world(request), await request.body() or b"{}"))
        except (msgspec.ValidationError, msgspec.DecodeError, HrisError) as error:
            return _json(400, {"error": str(error)})

    return answer


def _json(status: int, body: object) -> Response:
    return Response(msgspec.json.encode(body), status, media_type="application/json")


def _company(sandbox: SandboxState, body: _Body) -> Company:
    if body.username not in sandbox.companies:
        raise UnknownName(f"No company of the sandbox belongs to {body.username[:40]!r}.")
    return sandbox.companies[body.username]


@_control
def week(sandbox: SandboxState, body: bytes) -> object:
    """A week passes; gives its events."""
    said = msgspec.json.decode(body, type=_Body)
    return {"events": _company(sandbox, said).week(said.today)}


@_control
def want(sandbox: SandboxState, body: bytes) -> object:
    """Puts a fault in force."""
    sandbox.want(msgspec.json.decode(body, type=Fault))
    return {"faults": sandbox.faults.wanted}


@_control
def clear(sandbox: SandboxState, _: bytes) -> object:
    """Clears all faults."""
    sandbox.clear_faults()
    return {"faults": sandbox.faults.wanted}


def _fields(changes: dict[str, Any]) -> dict[str, Any]:
    """Changes as JSON gives them, in the types a person has."""
    types = Person.__annotations__
    return {key: msgspec.convert(value, types[key]) if key in types else value for key, value in changes.items()}


@_control
def edit(sandbox: SandboxState, body: bytes) -> object:
    """Changes one person."""
    said = msgspec.json.decode(body, type=_Body)
    _company(sandbox, said).edit(said.member_id, **_fields(said.changes))
    return {"member_id": said.member_id}


@_control
def add(sandbox: SandboxState, body: bytes) -> object:
    """Hires a person."""
    said = msgspec.json.decode(body, type=_Body)
    return {"member_id": _company(sandbox, said).add(**_fields(said.changes))}


@_control
def remove(sandbox: SandboxState, body: bytes) -> object:
    """Takes a person off the list."""
    said = msgspec.json.decode(body, type=_Body)
    _company(sandbox, said).remove(said.member_id)
    return {"member_id": said.member_id}


@_control
def terminate(sandbox: SandboxState, body: bytes) -> object:
    """Ends an employment on ``last_day``, today unless given."""
    said = msgspec.json.decode(body, type=_Body)
    company = _company(sandbox, said)
    company.terminate(said.member_id, said.last_day or company.today)
    return {"member_id": said.member_id}


@_control
def state(sandbox: SandboxState, body: bytes) -> object:
    """Counts, dates, faults, requests so far and what has happened."""
    company = _company(sandbox, msgspec.json.decode(body, type=_Body))
    return {
        "today": company.today,
        "employees": len(company.member_ids),
        "surprises": company.surprises,
        "events": company.events,
        "requests": sandbox.requests,
        "faults": sandbox.faults.wanted,
        "usernames": list(sandbox.companies),
    }


@_control
def truth(sandbox: SandboxState, body: bytes) -> object:
    """Every listed member with every key."""
    return {"members": _company(sandbox, msgspec.json.decode(body, type=_Body)).members()}


ROUTES = [
    Route("/sandbox/week", week, methods=["POST"]),
    Route("/sandbox/faults", want, methods=["POST"]),
    Route("/sandbox/faults", clear, methods=["DELETE"]),
    Route("/sandbox/edit", edit, methods=["POST"]),
    Route("/sandbox/add", add, methods=["POST"]),
    Route("/sandbox/remove", remove, methods=["POST"]),
    Route("/sandbox/terminate", terminate, methods=["POST"]),
    Route("/sandbox/state", state),
    Route("/sandbox/members", truth),
]
