"""One request to the console as its pages see it: who asks, what they sent, and how an answer is made, templates
included: everything escaped, nothing undefined, and the words and shapes that all pages share.

Checks that hold for all pages (log-in, role, form token) are made here, once, before a page is asked.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from secrets import compare_digest
from traceback import extract_tb
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, QueryParams
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from hris_pipeline.console.gateway import Access
from hris_pipeline.console.jobs import Jobs
from hris_pipeline.console.sessions import Session, Sessions
from hris_pipeline.console.words import (
    browser_words,
    due_words,
    moment_words,
    schedule_words,
    setting_title,
    setting_words,
    source_title,
    value_words,
)
from hris_pipeline.errors import HrisError, UnknownName, UsageError
from hris_pipeline.files import machine_words
from hris_pipeline.operations.review_files import field_title, guard_title
from hris_pipeline.operations.roles import ACTIONS, deciding, decision_words, may, method_words, outcome_words
from hris_pipeline.operations.services import Services
from hris_pipeline.operations.settings import read_settings
from hris_pipeline.settings.document import Settings
from hris_pipeline.settings.text import plural
from hris_pipeline.store.integrations import Integration, get_integration

__all__ = ["STATIC", "TEMPLATES", "Console", "Page", "Visit", "error_page", "route_of"]

STATIC = Path(__file__).with_name("static")


def _change_query(values: Mapping[str, Any], **changes: Any) -> str:
    """An address's query with some of its values changed; empty ones are left out."""
    merged = {**values, **changes}
    return urlencode({key: value for key, value in merged.items() if value not in (None, "")}, doseq=True)


def _asset_address(name: str) -> str:
    """The address of a file of ours that changes when the file does, so that a browser may keep it."""
    return f"/static/{name}?{_DIGESTS[name]}"


_DIGESTS = {path.name: sha256(path.read_bytes()).hexdigest()[:12] for path in STATIC.iterdir()}

TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)

TEMPLATES.filters |= {
    "browser": browser_words,
    "decision": decision_words,
    "guard": guard_title,
    "method": method_words,
    "moment": moment_words,
    "outcome": outcome_words,
    "schedule": schedule_words,
    "sentence": lambda text: text[:1].upper() + text[1:],
    "setting": setting_words,
    "setting_title": setting_title,
    "source": source_title,
    "title": field_title,
    "value": value_words,
}

TEMPLATES.globals |= {"asset": _asset_address, "query": _change_query, "plural": plural, "due_words": due_words}

MOST_FIELDS = 2000

LONGEST_NUMBER = 6
"""So many digits the number of a page has."""

_PACKAGE = "hris_pipeline"


@dataclass(frozen=True)
class Console:
    """What all pages work with. ``dagster_url`` is where Dagster's own pages are, empty when nobody knows."""

    services: Services
    access: Access
    sessions: Sessions
    jobs: Jobs
    dagster_url: str = ""
    daemon_seen: Callable[[], bool | None] = lambda: None


