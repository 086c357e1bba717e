"""The door: who is answered at all, whatever they ask for."""

from pathlib import Path

import pytest

from hris_pipeline.console.gateway import access_of
from hris_pipeline.environment import AccessEnvironment
from hris_pipeline.errors import EnvironmentInvalid, UsageError
from hris_pipeline.operations.services import Services
from hris_pipeline_tests.kit.browser import FORM, ORIGIN, PAGE, Served, client_of, serve, websocket

BEHIND_PROXY = {
    "HRIS_CONSOLE_URL": "https://hris.acme.example",
    "HRIS_ROLES": "dana@acme.example=administrator, group:hr=reviewer, group:board=viewer",
    "HRIS_PROXY_USER_HEADER": "X-Forwarded-User",
    "HRIS_PROXY_GROUPS_HEADER": "X-Forwarded-Groups",
    "HRIS_PROXY_ADDRESSES": "10.0.0.0/8",
}


def access(variables: dict[str, str]) -> AccessEnvironment:
    return AccessEnvironment.read(variables)


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1:3001", "127.0.0.1", "127.0.0.1:3000.evil.example", ""])
def test_another_host_is_not_answered(served: Served, host: str) -> None:
    assert served.stranger().get("/login", {**PAGE, "host": host}).status_code == 421


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_dagsters_pages_are_served_behind_the_door_and_nowhere_else(services: Services, tmp_path: Path) -> None:
    import dagster as dg  # Dagster takes its time, and only this test needs it

    from hris_pipeline.console.gateway import DAGSTER_PATH
    from hris_pipeline.running import dagster_pages

    workspace = tmp_path / "workspace.yaml"
    workspace.write_text("load_from: []")
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}")
    with (
        dg.DagsterInstance.from_config(str(tmp_path)) as instance,
        dagster_pages(instance, DAGSTER_PATH, workspace) as pages,
    ):
        served = serve(services, dagster=pages)
        assert served.stranger().get("/dagster/server_info").status_code == 401
        assert served.browser("viewer").get("/dagster/server_info").json()["dagster_webserver_version"]
        assert served.browser("viewer").get("/server_info").status_code == 404


def test_two_hosts_are_none(served: Served) -> None:
    answer = served.stranger().client.get("/login", headers=[("host", "127.0.0.1:3000"), ("host", "evil.example")])
    assert answer.status_code == 421


@pytest.mark.parametrize("host", ["127.0.0.1:3000", "localhost:3000", "[::1]:3000"])
def test_the_names_of_this_machine_are_answered(served: Served, host: str) -> None:
    assert served.stranger().get("/login", {**PAGE, "host": host}).status_code == 401


FOREIGN = [
    {},
    {"origin": "http://evil.example"},
    {"origin": "null"},
    {"origin": "http://127.0.0.1:3001"},
    {"origin": "https://127.0.0.1:3000"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "none"},
    {"origin": ORIGIN, "sec-fetch-site": "cross-site"},
    {"origin": "http://evil.example", "sec-fetch-site": "same-origin"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
@pytest.mark.parametrize("path", ["/logout", "/i/acme/pause", "/dagster/graphql"])
def test_nothing_is_changed_from_elsewhere(served: Served, path: str, headers: dict[str, str]) -> None:
    browser = served.browser()
    assert browser.client.post(path, data={"csrf": browser.csrf}, headers=headers).status_code == 403


@pytest.mark.parametrize("mode", ["no-cors", "cors", "navigate"])
def test_from_elsewhere_only_a_link_may_be_followed(served: Served, mode: str) -> None:
    foreign = {"sec-fetch-site": "cross-site", "sec-fetch-mode": mode}
    browser = served.browser()
    assert browser.get("/", {**foreign, "sec-fetch-dest": "iframe"}).status_code == 403
    answered = browser.get("/", {**foreign, "sec-fetch-dest": "document"}).status_code
    assert answered == (200 if mode == "navigate" else 403)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_not_answered(served: Served, method: str) -> None:
    assert served.browser().client.request(method, "/", headers=FORM).status_code == 405


def test_a_websocket_from_elsewhere_is_refused(served: Served) -> None:
    sent = [websocket(served.app, "/dagster/graphql", headers) for headers in ({}, {"origin": "http://evil.example"})]
    assert [[message["code"] for message in messages] for messages in sent] == [[4403], [4403]]
    assert [message["code"] for message in websocket(served.app, "/dagster/graphql", {"origin": ORIGIN})] == [4401]


def test_whoever_is_not_logged_in_sees_nothing(served: Served) -> None:
    stranger = served.stranger()
    for path in ("/", "/i/acme", "/i/acme/people", "/dagster", "/dagster/graphql"):
        assert stranger.client.get(path, headers=PAGE, follow_redirects=False).status_code == 303
        assert stranger.get(path, {"accept": "application/json"}).status_code == 401
        assert stranger.client.post(path, headers=FORM).status_code == 401


def test_every_answer_may_neither_be_kept_nor_framed_nor_scripted(served: Served) -> None:
    stranger, browser = served.stranger(), served.browser()
    refused = stranger.get("/", {**PAGE, "host": "evil.example"})
    for answer in (
        browser.get("/"),
        browser.get("/nowhere"),
        stranger.get("/login"),
        refused,
        browser.post("/nowhere"),
    ):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"


def test_no_page_asks_for_a_script_or_style_that_the_policy_forbids(served: Served) -> None:
    page = served.browser().get("/").text
    assert "<style" not in page
    assert " style=" not in page
    assert "<script>" not in page
    assert " onclick" not in page


def test_files_without_anybodys_data_may_be_kept(served: Served) -> None:
    assert "immutable" in served.stranger().get("/static/console.css").headers["cache-control"]


def test_a_body_that_no_page_needs_is_not_read(served: Served) -> None:
    browser = served.browser()
    assert browser.post("/logout", csrf=browser.csrf, more="x" * (5 << 20)).status_code == 413


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "hris.acme.example"])
def test_without_a_log_in_it_listens_on_this_machine_alone(host: str) -> None:
    with pytest.raises(UsageError, match="HRIS_OIDC_ISSUER"):
        access_of(AccessEnvironment(), host, 3000)
    assert access_of(access(BEHIND_PROXY), host, 3000).origins == ("https://hris.acme.example",)


