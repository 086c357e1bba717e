"""What a sandbox serves beside its members: the OAuth addresses (the log-in and consent page, as an administrator sees
it, tokens, revocation), and what only a sandbox can do: let a week pass, ask for faults, edit people, tell the
truth.

No fault strikes what only a sandbox can do.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import date
from functools import wraps
from html import escape
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from hris_pipeline.errors import HrisError, UnknownName
from hris_pipeline.sandbox.company import Company
from hris_pipeline.sandbox.people import Person
from hris_pipeline.sandbox.world import CLIENT_ID, CLIENT_SECRET, PASSWORD, SCOPES, USERNAME, Fault, SandboxState, world

__all__ = ["CONTROL_ROUTES", "ROUTES", "login_page", "problem_page"]

STYLE = """
body{margin:0;min-height:100vh;display:grid;place-items:center;background:#eef1f6;color:#1c2733;
font:16px/1.5 system-ui,sans-serif}
main{width:min(26rem,92vw);background:#fff;border-radius:14px;padding:2rem;box-shadow:0 8px 30px #1c273322}
h1{font-size:1.3rem;margin:0 0 .3rem}p{margin:.2rem 0 1rem;color:#51606f}
label{display:block;margin:.7rem 0 .2rem;font-weight:600}
input[type=text],input[type=password]{width:100%;box-sizing:border-box;padding:.6rem .7rem;border:1px solid #c4cdd8;
border-radius:8px;font:inherit}
fieldset{border:1px solid #dfe5ec;border-radius:8px;margin:1.2rem 0;padding:.4rem 1rem .8rem}
fieldset label{display:flex;gap:.6rem;font-weight:400;margin:.5rem 0}
button{padding:.65rem 1.2rem;border:0;border-radius:8px;font:inherit;font-weight:600;cursor:pointer}
.allow{background:#1f5eff;color:#fff}.deny{background:none;color:#51606f}
.hint{background:#fff7df;border-radius:8px;padding:.5rem .8rem;color:#5d4a00}
.problem{background:#fde8e8;border-radius:8px;padding:.5rem .8rem;color:#8f1d1d}
"""


def _render_page(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head>'
        f"<body><main><h1>{escape(title)}</h1>{body}</main></body></html>"
    )


def login_page(asked: Iterable[str], hidden: Mapping[str, str], problem: str = "") -> str:
    """The form: log-in, one consent box a scope asked for (dates of birth unticked), and what to carry along."""
    carried = "".join(f'<input type="hidden" name="{escape(k)}" value="{escape(v)}">' for k, v in hidden.items())
    boxes = "".join(
        f'<label><input type="checkbox" name="consent" value="{escape(scope)}"'
        f"{'' if scope == 'member.dob:read' else ' checked'}> {escape(SCOPES[scope])}</label>"
        for scope in asked
    )
    problem_line = f'<p class="problem" role="alert">{escape(problem)}</p>' if problem else ""
    return _render_page(
        "Sign in to Justworks (sandbox)",
        "<p>An application asks to read the people of your company.</p>"
        f'<p class="hint">This is a sandbox: username <b>{USERNAME}</b>, password <b>{PASSWORD}</b>.</p>{problem_line}'
        f'<form method="post">{carried}'
        '<label for="username">Username</label><input id="username" type="text" name="username" autofocus required>'
        '<label for="password">Password</label><input id="password" type="password" name="password" required>'
        f"<fieldset><legend>It may read</legend>{boxes}</fieldset>"
        '<button class="allow" name="decision" value="allow">Sign in and allow</button> '
        '<button class="deny" name="decision" value="deny" formnovalidate>Deny</button></form>',
    )


def problem_page(problem: str) -> str:
    """A page that only says what is wrong."""
    return _render_page("This link does not work", f'<p class="problem" role="alert">{escape(problem)}</p>')


CARRIED = ("response_type", "client_id", "redirect_uri", "state", "scope", "code_challenge")


async def _read_form(request: Request) -> dict[str, str]:
    """The fields of a form body; the boxes ticked are joined by spaces."""
    sent = parse_qs((await request.body()).decode(errors="replace"), keep_blank_values=True)
    return {key: " ".join(values) if key == "consent" else values[-1] for key, values in sent.items()}


def _consent_problem(query: Mapping[str, str]) -> str:
    """What makes a consent link unusable; such a link is never redirected anywhere."""
    address = urlsplit(query.get("redirect_uri", ""))
    if query.get("client_id") != CLIENT_ID:
        return "The client_id is unknown."
    if not (address.scheme == "https" or (address.scheme == "http" and address.hostname in ("127.0.0.1", "localhost"))):
        return "The redirect_uri must use https, or http on this machine."
    if not query.get("state"):
        return "The state is missing."
    return ""


def _redirect_back(query: Mapping[str, str], **answer: str) -> Response:
    address = query["redirect_uri"]
    joined = "&" if urlsplit(address).query else "?"
    return RedirectResponse(f"{address}{joined}{urlencode({**answer, 'state': query['state']})}", status_code=302)


async def authorize(request: Request) -> Response:
    """GET shows the form, POST answers it with a redirect that carries ``code`` or ``error``, and ``state``."""
    query = dict(request.query_params) | (await _read_form(request) if request.method == "POST" else {})
    if problem := _consent_problem(query):
        return HTMLResponse(problem_page(problem), status_code=400)
    asked = query.get("scope", "").split()
    if query.get("response_type") != "code":
        return _redirect_back(query, error="unsupported_response_type")
    if not asked or set(asked) - set(SCOPES):
        return _redirect_back(query, error="invalid_scope")
    return _answer_login(world(request), query, asked) if request.method == "POST" else _show_login(query, asked)


def _show_login(query: Mapping[str, str], asked: Sequence[str], problem: str = "") -> Response:
    page = login_page(asked, {key: query[key] for key in CARRIED if key in query}, problem)
    return HTMLResponse(page, status_code=401 if problem else 200)


def _answer_login(state: SandboxState, query: Mapping[str, str], asked: Sequence[str]) -> Response:
    username = query.get("username", "")
    if query.get("decision") == "deny":
        return _redirect_back(query, error="access_denied")
    if username not in state.companies or query.get("password") != PASSWORD:
        return _show_login(query, asked, "Wrong username or password.")
    granted = set(query.get("consent", "").split()) & set(asked)
    return _redirect_back(
        query, code=state.tokens.code(username, granted, query["redirect_uri"], query.get("code_challenge", ""))
    )


def _is_client(form: Mapping[str, str]) -> bool:
    return form.get("client_id") == CLIENT_ID and form.get("client_secret") == CLIENT_SECRET


async def token(request: Request) -> Response:
    """Tokens for a code or a refresh token."""
    form = await _read_form(request)
    state = world(request)
    tokens = state.tokens
    if not _is_client(form):
        return JSONResponse({"error": "invalid_client"}, status_code=401)
    match form.get("grant_type"):
        case "authorization_code":
            issued = tokens.exchange(form.get("code", ""), form.get("redirect_uri", ""), form.get("code_verifier", ""))
        case "refresh_token":
            issued = tokens.refresh(form.get("refresh_token", ""))
        case _:
            return JSONResponse({"error": "unsupported_grant_type"}, status_code=400)
    if not issued:
        return JSONResponse({"error": "invalid_grant"}, status_code=400)
    if state.faults.strike("spoiled_token", request.url.path, None):
        return Response(b'{"access_token":"', media_type="application/json")
    if state.faults.strike("odd_token", request.url.path, None):
        issued |= {"expires_in": "86400", "expires_at": 1e300, "scope": None, "token_type": None}
    return JSONResponse(issued)


async def revoke(request: Request) -> Response:
    """Kills a token; an unknown one is no error."""
    form = await _read_form(request)
    if not _is_client(form):
        return JSONResponse({"error": "invalid_client"}, status_code=401)
    world(request).tokens.revoke(form.get("token", ""))
    return JSONResponse({})


ROUTES = [
    Route("/oauth/authorize", authorize, methods=["GET", "POST"]),
    Route("/oauth/token", token, methods=["POST"]),
    Route("/v1/oauth/revoke", revoke, methods=["POST"]),
]


class _Body(msgspec.Struct):
    """What a control call may say; ``username`` picks the company, ``changes`` are fields of ``Person``."""

    username: str = USERNAME
    today: date | None = None
    member_id: str = ""
    last_day: date | None = None
    changes: dict[str, Any] = {}


Handler = Callable[[SandboxState, bytes], object]


def _control_endpoint(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    @wraps(handler)
    async def answer(request: Request) -> Response:
        try:
            return _json_response(200, handler(world(request), await request.body() or b"{}"))
        except (msgspec.ValidationError, msgspec.DecodeError, HrisError) as error:
            return _json_response(400, {"error": str(error)})

    return answer


def _json_response(status: int, body: object) -> Response:
    return Response(msgspec.json.encode(body), status, media_type="application/json")


def _find_company(sandbox: SandboxState, body: _Body) -> Company:
    if body.username not in sandbox.companies:
        raise UnknownName(f"No company of the sandbox belongs to {body.username[:40]!r}.")
    return sandbox.companies[body.username]


@_control_endpoint
def week(sandbox: SandboxState, body: bytes) -> object:
    """A week passes; gives its events."""
    said = msgspec.json.decode(body, type=_Body)
    return {"events": _find_company(sandbox, said).week(said.today)}


@_control_endpoint
def inject(sandbox: SandboxState, body: bytes) -> object:
    """Puts a fault in force."""
    sandbox.inject(msgspec.json.decode(body, type=Fault))
    return {"faults": sandbox.faults.injected}


@_control_endpoint
def clear(sandbox: SandboxState, _: bytes) -> object:
    """Clears all faults."""
    sandbox.clear_faults()
    return {"faults": sandbox.faults.injected}


def _person_changes(changes: dict[str, Any]) -> dict[str, Any]:
    """Changes as JSON gives them, in the types a person has."""
    types = Person.__annotations__
    return {key: msgspec.convert(value, types[key]) if key in types else value for key, value in changes.items()}


@_control_endpoint
def edit(sandbox: SandboxState, body: bytes) -> object:
    """Changes one person."""
    said = msgspec.json.decode(body, type=_Body)
    _find_company(sandbox, said).edit(said.member_id, **_person_changes(said.changes))
    return {"member_id": said.member_id}


@_control_endpoint
def add(sandbox: SandboxState, body: bytes) -> object:
    """Hires a person."""
    said = msgspec.json.decode(body, type=_Body)
    return {"member_id": _find_company(sandbox, said).add(**_person_changes(said.changes))}


@_control_endpoint
def remove(sandbox: SandboxState, body: bytes) -> object:
    """Takes a person off the list."""
    said = msgspec.json.decode(body, type=_Body)
    _find_company(sandbox, said).remove(said.member_id)
    return {"member_id": said.member_id}


@_control_endpoint
def terminate(sandbox: SandboxState, body: bytes) -> object:
    """Ends an employment on ``last_day``, today unless given."""
    said = msgspec.json.decode(body, type=_Body)
    company = _find_company(sandbox, said)
    company.terminate(said.member_id, said.last_day or company.today)
    return {"member_id": said.member_id}


@_control_endpoint
def state(sandbox: SandboxState, body: bytes) -> object:
    """Counts, dates, faults, requests so far and what has happened."""
    company = _find_company(sandbox, msgspec.json.decode(body, type=_Body))
    return {
        "today": company.today,
        "employees": len(company.member_ids),
        "surprises": company.surprises,
        "events": company.events,
        "requests": sandbox.requests,
        "faults": sandbox.faults.injected,
        "usernames": list(sandbox.companies),
    }


@_control_endpoint
def truth(sandbox: SandboxState, body: bytes) -> object:
    """Every listed member with every key."""
    return {"members": _find_company(sandbox, msgspec.json.decode(body, type=_Body)).members()}


CONTROL_ROUTES = [
    Route("/sandbox/week", week, methods=["POST"]),
    Route("/sandbox/faults", inject, methods=["POST"]),
    Route("/sandbox/faults", clear, methods=["DELETE"]),
    Route("/sandbox/edit", edit, methods=["POST"]),
    Route("/sandbox/add", add, methods=["POST"]),
    Route("/sandbox/remove", remove, methods=["POST"]),
    Route("/sandbox/terminate", terminate, methods=["POST"]),
    Route("/sandbox/state", state),
    Route("/sandbox/members", truth),
]
