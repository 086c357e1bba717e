"""Tokens: how they come, stay fresh, and die."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
import rich.pretty

from hris_pipeline.errors import ConnectionInvalid, EnvironmentInvalid, SourceRefused, SourceUnavailable
from hris_pipeline.sandbox import Sandbox
from hris_pipeline.sources.oauth import SCOPES, OAuth, OAuthTokens, Tokens, TokensSpent
from hris_pipeline_tests.kit.source_connections import (
    CALLBACK,
    OPENED,
    QUICK,
    MemoryKeeper,
    Scripted,
    connect,
    now,
    oauth_of,
    partner_api,
)

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_the_consent_link_asks_for_four_scopes_and_carries_the_state(sandbox: Sandbox) -> None:
    link = oauth_of(sandbox).consent_url(redirect_uri=CALLBACK, state="a state")
    assert link.startswith(f"{sandbox.authorize_url}?")
    assert parse_qs(urlsplit(link).query) == {
        "response_type": ["code"],
        "client_id": [sandbox.client_id],
        "redirect_uri": [CALLBACK],
        "state": ["a state"],
        "scope": ["company.detail:read member.detail:read member.employment:read member.dob:read"],
    }


def test_a_code_gives_tokens_once(sandbox: Sandbox) -> None:
    oauth = oauth_of(sandbox)
    code = sandbox.authorize(redirect_uri=CALLBACK)
    tokens = oauth.exchange(code, CALLBACK)
    assert set(tokens.scopes) == set(SCOPES)
    assert timedelta(hours=23) < tokens.expires_at - now() <= timedelta(hours=24)
    assert tokens.refresh_expires_at is not None
    assert timedelta(days=29) < tokens.refresh_expires_at - now() <= timedelta(days=30)
    with pytest.raises(SourceRefused, match=r"does not accept this code.*hris connect acme"):
        oauth.exchange(code, CALLBACK)


def test_consent_without_birth_dates_gives_fewer_scopes(sandbox: Sandbox) -> None:
    assert "member.dob:read" not in connect(sandbox, consent_dob=False).current().scopes


def test_tokens_show_no_secret() -> None:
    tokens = Tokens(access="hush-access", refresh="hush-refresh", expires_at=NOON)
    for text in (repr(tokens), str(tokens), f"{tokens}", rich.pretty.pretty_repr(tokens)):
        assert "hush" not in text


@pytest.mark.parametrize(
    ("answer", "expires_at"),
    [
        ({"expires_at": "2026-11-22T13:00:00Z"}, NOON + timedelta(hours=1)),
        ({"expires_at": "2026-11-22T08:00:00-05:00"}, NOON + timedelta(hours=1)),
        ({"expires_at": "2026-11-22T13:00:00"}, NOON + timedelta(hours=1)),
        ({"expires_in": 3600}, NOON + timedelta(hours=1)),
        ({}, NOON + timedelta(hours=24)),
        ({"expires_at": "soon"}, NOON + timedelta(hours=24)),
        ({"expires_in": "3600"}, NOON + timedelta(hours=1)),
        ({"expires_in": 3600.0, "scope": None, "refresh_token": None}, NOON + timedelta(hours=1)),
        ({"expires_at": NOON.timestamp() + 3600}, NOON + timedelta(hours=1)),
        ({"expires_at": str(int(NOON.timestamp() + 3600) * 1000)}, NOON + timedelta(hours=1)),
        ({"expires_in": 1e300}, NOON + timedelta(days=366)),
        ({"expires_at": "9999-12-31T23:59:59Z"}, NOON + timedelta(days=366)),
        ({"expires_at": 1e300}, NOON + timedelta(hours=24)),
        ({"expires_in": -5}, NOON + timedelta(minutes=1)),
        ({"expires_in": 0}, NOON + timedelta(minutes=1)),
        ({"expires_at": "1970-01-01"}, NOON + timedelta(minutes=1)),
        ({"expires_in": "NaN", "expires_at": [], "scope": {}, "refresh_token": {}}, NOON + timedelta(hours=24)),
    ],
)
def test_the_end_of_a_token_is_read_in_every_spelling(
    scripted: Scripted, answer: dict[str, object], expires_at: datetime
) -> None:
    scripted.answer((200, msgspec.json.encode({"access_token": "a", "token_type": "Bearer", **answer})))
    oauth = OAuth(
        api_url=scripted.url,
        authorize_url="",
        client_id="c",
        client_secret="s",
        integration_id="acme",
        clock=lambda: NOON,
    )
    tokens = oauth.exchange("code", CALLBACK)
    oauth.close()
    assert (tokens.expires_at, tokens.refresh, tokens.scopes) == (expires_at, "", SCOPES)


def test_a_token_is_renewed_before_its_end(sandbox: Sandbox, keeper: MemoryKeeper) -> None:
    late = keeper.current().expires_at - timedelta(minutes=4)
    oauth = oauth_of(sandbox)
    old = keeper.current()
    assert OAuthTokens(keeper, oauth).token() == old.access
    assert OAuthTokens(keeper, oauth, lambda: late).token() != old.access
    assert keeper.current().refresh != old.refresh
    assert keeper.refreshed == 1


def test_an_expired_token_is_renewed_on_401_once(sandbox: Sandbox, keeper: MemoryKeeper) -> None:
    sandbox.token_expires_now()
    source = partner_api(sandbox, keeper)
    assert source.company().display_name == "Acme"
    assert keeper.refreshed == 1
    source.close()


def test_a_source_that_refuses_what_it_has_just_issued_is_not_asked_for_ever_more(
    sandbox: Sandbox, keeper: MemoryKeeper
) -> None:
    moment = [NOON]
    tokens = OAuthTokens(keeper, oauth_of(sandbox), lambda: moment[0])
    for _ in range(3):
        tokens.refresh(tokens.token())
    for _ in range(20):
        with pytest.raises(SourceUnavailable, match="refused 3 access tokens within 10 minutes"):
            tokens.refresh(tokens.token())
    assert keeper.refreshed == 3
    moment[0] += timedelta(minutes=10)
    tokens.refresh(tokens.token())
    assert keeper.refreshed == 4


def test_many_threads_and_two_processes_renew_once(sandbox: Sandbox, keeper: MemoryKeeper) -> None:
    sandbox.token_expires_now()
    sources = [partner_api(sandbox, keeper) for _ in range(2)]
    start = threading.Barrier(8)

    def read(number: int) -> str:
        start.wait()
        return sources[number % 2].company().display_name

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(read, range(8))) == {"Acme"}
    assert sandbox.requests["POST /oauth/token"] == 2  # the first was the code's
    for source in sources:
        source.close()


@pytest.mark.parametrize("fault", ["expired_refresh", "revoked_token"])
def test_a_dead_refresh_token_needs_a_person(sandbox: Sandbox, keeper: MemoryKeeper, fault: str) -> None:
    sandbox.fault(fault)
    source = partner_api(sandbox, keeper)
    with pytest.raises(ConnectionInvalid, match="hris connect acme"):
        source.company()
    source.close()


def test_tokens_without_a_refresh_token_cannot_be_renewed(sandbox: Sandbox) -> None:
    with pytest.raises(ConnectionInvalid, match="hris connect acme"):
        oauth_of(sandbox).refresh(Tokens(access="a", expires_at=NOON))


def test_a_wrong_client_secret_is_named_and_is_no_dead_connection(sandbox: Sandbox, keeper: MemoryKeeper) -> None:
    oauth = oauth_of(sandbox, secret="wrong")
    with pytest.raises(SourceRefused, match="JUSTWORKS_CLIENT_SECRET"):
        oauth.refresh(keeper.current())
    with pytest.raises(SourceRefused, match="JUSTWORKS_CLIENT_SECRET"):
        oauth.exchange("code", CALLBACK)
    with pytest.raises(SourceRefused, match="JUSTWORKS_CLIENT_SECRET"):
        oauth.revoke(keeper.current())


@pytest.mark.parametrize("missing", ["client_id", "client_secret"])
def test_a_missing_client_is_named_by_its_variable(missing: str) -> None:
    secrets: dict[str, Any] = {"client_id": "c", "client_secret": "s", missing: ""}
    with pytest.raises(EnvironmentInvalid, match=f"JUSTWORKS_{missing.upper()}"):
        OAuth(api_url="http://x", authorize_url="", integration_id="acme", **secrets)


def test_revoking_ends_the_connection_and_may_be_repeated(sandbox: Sandbox, keeper: MemoryKeeper) -> None:
    oauth = oauth_of(sandbox)
    oauth.revoke(keeper.current())
    oauth.revoke(keeper.current())
    source = partner_api(sandbox, keeper)
    with pytest.raises(ConnectionInvalid):
        source.company()
    source.close()


def test_scopes_come_as_a_text_or_as_a_list(scripted: Scripted) -> None:
    for scope in ("a:read b:read", ["a:read", "b:read"], "a:read,b:read"):
        scripted.answer((200, msgspec.json.encode({"access_token": "a", "scope": scope})))
        assert scripted_oauth(scripted).exchange("code", CALLBACK).scopes == ("a:read", "b:read")


def scripted_oauth(scripted: Scripted) -> OAuth:
    oauth = OAuth(
        api_url=scripted.url,
        authorize_url="",
        client_id="c",
        client_secret="s",
        integration_id="acme",
        clock=lambda: NOON,
        retries=QUICK,
    )
    OPENED.append(oauth)
    return oauth


SPOILED = [
    (200, b'{"access_token":"'),
    (200, b'{"token":"a"}'),
    (200, b'{"access_token":null}'),
    (200, b"<html>"),
    (200, b""),
    (201, b"[]"),
    (202, b"{}"),
    (204, b""),
    (206, b'{"access_token":"a"}'),
    (200, b"x", {"Content-Encoding": "br"}),
]


@pytest.mark.parametrize("answer", SPOILED)
def test_what_was_answered_with_success_is_never_sent_again(scripted: Scripted, answer: Any) -> None:
    oauth = scripted_oauth(scripted)
    scripted.answer(answer)
    with pytest.raises(SourceRefused, match=r"cannot be read.*hris connect acme"):
        oauth.exchange("code", CALLBACK)
    assert len(scripted.seen) == 1
    scripted.answer(answer)
    with pytest.raises(TokensSpent, match=r"cannot be read.*hris connect acme"):
        oauth.refresh(Tokens(access="a", refresh="r", expires_at=NOON))
    assert len(scripted.seen) == 1


def test_a_token_of_two_minutes_does_not_cost_a_refresh_a_request(scripted: Scripted) -> None:
    scripted.answer((200, b'{"access_token":"short","refresh_token":"r","expires_in":120}'))
    moment = [NOON]
    keeper = MemoryKeeper(Tokens(access="old", refresh="r", expires_at=NOON))
    provider = OAuthTokens(keeper, scripted_oauth(scripted), lambda: moment[0])
    for second in range(0, 100, 10):
        moment[0] = NOON + timedelta(seconds=second)
        assert provider.token() == "short"
    assert keeper.refreshed == 1
    moment[0] = NOON + timedelta(seconds=110)
    provider.token()
    assert keeper.refreshed == 2


def test_a_code_serves_only_whoever_asked_for_it(sandbox: Sandbox) -> None:
    oauth = oauth_of(sandbox)
    for verifier, is_taken in (("v" * 50, True), ("w" * 50, False), ("", False)):
        link = oauth.consent_url(redirect_uri=CALLBACK, state="s", verifier="v" * 50)
        assert "code_challenge_method=S256" in link
        code = sandbox.consent(link)[1]
        if is_taken:
            assert oauth.exchange(code, CALLBACK, verifier).access
        else:
            with pytest.raises(SourceRefused):
                oauth.exchange(code, CALLBACK, verifier)


def test_odd_and_spoiled_answers_of_a_real_server(sandbox: Sandbox, keeper: MemoryKeeper) -> None:
    sandbox.fault("odd_token")
    sandbox.token_expires_now()
    source = partner_api(sandbox, keeper)
    assert source.company().display_name == "Acme"
    assert keeper.refreshed == 1
    source.close()