@dataclass
class Visit:
    """One request. ``form`` is empty for a GET; ``problems`` are shown on top of the page and beside the fields they
    name."""

    console: Console
    session: Session
    route: Mapping[str, str]
    query: QueryParams
    form: FormData
    partial: bool = False
    problems: dict[str, str] = field(default_factory=dict)

    @property
    def services(self) -> Services:
        """The operations' surroundings."""
        return self.console.services

    @property
    def name(self) -> str:
        """The integration that the page is about."""
        return self.route["name"]

    @cached_property
    def _in_force(self) -> Settings | None:
        try:
            return read_settings(self.services, self.name).settings
        except UnknownName:
            return None

    @cached_property
    def former(self) -> Integration | None:
        """The integration, where it was deleted: only its history is left. None while there is one of that name.

        Raises:
            UnknownName: there never was.
        """
        if self._in_force is not None:
            return None
        with self.services.store.read() as connection:
            return get_integration(connection, self.name, deleted=True)

    @property
    def settings(self) -> Settings:
        """The integration's settings in force when the page was asked for; of one that was deleted, which has none
        any more, its name alone."""
        if self.former is not None:
            return Settings(display_name=self.former.display_name, time_zone="UTC")
        return self._in_force or Settings()

    @property
    def zone(self) -> str:
        """The time zone in which the integration's moments are told."""
        return self.settings.time_zone

    @property
    def title(self) -> str:
        """The integration as people know it."""
        return self.settings.display_name or self.name

    @property
    def actor(self) -> str:
        """Who is recorded."""
        return self.session.by.identity

    def may(self, action: str) -> bool:
        """Whether the person may."""
        return may(self.session.role, action)

    def text(self, field_name: str) -> str:
        """A field of the form, trimmed; empty when it was not sent."""
        value = self.form.get(field_name, "")
        return value.strip() if isinstance(value, str) else ""

    @property
    def page_number(self) -> int:
        """The page that is asked for, by the form or else the address; the first where that is no number."""
        number = self.text("page") or self.query.get("page", "")
        return max(1, int(number)) if number.isascii() and number.isdigit() and len(number) <= LONGEST_NUMBER else 1

    def page_of(self, total: int, size: int) -> tuple[int, int]:
        """The page that is asked for, or the last one, and how many there are, one at least."""
        pages = max(1, -(-total // size))
        return min(self.page_number, pages), pages

    def texts(self, field_name: str) -> list[str]:
        """All values of a field of the form."""
        return [value for value in self.form.getlist(field_name) if isinstance(value, str)]

    def page(self, template: str, status: int = 200, **values: Any) -> Response:
        """A page; with problems it is not 200."""
        rendered = TEMPLATES.get_template(template).render(visit=self, **values)
        return HTMLResponse(rendered, 422 if self.problems and status == 200 else status)

    def go(self, address: str, message: str = "") -> Response:
        """On to a page after something was done, which the page says once."""
        if message:
            self.session.messages.append(message)
        return RedirectResponse(address, status_code=303)

    def deciding(
        self, action: str, subject: str | None = None, integration_id: str | None = None, reason: str | None = None
    ) -> Any:
        """Writes down that the person decides, and what came of it."""
        about = self.route.get("name", "") if integration_id is None else integration_id
        return deciding(self.services, about, action, self.session.by, subject, reason)


Handler = Callable[[Visit], Response]


@dataclass(frozen=True)
class Page:
    """One address: its path, what it takes to open it, the function that answers it, and the method."""

    path: str
    action: str
    handler: Handler
    method: str = "GET"


def route_of(page: Page) -> Route:
    """The route of a page, with the checks that hold for all."""
    needed = ACTIONS[page.action]

    async def endpoint(request: Request) -> Response:
        console: Console = request.app.state.console
        session: Session = request.scope["state"]["session"]
        form = FormData()
        if request.method == "POST":
            form = await request.form(max_files=0, max_fields=MOST_FIELDS)
        partial = request.headers.get("hx-request") == "true"
        visit = Visit(console, session, request.path_params, request.query_params, form, partial)
        if request.method == "POST" and not _has_token(session, form):
            return error_page(visit, 403, "This form is too old", "Open the page again and send it once more.")
        if not may(session.role, page.action):
            return error_page(visit, 403, "You may not do this", f"It takes the role {needed}; you are {session.role}.")
        return await run_in_threadpool(_answer, page, visit)

    return Route(page.path, endpoint, methods=[page.method], name=f"{page.method} {page.path}")


def _has_token(session: Session, form: FormData) -> bool:

    csrf = form.get("csrf", "")
    return isinstance(csrf, str) and compare_digest(csrf.encode(), session.csrf.encode())


def _answer(page: Page, visit: Visit) -> Response:
    try:
        return page.handler(visit)
    except UnknownName as error:
        return error_page(visit, 404, "Not found", str(error))
    except UsageError as error:
        return error_page(visit, 422, "That cannot be done", str(error))
    except HrisError as error:
        return error_page(visit, 409, "That did not work", str(error))
    except Exception as error:  # its message may quote a person: only its kind and place are told
        if (machine := machine_words(error)) is not None:
            return error_page(visit, 503, "This machine is in the way", f"{machine}.")
        place = next((frame for frame in reversed(extract_tb(error.__traceback__)) if _PACKAGE in frame.filename), None)
        where = f" at {Path(place.filename).name}:{place.lineno}" if place else ""
        words = f"{type(error).__name__}{where}: please report it. Nothing else was changed."
        return error_page(visit, 500, "Something unexpected happened", words)


def error_page(visit: Visit, status: int, title: str, words: str) -> Response:
    """A page that says what went wrong and what to do; never anybody's data."""
    name, import_id = (visit.route.get(key, "") if status != 404 else "" for key in ("name", "import_id"))
    place = f"/i/{name}/imports/{import_id}" if import_id else ""
    return visit.page("error.html", status, title=title, words=browser_words(words), name=name, place_of_import=place)
