"""The guided setup: one question a page, in the order people know; every step can be taken again, and quitting anywhere
loses nothing. A last page shows all answers before anything is read."""

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from starlette.responses import Response

from hris_pipeline.console.pages.integrations import start_job
from hris_pipeline.console.visit import Page, Visit
from hris_pipeline.errors import ConnectionInvalid, HrisError, SettingsInvalid, UnknownName, UsageError
from hris_pipeline.operations import automation
from hris_pipeline.operations.connection import (
    PERMISSIONS,
    QUESTIONS,
    TERMS,
    SetupProgress,
    connect,
    consent_url,
    refusal_words,
    refused_permissions,
)
from hris_pipeline.operations.overview import Overview, overview
from hris_pipeline.operations.settings import change_settings, read_settings, set_up
from hris_pipeline.settings.document import Settings
from hris_pipeline.settings.loading import set_values
from hris_pipeline.store.integrations import check_name

__all__ = ["PAGES"]

CALLBACK = "/connect/callback"
QUARTERS = tuple(f"{hour:02}:{minute:02}" for hour in range(24) for minute in (0, 15, 30, 45))
REGIONS = ("Africa", "America", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True)
class Step:
    """One step of the list: its words, and whether it is done or can be done yet."""

    key: str
    words: str
    done: Callable[[Overview, list[str]], bool]
    possible: Callable[[Overview], bool] = lambda _: True


def _is_connected(state: Overview) -> bool:
    return state.integration.connection == "connected"


STEPS = (
    Step("terms", "Agree to the terms", lambda state, _: state.integration.terms_accepted_at is not None),
    Step("connect", "Review the permissions and connect", lambda state, _: _is_connected(state)),
    Step("archive", "Archive inactive employees?", lambda state, noted: state.saved or "archive" in noted),
    Step("emails", "Override emails?", lambda state, noted: state.saved or "emails" in noted),
    Step("schedule", "How often?", lambda state, noted: state.saved or "schedule" in noted),
    Step("check", "Check your answers", lambda state, noted: state.saved or "check" in noted),
    Step("import", "First import", lambda state, _: state.saved, _is_connected),
    Step(
        "automatic",
        "Automatic imports",
        lambda state, _: state.saved and state.integration.automatic != "off",
        lambda state: state.saved,
    ),
)
KEYS = tuple(step.key for step in STEPS)


def begin(visit: Visit) -> Response:
    """What the integration is called, and where its people come from."""
    return visit.page("setup_begin.html")


def create(visit: Visit) -> Response:
    """The first answer: a name."""
    name, title = visit.text("name"), visit.text("display_name")
    try:
        check_name(name)
        settings = set_values(
            Settings(), [f"source={visit.text('source')}", *([f"display_name={title}"] if title else [])]
        )
    except SettingsInvalid as error:
        visit.problems |= {problem.where: problem.message for problem in error.problems}
    except UsageError:
        visit.problems["name"] = "Use lower-case letters, digits and hyphens, at most 63; start with a letter or digit."
    if not visit.problems and _integration_exists(visit, name):
        visit.problems["name"] = "There is an integration of that name: choose another."
    if visit.problems:
        return visit.page("setup_begin.html")
    with visit.deciding("set_up", integration_id=name):
        SetupProgress(visit.services, name).clear()
        set_up(visit.services, name, settings=settings, actor=visit.actor)
    return visit.go(f"/i/{name}/setup/terms")


def _integration_exists(visit: Visit, name: str) -> bool:
    try:
        return bool(overview(visit.services, name))
    except UnknownName:
        return False


def tasks(visit: Visit) -> Response:
    """All steps, with what is done."""
    state, noted = overview(visit.services, visit.name), SetupProgress(visit.services, visit.name).answered()
    listed = [(step, step.done(state, noted), step.possible(state)) for step in STEPS]
    return visit.page("setup_tasks.html", place="setup", overview=state, steps=listed, next_step=_next_step(visit))