HALVES = [
    {"HRIS_OIDC_ISSUER": "https://login.example"},
    {"HRIS_PROXY_USER_HEADER": "X-User"},
    {"HRIS_ROLES": "dana=emperor"},
    {"HRIS_ROLES": "viewer"},
    {"HRIS_PROXY_ADDRESSES": "everywhere"},
    {"HRIS_SESSION_MINUTES": "0"},
    {"HRIS_CONSOLE_URL": "hris.acme.example"},
    {**BEHIND_PROXY, "HRIS_OIDC_ISSUER": "https://login.example", "HRIS_OIDC_CLIENT_ID": "hris"},
]


@pytest.mark.parametrize("variables", HALVES, ids=str)
def test_what_is_configured_by_halves_is_refused(variables: dict[str, str]) -> None:
    with pytest.raises(EnvironmentInvalid):
        access(variables)


@pytest.mark.parametrize("missing", ["HRIS_CONSOLE_URL"])
def test_production_says_where_people_open_it(missing: str) -> None:
    with pytest.raises(EnvironmentInvalid, match=missing):
        access_of(access({**BEHIND_PROXY, missing: ""}), "0.0.0.0", 3000)


class TestProxy:
    """A proxy in front has logged people in, and names them in a header."""

    @staticmethod
    def ask(services: Services, peer: str, *headers: tuple[str, str]) -> int:
        served = serve(services, access(BEHIND_PROXY), host="0.0.0.0")
        client = client_of(served.app, "https://hris.acme.example", peer)
        return int(client.get("/", headers=[*PAGE.items(), *headers]).status_code)

    def test_it_is_believed_from_its_addresses_alone(self, services: Services) -> None:
        dana = ("X-Forwarded-User", "dana@acme.example")
        assert self.ask(services, "10.1.2.3", dana) == 200
        assert self.ask(services, "::ffff:10.1.2.3", dana) == 200
        assert self.ask(services, "11.1.2.3", dana) == 401
        assert self.ask(services, "testclient", dana) == 401
        assert self.ask(services, "10.1.2.3") == 401
        assert self.ask(services, "10.1.2.3", dana, ("X-Forwarded-User", "eve@acme.example")) == 401

    def test_a_group_gives_a_role_and_none_gives_none(self, services: Services) -> None:
        eve = ("X-Forwarded-User", "eve@acme.example")
        assert self.ask(services, "10.1.2.3", eve) == 403
        assert self.ask(services, "10.1.2.3", eve, ("X-Forwarded-Groups", "sales, hr")) == 200

    def test_another_person_gets_another_session(self, services: Services) -> None:
        served = serve(services, access(BEHIND_PROXY), host="0.0.0.0")
        client = client_of(served.app, "https://hris.acme.example", "10.1.2.3")
        pages = [
            client.get("/", headers={**PAGE, "X-Forwarded-User": who, "X-Forwarded-Groups": "hr"}).text
            for who in ("dana@acme.example", "eve@acme.example", "dana@acme.example")
        ]
        assert ["dana@acme.example" in page for page in pages] == [True, False, True]
        assert "administrator" in pages[0]
        assert "reviewer" in pages[1]

    def test_its_cookie_is_for_this_host_through_tls_alone(self, services: Services) -> None:
        served = serve(services, access(BEHIND_PROXY), host="0.0.0.0")
        client = client_of(served.app, "https://hris.acme.example", "10.1.2.3")
        answer = client.get("/", headers={**PAGE, "X-Forwarded-User": "dana@acme.example"})
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("__Host-hris=")
        assert {"Path=/", "HttpOnly", "SameSite=Lax", "Secure"} <= set(cookie.split("; "))
        assert "strict-transport-security" in answer.headers
