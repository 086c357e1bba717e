"""The console beside the command line: every page is an operation that `hris` has too; and what every page holds, whose
subject is people: no value of a person in an address, in a form that becomes one, or in a cache."""

import re
from collections.abc import Mapping, Sequence
from html import unescape
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from hris_pipeline.cli.app import COMMANDS
from hris_pipeline.console.pages import PAGES
from hris_pipeline.operations.services import Services
from hris_pipeline.store.tables import users
from hris_pipeline_tests.kit.browser import Browser, Served

COMMANDS_OF_PAGES: dict[str, tuple[str, ...]] = {
    "GET /": ("integrations",),
    "GET /deleted": ("integrations",),
    "GET /i/{name}": ("integrations",),
    "GET /i/{name}/decisions": ("decisions",),
    "POST /i/{name}/preview": ("preview",),
    "GET /i/{name}/progress": ("history",),
    "POST /i/{name}/pause": ("pause",),
    "POST /i/{name}/resume": ("resume",),
    "GET /setup": ("setup",),
    "POST /setup": ("setup",),
    "GET /i/{name}/setup": ("setup",),
    "GET /i/{name}/setup/{step}": ("setup",),
    "POST /i/{name}/setup/{step}": ("setup",),
    "POST /i/{name}/setup/connect/token": ("connect",),
    "GET /connect/callback": ("connect",),
    "GET /i/{name}/review": ("show",),
    "GET /i/{name}/imports/{import_id}": ("show", "quarantine"),
    "POST /i/{name}/imports/{import_id}": ("review",),
    "POST /i/{name}/imports/{import_id}/save": ("save",),
    "POST /i/{name}/imports/{import_id}/approve": ("approve",),
    "POST /i/{name}/imports/{import_id}/discard": ("discard",),
    "POST /i/{name}/imports/{import_id}/undo": ("undo",),
    "GET /i/{name}/conflicts": ("conflicts",),
    "POST /i/{name}/conflicts/relink": ("resolve",),
    "POST /i/{name}/conflicts/{conflict_id}": ("resolve",),
    "GET /i/{name}/history": ("history",),
    "POST /i/{name}/history/explain": ("explain",),
    "POST /i/{name}/history/user": ("user",),
    "GET /i/{name}/history/{import_id}": ("user-file", "user"),
    "POST /i/{name}/history/{import_id}": ("user-file", "user"),
    "GET /i/{name}/people": ("reporting", "milestones"),
    "POST /i/{name}/people/erase": ("users erase",),
    "GET /i/{name}/user-file": ("user-file",),
    "GET /i/{name}/files/{file}": ("user-file", "milestones", "reporting"),
    "GET /i/{name}/mapping": ("mapping show",),
    "POST /i/{name}/mapping": ("mapping set", "mapping add", "mapping rename", "mapping change-type", "mapping delete"),
    "POST /i/{name}/mapping/store": (
        "mapping set",
        "mapping add",
        "mapping rename",
        "mapping change-type",
        "mapping delete",
    ),
    "GET /i/{name}/settings": ("settings show",),
    "POST /i/{name}/settings": ("settings set", "settings apply"),
    "POST /i/{name}/settings/store": ("settings set", "settings apply"),
    "GET /i/{name}/settings/versions": ("settings history",),
    "GET /i/{name}/settings/export": ("settings export",),
    "POST /i/{name}/settings/disconnect": ("disconnect",),
    "POST /i/{name}/settings/delete": ("delete",),
}
"""Which commands do what a page does."""

ACTIONS = {command.words: command.action for command in COMMANDS}


def test_every_page_is_an_operation_that_the_command_line_has_too() -> None:
    assert COMMANDS_OF_PAGES.keys() == {f"{page.method} {page.path}" for page in PAGES}
    for page in PAGES:
        key = f"{page.method} {page.path}"
        assert {ACTIONS[command] for command in COMMANDS_OF_PAGES[key]} == {page.action}, key


def forms_by_get(page: str) -> list[set[str]]:
    """The fields of each form that becomes an address."""
    forms = re.findall(r"<form [^>]*method=\"(\w+)\"[^>]*>(.*?)</form>", page, re.DOTALL)
    return [set(re.findall(r' name="([^"]+)"', body)) for method, body in forms if method == "get"]


def pages_of(browser: Browser, import_id: str, employee_id: str) -> dict[str, httpx.Response]:
    """Every page by its address, asked as an administrator would: forms with somebody in them too."""
    forms = {
        f"/i/acme/imports/{import_id}": {"text": employee_id},
        "/i/acme/history/explain": {"employee_id": employee_id},
        "/i/acme/history/user": {"employee_id": employee_id, "as_of": "2026-03-02"},
        f"/i/acme/history/{import_id}": {"text": employee_id},
        "/i/acme/people/erase": {"erase_id": employee_id},
        "/i/acme/mapping": {"map-email": "secondary_email"},
        "/i/acme/settings": {"override_emails": "on"},
        "/i/acme/settings/delete": {"confirm": "no"},
    }
    values = {"name": "acme", "import_id": import_id, "step": "check", "file": "milestones.csv"}
    paths = [page.path.format(**values) for page in PAGES if page.method == "GET" and page.path != "/connect/callback"]
    answers = {path: browser.get(path) for path in paths}
    return answers | {f"POST {path}": browser.post(path, **fields) for path, fields in forms.items()}


@pytest.fixture
def people(imported: Any, services: Services) -> Sequence[Mapping[str, Any]]:
    """The users, of whom every page is about to be asked."""
    with services.store.read() as connection:
        rows = connection.execute(sa.select(users).order_by(users.c.employee_id)).mappings()
        return [dict(row) for row in rows]


def test_no_value_of_a_person_stands_in_an_address_or_a_cache(
    people: Sequence[Mapping[str, Any]], imported: Any, served: Served
) -> None:
    fields = ("first_name", "last_name", "email", "secondary_email", "phone_number")
    private = {str(user[name]) for user in people for name in fields if user[name]}
    met: set[str] = set()
    for path, answer in pages_of(served.browser(), imported.import_id, people[0]["employee_id"]).items():
        assert answer.status_code in (200, 422), path
        assert answer.headers["cache-control"] == "no-store", path
        assert answer.headers["referrer-policy"] == "same-origin", path
        assert not any(value in str(answer.url) for value in private), path
        if not answer.headers["content-type"].startswith("text/html"):
            continue
        page = unescape(answer.text)
        met |= {value for value in private if value in page}
        addresses = re.findall(r'(?:href|action|src|hx-get|content)="([^"]*)"', page)
        assert not [address for address in addresses for value in private if value in address], path
        for names in forms_by_get(page):
            assert names <= {"action", "field", "guard", "sort", "status", "search", "show"}, path
            assert "search" not in names or path == "/", "only companies are searched by address"
    assert len(met) > 20, "the pages that were asked show people"