def _next_step(visit: Visit) -> str:
    """The first step that is not done."""
    state, noted = overview(visit.services, visit.name), SetupProgress(visit.services, visit.name).answered()
    return next((step.key for step in STEPS if not step.done(state, noted)), "done")


def show(visit: Visit) -> Response:
    """One step."""
    step = visit.route["step"]
    if step == "done":
        return visit.page("setup_done.html", place="setup", overview=overview(visit.services, visit.name))
    if step not in KEYS:
        raise UnknownName(f"The setup has no step {step[:40]!r}.")
    return _step_page(visit, step)


def _step_page(visit: Visit, step: str) -> Response:
    state = overview(visit.services, visit.name)
    if step == "connect" and not _is_connected(state) and state.integration.terms_accepted_at is None:
        return visit.go(f"/i/{visit.name}/setup/terms", "First the terms: nothing is read without your agreement.")
    values: dict[str, Any] = {"overview": state, "settings": state.settings, "step": step, "steps": KEYS}
    if step in _VALUES:
        values |= _VALUES[step](visit, state)
    return visit.page(f"setup_{step}.html", place="setup", **values)


def _connect_values(visit: Visit, state: Overview) -> dict[str, Any]:
    """Where to log in; each time with a state of its own, bound to this log-in."""
    address, why_not = "", ""
    if state.settings.source == "justworks" and not _is_connected(state):
        key = secrets.token_urlsafe(24)
        redirect_uri = f"{visit.console.access.origin}{CALLBACK}"
        try:
            address = consent_url(visit.services, visit.name, redirect_uri=redirect_uri, state=key)
            visit.session.consents[key] = visit.name
        except HrisError as error:
            why_not = str(error)
    refused = [refusal_words(visit.name, name) for name in refused_permissions(visit.services, visit.name)]
    return {"permissions": PERMISSIONS, "address": address, "why_not": why_not, "refused": refused}


@cache
def _offered_zones() -> tuple[str, ...]:
    """The time zones that are offered while one types."""
    return tuple(sorted(zone for zone in available_timezones() if zone.partition("/")[0] in REGIONS))


_VALUES: Mapping[str, Callable[[Visit, Overview], dict[str, Any]]] = {
    "terms": lambda *_: {"terms": TERMS},
    "connect": _connect_values,
    "schedule": lambda *_: {"quarters": QUARTERS, "weekdays": WEEKDAYS, "zones": _offered_zones()},
    "import": lambda visit, state: {"job": visit.console.jobs.latest(visit.name), "open_import": state.open_import},
}


def back_from_provider(visit: Visit) -> Response:
    """The browser comes back from the provider's log-in; the code in the address is used at once and gone."""
    name = visit.session.take_consent(visit.query.get("state", ""))
    if name is None:
        raise UsageError("This answer belongs to no log-in that you began here, or was used already: connect again.")
    if visit.query.get("error") or not visit.query.get("code"):
        word = re.sub(r"[^a-z_]", "", visit.query.get("error", ""))[:40] or "no code came back"
        raise ConnectionInvalid(f"Nobody agreed ({word}): connect again, and allow the access.")
    return _connect(visit, name, visit.query["code"])


def paste_token(visit: Visit) -> Response:
    """An aggregator's access token, pasted."""
    if not visit.text("access"):
        visit.problems["access"] = "Paste the access token that the aggregator's log-in gave."
        return _step_page(visit, "connect")
    return _connect(visit, visit.name, visit.text("access"))


def _connect(visit: Visit, name: str, code: str) -> Response:
    with visit.deciding("connect", integration_id=name):
        connect(visit.services, name, code, redirect_uri=f"{visit.console.access.origin}{CALLBACK}")
    return visit.go(f"/i/{name}/setup/connect")


