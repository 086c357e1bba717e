"""The OAuth addresses: consent, tokens, revocation."""

from collections.abc import Mapping, Sequence
from urllib.parse import parse_qs, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from hris_pipeline.sandbox.login import login_page, problem_page
from hris_pipeline.sandbox.oauth import SCOPES
from hris_pipeline.sandbox.world import CLIENT_ID, CLIENT_SECRET, PASSWORD, SandboxState, world

__all__ = ["ROUTES"]

CARRIED = ("response_type", "client_id", "redirect_uri", "state", "scope", "code_challenge")


async def _form(request: Request) -> dict[str, str]:
    """The fields of a form body; the boxes ticked are joined by spaces."""
    sent = parse_qs((await request.body()).decode(errors="replace"), keep_blank_values=True)
    return {key: " ".join(values) if key == "consent" else values[-1] for key, values in sent.items()}


def _problem(query: Mapping[str, str]) -> str:
    """What makes a consent link unusable; such a link is never redirected anywhere."""
    address = urlsplit(query.get("redirect_uri", ""))
    if query.get("client_id") != CLIENT_ID:
        return "The client_id is unknown."
    if not (address.scheme == "https" or (address.scheme == "http" and address.hostname in ("127.0.0.1", "localhost"))):
        return "The redirect_uri must use https, or http on this machine."
    if not query.get("state"):
        return "The state is missing."
    return ""


def _back(query: Mapping[str, str], **answer: str) -> Response:
    address = query["redirect_uri"]
    joined = "&" if urlsplit(address).query else "?"
    return RedirectResponse(f"{address}{joined}{urlencode({**answer, 'state': query['state']})}", status_code=302)


async def authorize(request: Request) -> Response:
    """GET shows the form, POST answers it with a redirect that carries ``code`` or ``error``, and ``state``."""
    query = dict(request.query_params) | (await _form(request) if request.method == "POST" else {})
    if problem := _problem(query):
        return HTMLResponse(problem_page(problem), status_code=400)
    asked = query.get("scope", "").split()
    if query.get("response_type") != "code":
        return _back(query, error="unsupported_response_type")
    if not asked or set(asked) - set(SCOPES):
        return _back(query, error="invalid_scope")
    return _answered(world(request), query, asked) if request.method == "POST" else _asking(query, asked)


def _asking(query: Mapping[str, str], asked: Sequence[str], problem: str = "") -> Response:
    page = login_page(asked, {key: query[key] for key in CARRIED if key in query}, problem)
    return HTMLResponse(page, status_code=401 if problem else 200)


def _answered(state: SandboxState, query: Mapping[str, str], asked: Sequence[str]) -> Response:
    username = query.get("username", "")
    if query.get("decision") == "deny":
        return _back(query, error="access_denied")
    if username not in state.companies or query.get("password") != PASSWORD:
        return _asking(query, asked, "Wrong username or password.")
    granted = set(query.get("consent", "").split()) & set(asked)
    return _back(
        query, code=state.tokens.code(username, granted, query["redirect_uri"], query.get("code_challenge", ""))
    )


def _is_client(form: Mapping[str, str]) -> bool:
    return form.get("client_id") == CLIENT_ID and form.get("client_secret") == CLIENT_SECRET


async def token(request: Request) -> Response:
    """Tokens for a code or a refresh token."""
    form = await _form(request)
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
    form = await _form(request)
    if not _is_client(form):
        return JSONResponse({"error": "invalid_client"}, status_code=401)
    world(request).tokens.revoke(form.get("token", ""))
    return JSONResponse({})


ROUTES = [
    Route("/oauth/authorize", authorize, methods=["GET", "POST"]),
    Route("/oauth/token", token, methods=["POST"]),
    Route("/v1/oauth/revoke", revoke, methods=["POST"]),
]
