"""OAuth as an administrator and a client meet it: the page, consent, codes, rotating tokens, expiry, revocation."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest

from hris_pipeline.sandbox import CLIENT_ID, CLIENT_SECRET, PASSWORD, USERNAME, Company, Sandbox, running
from hris_pipeline_tests.kit.sandbox_client import CALLBACK, Client

QUERY = {
    "response_type": "code",
    "client_id": CLIENT_ID,
    "redirect_uri": CALLBACK,
    "state": "s t&te",
    "scope": "member.detail:read member.dob:read",
}
LOGIN = {"username": USERNAME, "password": PASSWORD, "decision": "allow", "consent": "member.detail:read"}


def link(sandbox: Sandbox, **changes: str) -> str:
    return f"{sandbox.authorize_url}?{urlencode({**QUERY, **changes})}"


def back(answer: httpx.Response) -> dict[str, list[str]]:
    assert answer.status_code == 302
    assert answer.headers["location"].startswith(CALLBACK)
    return parse_qs(urlsplit(answer.headers["location"]).query)


def test_the_page_says_how_to_sign_in_and_asks_for_each_scope(sandbox: Sandbox) -> None:
    page = httpx.get(link(sandbox)).text
    assert USERNAME in page
    assert PASSWORD in page
    assert page.count('name="consent"') == 2
    assert 'value="member.detail:read" checked' in page
    assert 'value="member.dob:read">' in page


@pytest.mark.parametrize(
    "changes",
    [{"client_id": "somebody"}, {"redirect_uri": "http://evil.example/"}, {"redirect_uri": "nonsense"}, {"state": ""}],
)
def test_an_unusable_link_leads_nowhere(sandbox: Sandbox, changes: dict[str, str]) -> None:
    answer = httpx.get(link(sandbox, **changes))
    assert answer.status_code == 400
    assert "location" not in answer.headers


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"scope": "member.detail:read everything"}, "invalid_scope"),
        ({"scope": ""}, "invalid_scope"),
        ({"response_type": "token"}, "unsupported_response_type"),
    ],
)
def test_a_wrong_question_goes_back_with_the_state(sandbox: Sandbox, changes: dict[str, str], error: str) -> None:
    assert back(httpx.get(link(sandbox, **changes))) == {"error": [error], "state": ["s t&te"]}


def test_signing_in_leads_back_with_a_code_and_the_state(sandbox: Sandbox) -> None:
    answer = back(httpx.post(link(sandbox), data=LOGIN))
    assert set(answer) == {"code", "state"}
    assert answer["state"] == ["s t&te"]


def test_denying_leads_back_without_a_code(sandbox: Sandbox) -> None:
    answer = back(httpx.post(link(sandbox), data={"decision": "deny"}))
    assert answer == {"error": ["access_denied"], "state": ["s t&te"]}


@pytest.mark.parametrize("wrong", [{"password": "guess"}, {"username": "nobody"}])
def test_a_wrong_password_shows_the_form_again(sandbox: Sandbox, wrong: dict[str, str]) -> None:
    answer = httpx.post(link(sandbox), data=LOGIN | wrong)
    assert answer.status_code == 401
    assert "Wrong username or password." in answer.text
    assert "guess" not in answer.text


def test_what_is_written_into_the_link_is_never_run_by_the_browser(sandbox: Sandbox) -> None:
    assert "<script>" not in httpx.get(link(sandbox, state='"><script>')).text


def test_a_code_gives_tokens_once(sandbox: Sandbox, client: Client) -> None:
    code = sandbox.authorize(redirect_uri=CALLBACK)
    first = client.exchange(code)
    assert set(first.json()) == {"token_type", "access_token", "expires_at", "refresh_token", "scope"}
    life = datetime.fromisoformat(first.json()["expires_at"]) - datetime.now(UTC)
    assert timedelta(hours=23, minutes=59) < life <= timedelta(hours=24)
    assert client.exchange(code).json() == {"error": "invalid_grant"}


def test_a_code_is_good_for_its_own_address_only(sandbox: Sandbox, client: Client) -> None:
    code = sandbox.authorize(redirect_uri=CALLBACK)
    assert client.exchange(code, "http://127.0.0.1:1/other").status_code == 400


@pytest.mark.parametrize("path", ["/oauth/token", "/v1/oauth/revoke"])
@pytest.mark.parametrize("wrong", [{"client_secret": "guess"}, {"client_id": "guess"}])
def test_a_wrong_client_secret_is_401(client: Client, path: str, wrong: dict[str, str]) -> None:
    form = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "grant_type": "refresh_token", "token": "x"}
    answer = client.http.post(path, data=form | wrong)
    assert (answer.status_code, answer.json()) == (401, {"error": "invalid_client"})


def test_an_unknown_grant_type_is_refused(client: Client) -> None:
    assert client.token(grant_type="password").json() == {"error": "unsupported_grant_type"}


def test_a_refresh_token_serves_once_and_the_next_one_goes_on(client: Client) -> None:
    used = client.tokens["refresh_token"]
    client.use(client.refresh())
    assert client.refresh(used).json() == {"error": "invalid_grant"}
    client.use(client.refresh())
    assert client.get("/v1/company").status_code == 200


def test_access_ends_after_a_day_and_the_refresh_token_after_thirty() -> None:
    with running(employees=3) as sandbox, Client(sandbox) as client:
        client.connect()
        sandbox.advance(timedelta(hours=23, minutes=59))
        assert client.get("/v1/company").status_code == 200
        sandbox.advance(timedelta(minutes=1))
        assert client.get("/v1/company").json() == {"error": "invalid_token"}
        client.use(client.refresh())
        sandbox.advance(timedelta(days=30))
        assert client.refresh().json() == {"error": "invalid_grant"}


def test_a_code_lapses_after_a_minute() -> None:
    with running(employees=3) as sandbox, Client(sandbox) as client:
        code = sandbox.authorize(redirect_uri=CALLBACK)
        sandbox.advance(timedelta(minutes=1))
        assert client.exchange(code).status_code == 400


def test_lifetimes_are_adjustable() -> None:
    access, refresh = timedelta(seconds=5), timedelta(seconds=9)
    with running(employees=3, access_life=access, refresh_life=refresh) as sandbox, Client(sandbox) as client:
        client.connect()
        sandbox.advance(timedelta(seconds=5))
        assert client.get("/v1/company").status_code == 401
        client.use(client.refresh())
        sandbox.advance(timedelta(seconds=9))
        assert client.refresh().status_code == 400


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_a_revoked_token_is_dead(client: Client, kind: str) -> None:
    form = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "token": client.tokens[kind]}
    assert client.http.post("/v1/oauth/revoke", data=form).status_code == 200
    dead = client.get("/v1/company").status_code == 401 if kind == "access_token" else client.refresh().is_error
    assert dead


def test_without_consent_there_are_no_birth_dates(client: Client) -> None:
    client.connect(consent_dob=False)
    assert "member.dob:read" not in client.tokens["scope"]
    assert not any("date_of_birth" in member for member in client.members())
    client.connect()
    assert any("date_of_birth" in member for member in client.members())


def test_without_the_employment_scope_there_is_no_employment(client: Client) -> None:
    client.connect(scopes=["member.detail:read"])
    (member, *_) = client.members(limit=1, most_pages=1)
    assert {"id", "company_id", "active", "name", "emails"} <= set(member)
    assert member["employment_history"] == []
    assert not {"job_title", "department", "manager", "employment_start_date", "current_employment"} & set(member)


@pytest.mark.parametrize(
    ("scope", "paths"),
    [
        ("member.detail:read", ["/v1/company", "/v1/company/custom-fields"]),
        ("company.detail:read", ["/v1/members", "/v1/members/x", "/v1/members/x/custom-field-values"]),
    ],
)
def test_a_missing_scope_is_403(client: Client, scope: str, paths: list[str]) -> None:
    client.connect(scopes=[scope])
    assert [client.get(path).status_code for path in paths] == [403] * len(paths)


@pytest.mark.parametrize("header", [None, "Bearer", "Bearer nonsense", "Basic YTpi"])
def test_no_token_or_a_made_up_one_is_401(sandbox: Sandbox, header: str | None) -> None:
    headers = {"Authorization": header} if header else {}
    assert httpx.get(f"{sandbox.url}/v1/members", headers=headers).status_code == 401


def test_who_logs_in_decides_whose_company_it_is(sandbox: Sandbox, client: Client) -> None:
    other = Company(5, seed=99)
    sandbox.add_company("other", other)
    client.connect(username="other")
    assert [member["id"] for member in client.members()] == other.member_ids
