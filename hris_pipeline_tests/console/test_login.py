"""Logging in by the one-time link; sessions are signed, short and can be ended."""

import pytest

from hris_pipeline.operations.services import Services
from hris_pipeline_tests.kit.browser import ORIGIN, PAGE, Browser, Served, serve
from hris_pipeline_tests.kit.clock import Clock


def opened(served: Served, link: str) -> Browser:
    browser = served.stranger()
    browser.get(link.removeprefix(ORIGIN))
    return browser


def logged_in(browser: Browser) -> bool:
    return browser.get("/", {"accept": "application/json"}).status_code == 200


def test_the_link_logs_in_the_person_at_this_machine(served: Served) -> None:
    browser = opened(served, served.links[0])
    page = browser.get("/")
    assert page.status_code == 200
    assert "dana" in page.text
    assert "administrator" in page.text


def test_the_link_works_once_and_the_next_is_printed(served: Served) -> None:
    assert logged_in(opened(served, served.links[0]))
    assert not logged_in(opened(served, served.links[0]))
    assert len(served.links) == 2
    assert logged_in(opened(served, served.links[1]))


@pytest.mark.parametrize("token", ["", "x", "ü", "%00"])
def test_no_other_link_works(served: Served, token: str) -> None:
    assert not logged_in(opened(served, f"{ORIGIN}/login/link?token={token}"))


def test_the_cookie_is_for_this_site_and_no_script(served: Served) -> None:
    answer = served.stranger().client.get(served.links[0].removeprefix(ORIGIN), headers=PAGE, follow_redirects=False)
    assert answer.status_code == 303
    assert {"Path=/", "HttpOnly", "SameSite=Lax"} <= set(answer.headers["set-cookie"].split("; "))


def test_a_cookie_that_was_changed_is_none(served: Served) -> None:
    browser = opened(served, served.links[0])
    for name, value in list(browser.client.cookies.items()):
        browser.client.cookies.clear()
        browser.client.cookies.set(name, ("B" if value.startswith("A") else "A") + value[1:], domain="127.0.0.1")
    assert not logged_in(browser)
    stranger = served.stranger()
    stranger.client.cookies.set("hris-3000", "someone.else", domain="127.0.0.1")
    assert not logged_in(stranger)


def test_another_servers_cookie_is_none(served: Served, services: Services) -> None:
    browser = opened(served, served.links[0])
    other = serve(services).stranger()
    for name, value in browser.client.cookies.items():
        other.client.cookies.set(name, value, domain="127.0.0.1")
    assert not logged_in(other)


def test_a_session_ends_when_it_is_not_used(served: Served, clock: Clock) -> None:
    browser = served.browser()
    clock.advance(minutes=59)
    assert logged_in(browser)
    clock.advance(minutes=61)
    assert not logged_in(browser)


def test_a_session_ends_however_much_it_is_used(served: Served, clock: Clock) -> None:
    browser = served.browser()
    for _ in range(23):
        clock.advance(minutes=30)
        assert logged_in(browser)
    clock.advance(minutes=31)
    assert not logged_in(browser)


def test_logging_out_ends_the_session_whoever_kept_the_cookie(served: Served) -> None:
    browser, other = served.browser(), served.browser()
    assert "logged out" in browser.post("/logout").text
    assert not logged_in(browser)
    assert logged_in(other)


def test_logging_out_everywhere_ends_all_sessions_of_the_person(served: Served) -> None:
    browser, other, stranger = served.browser(), served.browser(), served.browser(identity="lee")
    assert 'name="everywhere" value="yes"' in browser.get("/").text
    browser.post("/logout", everywhere="yes")
    assert not logged_in(other)
    assert logged_in(stranger)


def test_logging_out_takes_a_form_of_the_console(served: Served) -> None:
    browser = served.browser()
    assert browser.post("/logout", csrf="another").status_code == 403
    assert logged_in(browser)


def test_whoever_has_no_role_sees_no_page(served: Served) -> None:
    answer = served.browser(role=None).get("/")
    assert answer.status_code == 403
    assert "no role" in answer.text
