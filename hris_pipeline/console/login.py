"""Logging in and out: by the one-time link that the terminal prints, or at the OpenID Connect provider, by the
authorization code flow with PKCE and the checks of what comes back.

Every log-in asks the provider anew what it is and which keys it signs with, so that nothing old is believed. Who is
logged in is ``sessions``'.
"""

import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

import httpx
from authlib.common.urls import add_params_to_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from hris_pipeline.console.gateway import Access, plain_page, session_cookie
from hris_pipeline.console.sessions import PendingLogin, Session
from hris_pipeline.console.visit import Console
from hris_pipeline.environment import AccessEnvironment, Role
from hris_pipeline.errors import HrisError
from hris_pipeline.operations.roles import DecidedBy, role_of
from hris_pipeline.sources.answers import open_client

__all__ = ["ROUTES", "LoginRefused", "OneTimeLink", "Person", "begin", "finish"]

SCOPE = "openid email profile"

SIGNED_WITH = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures by a key of the provider's alone: ``none`` and shared secrets are no proof."""

LEEWAY_SECONDS = 60

_TIMEOUT = httpx.Timeout(10)


class LoginRefused(HrisError):
    """The provider did not say who it is, or not so that it can be believed."""


@dataclass(frozen=True)
class Person:
    """Somebody who logged in: ``names`` are what the table of roles may call them, the first is recorded."""

    names: tuple[str, ...]
    groups: tuple[str, ...]


def begin(access: AccessEnvironment, redirect_uri: str, address: str, now: datetime) -> tuple[str, PendingLogin]:
    """Where to send the browser, and what to remember of it; ``address`` is where it goes afterwards.

    Raises:
        LoginRefused: the provider does not answer, or says that it is another.
    """
    pending = PendingLogin(
        state=secrets.token_urlsafe(24),
        nonce=secrets.token_urlsafe(24),
        verifier=secrets.token_urlsafe(48),
        address=address,
        started_at=now,
    )
    with open_client(timeout=_TIMEOUT) as client:
        endpoint = _provider_endpoint(_discover_provider(client, access), "authorization_endpoint")
    parameters = {
        "response_type": "code",
        "client_id": access.oidc_client_id,
        "redirect_uri": redirect_uri,
        "scope": SCOPE,
        "state": pending.state,
        "nonce": pending.nonce,
        "code_challenge": create_s256_code_challenge(pending.verifier),
        "code_challenge_method": "S256",
    }
    return str(add_params_to_uri(endpoint, list(parameters.items()))), pending


def finish(access: AccessEnvironment, redirect_uri: str, pending: PendingLogin, answer: Mapping[str, str]) -> Person:
    """Who came back.

    Raises:
        LoginRefused: the answer is not to this log-in, or the token is not from this provider, for this console, for
            this log-in, and in force.
    """
    if not secrets.compare_digest(answer.get("state", "").encode(), pending.state.encode()):
        raise LoginRefused("The answer belongs to another log-in: log in again.")
    if answer.get("iss", access.oidc_issuer) != access.oidc_issuer:
        raise LoginRefused("The answer is from another provider: log in again.")
    if not answer.get("code"):
        raise LoginRefused("The provider did not log you in: log in again, or ask whoever runs it.")
    with open_client(timeout=_TIMEOUT) as client:
        provider = _discover_provider(client, access)
        try:
            token = _exchange_code(client, access, provider, redirect_uri, pending, answer["code"])
            claims = _verify_claims(client, access, provider, token, pending.nonce)
            claims = _with_userinfo(client, access, provider, claims, str(token.get("access_token", "")))
        except (JoseError, httpx.HTTPError, ValueError, KeyError) as error:
            raise LoginRefused(
                f"The provider's answer cannot be believed ({type(error).__name__}): log in again."
            ) from None
    return _person_from_claims(access, claims)


