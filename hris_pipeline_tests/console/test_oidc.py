"""Logging in at a real OpenID Connect provider over HTTP, and every answer that must not be believed."""

import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc.jwk import OctKey, RSAKey

from hris_pipeline.environment import AccessEnvironment
from hris_pipeline.operations.services import Services
from hris_pipeline_tests.kit.browser import PAGE, Browser, Served, client_of, serve
from hris_pipeline_tests.kit.clock import Clock
from hris_pipeline_tests.kit.oidc_provider import Provider, provider

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it uses a part of Authlib that is on its way out
    from oidc_provider_mock import User, run_server_in_thread

CONSOLE = "https://hris.acme.example"
ROLES = "dana@acme.example=administrator, group:hr=reviewer"


def console_at(services: Services, issuer: str, client_id: str, secret: str = "", roles: str = ROLES) -> Served:
    variables = {
        "HRIS_CONSOLE_URL": CONSOLE,
        "HRIS_ROLES": roles,
        "HRIS_OIDC_ISSUER": issuer,
        "HRIS_OIDC_CLIENT_ID": client_id,
        "HRIS_OIDC_CLIENT_SECRET": secret,
    }
    access = AccessEnvironment.read(variables)
    return serve(services, access, host="0.0.0.0")


def browser_of(served: Served) -> Browser:
    return Browser(client_of(served.app, CONSOLE, "192.0.2.7"))


def asked_at_provider(browser: Browser, to: str = "/") -> str:
    """The address at the provider to which somebody is sent who wants to log in."""
    return str(browser.client.get(f"/login?to={to}", headers=PAGE, follow_redirects=False).headers["location"])


def sent_back(browser: Browser, address: str) -> httpx.Response:
    parts = urlsplit(address)
    return browser.client.get(f"{parts.path}?{parts.query}", headers=PAGE, follow_redirects=False)


def logged_in(browser: Browser) -> bool:
    return browser.get("/", {"accept": "application/json"}).status_code == 200


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::authlib.deprecate.AuthlibDeprecationWarning")
class TestRealProvider:
    """The provider of `oidc-provider-mock`, as an implementation that is not ours."""

    @pytest.fixture
    def issuer(self) -> Iterator[str]:
        users = [
            User(sub="dana", claims={"email": "dana@acme.example", "email_verified": True}),
            User(sub="mallory", claims={"email": "dana@acme.example", "email_verified": False}),
        ]
        with run_server_in_thread(require_client_registration=True, require_nonce=True, user_claims=users) as server:
            yield f"http://localhost:{server.server_port}"

    @pytest.fixture
    def served(self, issuer: str, services: Services) -> Served:
        registered = httpx.post(
            f"{issuer}/oauth2/clients", json={"redirect_uris": [f"{CONSOLE}/login/callback"]}
        ).json()
        return console_at(services, issuer, registered["client_id"], registered["client_secret"])

    @staticmethod
    def back(address: str, sub: str, **form: str) -> str:
        return httpx.post(address, data={"sub": sub, **form}, follow_redirects=False).headers["location"]

    def test_somebody_logs_in_and_comes_back_to_where_they_were_going(self, served: Served) -> None:
        browser = browser_of(served)
        answer = sent_back(browser, self.back(asked_at_provider(browser, "/i/acme/review"), "dana"))
        assert answer.headers["location"] == "/i/acme/review"
        page = browser.get("/").text
        assert "dana@acme.example" in page
        assert "administrator" in page

    def test_an_address_that_the_provider_did_not_verify_is_nobodys(self, served: Served) -> None:
        browser = browser_of(served)
        sent_back(browser, self.back(asked_at_provider(browser), "mallory"))
        assert browser.get("/").status_code == 403

    def test_somebody_who_does_not_agree_is_not_logged_in(self, served: Served) -> None:
        browser = browser_of(served)
        answer = sent_back(browser, self.back(asked_at_provider(browser), "dana", action="deny"))
        assert answer.status_code == 401
        assert not logged_in(browser)

    def test_an_answer_is_good_once(self, served: Served) -> None:
        browser = browser_of(served)
        back = self.back(asked_at_provider(browser), "dana")
        assert sent_back(browser, back).status_code == 303
        assert sent_back(browser, back).status_code == 400

    def test_an_answer_is_good_in_the_browser_that_asked(self, served: Served) -> None:
        victim, attacker = browser_of(served), browser_of(served)
        back = self.back(asked_at_provider(attacker), "dana")
        asked_at_provider(victim)
        assert sent_back(victim, back).status_code == 401
        assert not logged_in(victim)

    def test_a_code_replayed_in_another_log_in_is_refused(self, served: Served) -> None:
        browser = browser_of(served)
        back = self.back(asked_at_provider(browser), "dana")
        sent_back(browser, back)
        code = parse_qs(urlsplit(back).query)["code"][0]
        state = parse_qs(urlsplit(asked_at_provider(browser)).query)["state"][0]
        other = browser_of(served)
        state = parse_qs(urlsplit(asked_at_provider(other)).query)["state"][0]
        assert sent_back(other, f"{CONSOLE}/login/callback?code={code}&state={state}").status_code == 401
        assert not logged_in(other)

    def test_a_log_in_that_takes_too_long_is_over(self, served: Served, clock: Clock) -> None:
        browser = browser_of(served)
        back = self.back(asked_at_provider(browser), "dana")
        clock.advance(minutes=11)
        assert sent_back(browser, back).status_code == 400