def answer(visit: Visit) -> Response:
    """One answer: it is stored, and the next question asked."""
    step = visit.route["step"]
    if step not in _ANSWERS:
        raise UnknownName(f"The setup has no question {step[:40]!r}.")
    response = _ANSWERS[step](visit)
    if visit.problems:
        return _step_page(visit, step)
    return response or visit.go(f"/i/{visit.name}/setup/{_step_after_answer(visit, step)}")


def _step_after_answer(visit: Visit, step: str) -> str:
    """Where an answer leads: back to the list of answers when it was changed from there, else to the next step."""
    noted = SetupProgress(visit.services, visit.name).answered()
    if visit.text("back") == "check" or ("check" in noted and step in QUESTIONS):
        return "check"
    return KEYS[KEYS.index(step) + 1] if step != KEYS[-1] else "done"


def _accept_terms(visit: Visit) -> None:
    if visit.text("agree") != "yes":
        visit.problems["agree"] = "Nothing is read without your agreement."
        return
    with visit.deciding("accept_terms"):
        set_up(visit.services, visit.name, actor=visit.actor, accept=True)


def _store_nothing(_: Visit) -> None:
    """Answers a step that stores nothing."""


def _on_or_off(step: str, key: str) -> Callable[[Visit], None]:
    def store(visit: Visit) -> None:
        answer = visit.text(key)
        if answer not in ("on", "off"):
            visit.problems[key] = "Choose one of the two."
            return
        _store(visit, step, [f"{key}={answer}"])

    return store


def _store_schedule(visit: Visit) -> None:
    keys = ("frequency", "weekday", "day_of_month", "at", "time_zone")
    _store(visit, "schedule", [f"{key}={visit.text(key)}" for key in keys if visit.text(key)])


def _store(visit: Visit, step: str, assignments: list[str]) -> None:
    current = read_settings(visit.services, visit.name).settings
    try:
        new = set_values(current, assignments)
    except SettingsInvalid as error:
        visit.problems |= {problem.where: problem.message for problem in error.problems}
        return
    if new != current:
        with visit.deciding("change_settings"):
            change_settings(visit.services, visit.name, new, visit.actor)
    SetupProgress(visit.services, visit.name).note(step)


def _note_check(visit: Visit) -> None:
    SetupProgress(visit.services, visit.name).note("check")


def _start_first_import(visit: Visit) -> Response:
    if visit.text("now") == "skip":
        return visit.go(f"/i/{visit.name}", "Skipped. You can run a manual import from here whenever you like.")
    start_job(visit, "preview_import")
    return visit.go(f"/i/{visit.name}/progress")


def _switch_automatic(visit: Visit) -> Response | None:
    answer = visit.text("automatic")
    if answer not in ("start", "paused"):
        visit.problems["automatic"] = "Choose one of the two."
        return None
    switch = automation.resume if answer == "start" else automation.pause
    with visit.deciding("resume" if answer == "start" else "pause"):
        switch(visit.services, visit.name, visit.actor, "chosen in the setup")
    SetupProgress(visit.services, visit.name).clear()
    return visit.go(f"/i/{visit.name}/setup/done")


_ANSWERS: Mapping[str, Callable[[Visit], Response | None]] = {
    "terms": _accept_terms,
    "connect": _store_nothing,
    "archive": _on_or_off("archive", "archive_employees"),
    "emails": _on_or_off("emails", "override_emails"),
    "schedule": _store_schedule,
    "check": _note_check,
    "import": _start_first_import,
    "automatic": _switch_automatic,
}


PAGES = (
    Page("/setup", "set_up", begin),
    Page("/setup", "set_up", create, "POST"),
    Page("/i/{name}/setup", "set_up", tasks),
    Page("/i/{name}/setup/connect/token", "connect", paste_token, "POST"),
    Page("/i/{name}/setup/{step}", "set_up", show),
    Page("/i/{name}/setup/{step}", "set_up", answer, "POST"),
    Page(CALLBACK, "connect", back_from_provider),
)
