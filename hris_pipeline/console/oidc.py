"""Logging in with an OpenID Connect provider: the authorization code flow with PKCE, and the checks of what comes back.
Every log-in asks the provider anew what it is and which keys it signs with, so that nothing old is believed."""

import secrets
from collections.abc import Mapping
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

from hris_pipeline.console.sessions import PendingLogin
from hris_pipeline.environment import AccessEnvironment
from hris_pipeline.errors import HrisError
from hris_pipeline.sources.transport import open_client

__all__ = ["LoginRefused", "Person", "begin", "finish"]

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
        endpoint = _endpoint(_provider(client, access), "authorization_endpoint")
    asked = {
        "response_type": "code",
        "client_id": access.oidc_client_id,
        "redirect_uri": redirect_uri,
        "scope": SCOPE,
        "state": pending.state,
        "nonce": pending.nonce,
        "code_challenge": create_s256_code_challenge(pending.verifier),
        "code_challenge_method": "S256",
    }
    return str(add_params_to_uri(endpoint, list(asked.items()))), pending


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
        provider = _provider(client, access)
        try:
            token = _token(client, access, provider, redirect_uri, pending, answer["code"])
            claims = _claims(client, access, provider, token, pending.nonce)
            claims = _with_userinfo(client, access, provider, claims, str(token.get("access_token", "")))
        except (JoseError, httpx.HTTPError, ValueError, KeyError) as error:
            raise LoginRefused(
                f"The provider's answer cannot be believed ({type(error).__name__}): log in again."
            ) from None
    return _person(access, claims)


def _token(
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
        client.post(_endpoint(provider, "token_endpoint"), data=form, auth=auth or httpx.USE_CLIENT_DEFAULT)
        .raise_for_status()
        .json()
    )
    return token if isinstance(token, dict) else {}


def _provider(client: httpx.Client, access: AccessEnvironment) -> Mapping[str, Any]:
    address = access.oidc_issuer.rstrip("/") + "/.well-known/openid-configuration"
    try:
        provider = client.get(address).raise_for_status().json()
    except (httpx.HTTPError, ValueError):
        raise LoginRefused("The log-in provider does not answer: try again, or ask whoever runs it.") from None
    if not isinstance(provider, dict) or provider.get("issuer") != access.oidc_issuer:
        raise LoginRefused("The log-in provider says that it is another one than HRIS_OIDC_ISSUER names.")
    return provider


def _endpoint(provider: Mapping[str, Any], name: str) -> str:
    endpoint = provider.get(name)
    if not isinstance(endpoint, str) or not endpoint.startswith(("https://", "http://")):
        raise LoginRefused(f"The log-in provider names no {name}.")
    return endpoint


def _claims(
    client: httpx.Client, access: AccessEnvironment, provider: Mapping[str, Any], token: Mapping[str, Any], nonce: str
) -> Mapping[str, Any]:
    """The claims of the ID token, once its signature, issuer, audience, times and nonce are right."""
    keys = KeySet.import_key_set(client.get(_endpoint(provider, "jwks_uri")).json())
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
    userinfo = client.get(_endpoint(provider, "userinfo_endpoint"), headers=bearer).raise_for_status().json()
    return {**userinfo, **claims} if isinstance(userinfo, dict) and userinfo.get("sub") == claims["sub"] else claims


def _person(access: AccessEnvironment, claims: Mapping[str, Any]) -> Person:
    subject, email = str(claims["sub"]), claims.get("email")
    names = (str(email), subject) if email and claims.get("email_verified") is True else (subject,)
    groups = claims.get(access.oidc_groups_claim)
    listed = groups if isinstance(groups, list) else [groups] if isinstance(groups, str) else []
    return Person(names, tuple(str(group) for group in listed))