@pytest.fixture
def honest() -> Iterator[Provider]:
    with provider() as served:
        yield served


def claiming(claims: dict[str, Any]) -> Callable[[Provider], None]:
    return lambda provider: provider.claims.update(claims)


def signed(key: Any, algorithm: str) -> Callable[[Provider], None]:
    def change(provider: Provider) -> None:
        provider.signed_by, provider.algorithm = key, algorithm

    return change


NOW = int(time.time())
LIES: dict[str, Callable[[Provider], None]] = {
    "another issuer": claiming({"iss": "https://login.evil.example"}),
    "no issuer": claiming({"iss": None}),
    "another audience": claiming({"aud": "another-client"}),
    "several audiences, none ours": claiming({"aud": ["a", "b"]}),
    "ours among several, for another": claiming({"aud": ["hris", "b"], "azp": "b"}),
    "no audience": claiming({"aud": None}),
    "another nonce": claiming({"nonce": "replayed"}),
    "no nonce": claiming({"nonce": None}),
    "expired": claiming({"exp": NOW - 600, "iat": NOW - 700}),
    "never expires": claiming({"exp": None}),
    "not yet": claiming({"nbf": NOW + 6000}),
    "nobody": claiming({"sub": None}),
    "another key": signed(RSAKey.generate_key(2048), "RS256"),
    "a shared secret": signed(OctKey.import_key(b"s" * 32), "HS256"),
    "another provider in its own words": lambda provider: provider.metadata.update(issuer="https://evil.example"),
    "no token endpoint": lambda provider: provider.metadata.update(token_endpoint=None),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_what_must_not_be_believed_logs_nobody_in(
    honest: Provider, services: Services, lie: Callable[[Provider], None]
) -> None:
    browser = browser_of(console_at(services, honest.url, "hris"))
    back = honest.grant(asked_at_provider(browser), "code")
    lie(honest)
    assert sent_back(browser, back).status_code == 401
    assert not logged_in(browser)


def test_the_same_provider_is_believed_when_it_tells_the_truth(honest: Provider, services: Services) -> None:
    browser = browser_of(console_at(services, honest.url, "hris"))
    assert sent_back(browser, honest.grant(asked_at_provider(browser), "code")).status_code == 303
    assert "administrator" in browser.get("/").text


def test_a_group_gives_the_role(honest: Provider, services: Services) -> None:
    browser = browser_of(console_at(services, honest.url, "hris"))
    honest.claims = {"sub": "eve", "email": "eve@acme.example"}
    sent_back(browser, honest.grant(asked_at_provider(browser), "code"))
    assert "reviewer" in browser.get("/").text


@pytest.mark.parametrize("to", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", ""])
def test_after_the_log_in_nobody_is_sent_elsewhere(honest: Provider, services: Services, to: str) -> None:
    browser = browser_of(console_at(services, honest.url, "hris"))
    answer = sent_back(browser, honest.grant(asked_at_provider(browser, to), "code"))
    assert answer.headers["location"] == "/"


def test_a_provider_that_is_down_is_said_to_be(services: Services) -> None:
    browser = browser_of(console_at(services, "http://127.0.0.1:9", "hris"))
    assert browser.get("/login").status_code == 502