def _exchange_code(
    client: httpx.Client,
    access: AccessEnvironment,
    provider: Mapping[str, Any],
    redirect_uri: str,
    pending: PendingLogin,
    code: str,
) -> Mapping[str, Any]:
    """What the provider gives for the code."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "code_verifier": pending.verifier,
    }
    secret = access.oidc_client_secret
    auth = httpx.BasicAuth(quote(access.oidc_client_id, safe=""), quote(secret, safe="")) if secret else None
    if auth is None:
        form["client_id"] = access.oidc_client_id
    token = (
        client.post(_provider_endpoint(provider, "token_endpoint"), data=form, auth=auth or httpx.USE_CLIENT_DEFAULT)
        .raise_for_status()
        .json()
    )
    return token if isinstance(token, dict) else {}


def _discover_provider(client: httpx.Client, access: AccessEnvironment) -> Mapping[str, Any]:
    address = access.oidc_issuer.rstrip("/") + "/.well-known/openid-configuration"
    try:
        provider = client.get(address).raise_for_status().json()
    except (httpx.HTTPError, ValueError):
        raise LoginRefused("The log-in provider does not answer: try again, or ask whoever runs it.") from None
    if not isinstance(provider, dict) or provider.get("issuer") != access.oidc_issuer:
        raise LoginRefused("The log-in provider says that it is another one than HRIS_OIDC_ISSUER names.")
    return provider


def _provider_endpoint(provider: Mapping[str, Any], name: str) -> str:
    endpoint = provider.get(name)
    if not isinstance(endpoint, str) or not endpoint.startswith(("https://", "http://")):
        raise LoginRefused(f"The log-in provider names no {name}.")
    return endpoint


def _verify_claims(
    client: httpx.Client, access: AccessEnvironment, provider: Mapping[str, Any], token: Mapping[str, Any], nonce: str
) -> Mapping[str, Any]:
    """The claims of the ID token, once its signature, issuer, audience, times and nonce are right."""
    keys = KeySet.import_key_set(client.get(_provider_endpoint(provider, "jwks_uri")).json())
    decoded = jwt.decode(token["id_token"], keys, algorithms=list(SIGNED_WITH))
    claims = CodeIDToken(
        decoded.claims,
        decoded.header,
        {
            "iss": {"essential": True, "value": access.oidc_issuer},
            "aud": {"essential": True, "value": access.oidc_client_id},
        },
        {"nonce": nonce, "client_id": access.oidc_client_id, "access_token": token.get("access_token")},
    )
    claims.validate(leeway=LEEWAY_SECONDS)
    return dict(decoded.claims)


def _with_userinfo(
    client: httpx.Client,
    access: AccessEnvironment,
    provider: Mapping[str, Any],
    claims: Mapping[str, Any],
    access_token: str,
) -> Mapping[str, Any]:
    """What the token leaves out and the provider tells when asked, about the same person."""
    if (access.oidc_groups_claim in claims and "email" in claims) or not provider.get("userinfo_endpoint"):
        return claims
    bearer = {"authorization": f"Bearer {access_token}"}
    userinfo = client.get(_provider_endpoint(provider, "userinfo_endpoint"), headers=bearer).raise_for_status().json()
    return {**userinfo, **claims} if isinstance(userinfo, dict) and userinfo.get("sub") == claims["sub"] else claims


def _person_from_claims(access: AccessEnvironment, claims: Mapping[str, Any]) -> Person:
    subject, email = str(claims["sub"]), claims.get("email")
    names = (str(email), subject) if email and claims.get("email_verified") is True else (subject,)
    groups = claims.get(access.oidc_groups_claim)
    listed = groups if isinstance(groups, list) else [groups] if isinstance(groups, str) else []
    return Person(names, tuple(str(group) for group in listed))


LOGIN_COOKIE = "hris-login"

CALLBACK = "/login/callback"


class OneTimeLink:
    """The link for the person at this machine; used once, the next is printed."""

    def __init__(self, access: Access, account: str, show: Callable[[str], None]) -> None:
        self._access = access
        self._account = account
        self._show = show
        self._token = ""
        self._lock = threading.Lock()

    def renew(self) -> str:
        """A new link, which is shown and given; the one before is worth nothing any more."""
        with self._lock:
            self._token = secrets.token_urlsafe(32)
            link = f"{self._access.origin}/login/link?token={self._token}"
        self._show(link)
        return link

    def use(self, token: str) -> DecidedBy | None:
        """Who holds the link: the account that started the server; nobody for any other token, or a second time."""
        with self._lock:
            matches = bool(self._token) and secrets.compare_digest(token.encode(), self._token.encode())
            if matches:
                self._token = ""
        return DecidedBy(self._account, self._account, "link", "127.0.0.1") if matches else None


def _console_of(request: Request) -> Console:
    console: Console = request.app.state.console
    return console


def _local_destination(text: str) -> str:
    """A path of this console, whatever was asked for."""
    is_local_path = (
        text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable() and "\\" not in text
    )
    return text if is_local_path else "/"


async def login(request: Request) -> Response:
    """Where whoever is not logged in is sent."""
    console = _console_of(request)
    if console.access.mode == "link":
        words = "Open the newest link in the terminal in which hris ui or hris console runs. Each link works once."
        return plain_page(401, "Log in", words)
    if console.access.mode == "proxy":
        return RedirectResponse("/", 303)
    try:
        url, pending = await run_in_threadpool(
            begin,
            console.access.environment,
            f"{console.access.origin}{CALLBACK}",
            _local_destination(request.query_params.get("to", "/")),
            console.services.now(),
        )
    except LoginRefused as error:
        return plain_page(502, "You cannot log in now", str(error))
    answer = RedirectResponse(url, 303)
    key = console.sessions.begin_login(pending)
    answer.headers.append("set-cookie", session_cookie(console.access, key, name=LOGIN_COOKIE, seconds=600))
    return answer


async def use_link(request: Request) -> Response:
    """The one-time link."""
    console = _console_of(request)
    link: OneTimeLink | None = request.app.state.link
    by = link.use(request.query_params.get("token", "")) if link else None
    if by is None or link is None:
        words = "It was used already, or a newer one was printed: take the newest from the terminal where hris ui runs."
        return plain_page(401, "This link does not work", words)
    link.renew()
    return _logged_in(console, by, "administrator", "/")


async def callback(request: Request) -> Response:
    """Back from the provider."""
    console = _console_of(request)
    pending = console.sessions.end_login(request.cookies.get(LOGIN_COOKIE, ""))
    if pending is None:
        return plain_page(400, "This log-in is over", "It was ended already, took too long, or began elsewhere.")
    access = console.access
    try:
        person = await run_in_threadpool(
            finish, access.environment, f"{access.origin}{CALLBACK}", pending, dict(request.query_params)
        )
    except LoginRefused as error:
        return plain_page(401, "You are not logged in", str(error))
    address = request.client.host if request.client else None
    by = DecidedBy(person.names[0], person.names[0], "oidc", address)
    role = role_of(access.environment.roles, person.names, person.groups)
    answer = _logged_in(console, by, role, pending.address)
    answer.headers.append("set-cookie", session_cookie(access, "", name=LOGIN_COOKIE, seconds=0))
    return answer


async def logout(request: Request) -> Response:
    """Ends the session, or all of the person's; only by a form of the console."""
    console = _console_of(request)
    session: Session = request.scope["state"]["session"]
    form = await request.form(max_files=0, max_fields=10)
    if not secrets.compare_digest(str(form.get("csrf", "")).encode(), session.csrf.encode()):
        return plain_page(403, "This form is too old", "Open the console again and log out once more.")
    if form.get("everywhere"):
        console.sessions.end_all_of(session.by.identity)
    console.sessions.end(session)
    answer = plain_page(200, "You are logged out", "You can close this window.")
    answer.headers.append("set-cookie", session_cookie(console.access, "", seconds=0))
    answer.headers["clear-site-data"] = '"cache", "storage"'
    return answer


def _logged_in(console: Console, by: DecidedBy, role: Role | None, to: str) -> Response:
    _, cookie = console.sessions.start(by, role)
    answer = RedirectResponse(to, 303)
    answer.headers.append("set-cookie", session_cookie(console.access, cookie))
    return answer


ROUTES = (
    Route("/login", login),
    Route("/login/link", use_link),
    Route(CALLBACK, callback),
    Route("/logout", logout, methods=["POST"]),
)
