"""The guided setup: every step can be taken again, so quitting and starting again continues where it stopped."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from hris_pipeline.cli.breakdown import breakdown
from hris_pipeline.cli.common import IntegrationArgument, actor, at_terminal, open_services, read_text
from hris_pipeline.cli.connection import Code, RedirectUri
from hris_pipeline.cli.consent import CALLBACK, ask_consent, code_in
from hris_pipeline.cli.printing import CommandResult, cell, error_line, status, table
from hris_pipeline.errors import ImportHeld, SettingsInvalid, UnknownName, UsageError
from hris_pipeline.operations import automation
from hris_pipeline.operations.connection import connect, consent_url
from hris_pipeline.operations.decisions import open_import
from hris_pipeline.operations.services import Services
from hris_pipeline.operations.settings import change_settings, set_up
from hris_pipeline.operations.terms import PERMISSIONS, TERMS
from hris_pipeline.settings.document import Settings
from hris_pipeline.settings.loading import load_settings, set_values
from hris_pipeline.store.automation import Automation, automations
from hris_pipeline.store.integrations import Integration, check_name, get_integration
from hris_pipeline.store.keyring import load_keyring
from hris_pipeline.store.settings_versions import current_settings

__all__ = ["setup"]


@dataclass(frozen=True)
class _Setup:
    """One guided setup: the integration and where its answered questions are noted."""

    services: Services
    name: str
    redirect_uri: str

    @property
    def integration(self) -> Integration:
        with self.services.store.read() as connection:
            return get_integration(connection, self.name)

    @property
    def automation(self) -> Automation:
        with self.services.store.read() as connection:
            return automations(connection, self.name)[0]

    @property
    def settings(self) -> Settings:
        with self.services.store.read() as connection:
            return current_settings(connection, self.name).settings

    @property
    def _notes(self) -> Path:
        return self.services.environment.home / "setup" / f"{self.name}.json"

    def answered(self) -> list[str]:
        """The questions that were answered: an answer that is the default leaves no other trace."""
        try:
            noted = json.loads(self._notes.read_text())
        except (OSError, ValueError):
            return []
        return [str(question) for question in noted] if isinstance(noted, list) else []

    def note(self, question: str) -> None:
        """Remembers that the question was answered."""
        self._notes.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._notes.write_text(json.dumps([*self.answered(), question]))

    def forget_notes(self) -> None:
        """Forgets what was answered: of an earlier integration of that name, or because all is done."""
        self._notes.unlink(missing_ok=True)


def setup(
    name: IntegrationArgument,
    accept_terms: Annotated[bool, typer.Option("--accept-terms", help="Agree to the terms above.")] = False,
    settings: Annotated[str | None, typer.Option(metavar="FILE", help="A YAML document; - is standard input.")] = None,
    code: Code = None,
    redirect_uri: RedirectUri = CALLBACK,
) -> CommandResult:
    """On a terminal it asks, step by step: the terms, the permissions, the connection, a few settings, a first import,
    automatic imports. With any of its options, or without a terminal, it asks nothing and does what the options say:
    it imports nothing, and starts nothing unless the settings say so.

    The terms:
    """
    wanted = load_settings(read_text(settings)) if settings is not None else None
    asked = at_terminal() and not (accept_terms or settings or code)
    with open_services(create=True) as services:
        _check_environment(services, name, wanted)
        here = _Setup(services, name, redirect_uri)
        if asked:
            held = _guided(here)
            return _answer(here, ImportHeld.exit_code if held else 0)
        return _unattended(here, wanted, code, accept=accept_terms)


setup.__doc__ = f"{setup.__doc__}\n" + "\n".join(f"    - {term}" for term in TERMS)


def _check_environment(services: Services, name: str, wanted: Settings | None) -> None:
    """What would fail later fails before anything is written."""
    check_name(name)
    load_keyring(services.environment)
    try:
        with services.store.read() as connection:
            source = (wanted or current_settings(connection, name).settings).source
    except UnknownName:
        source = "justworks"
    if source == "justworks":
        services.oauth(name).close()


def _unattended(here: _Setup, wanted: Settings | None, code: str | None, *, accept: bool) -> CommandResult:
    if not accept and not _accepted(here):
        raise UsageError(
            f"Setting up {here.name} needs your agreement to the terms: read them with `hris setup --help`, then add "
            "--accept-terms."
        )
    set_up(here.services, here.name, settings=wanted, actor=actor(), accept=accept)
    if code is not None:
        connect(here.services, here.name, code_in(code), redirect_uri=here.redirect_uri)
    return _answer(here, 0)


def _accepted(here: _Setup) -> bool:
    try:
        return here.integration.terms_accepted_at is not None
    except UnknownName:
        return False


def _guided(here: _Setup) -> bool:
    """Asks what is not answered yet; gives whether it ended at a held import."""
    status(cell(f"Setting up {here.name}. Ctrl-C quits; starting again continues where you stopped.", "bold"), "")
    _terms(here)
    _connection(here)
    questions: dict[str, Callable[[_Setup], None]] = {"archive": _archive, "emails": _emails, "schedule": _schedule}
    for question, ask in questions.items():
        if question not in here.answered() and not here.automation.saved:
            ask(here)
            here.note(question)
    summary = _first_import(here)
    if summary == "saved":
        _automatic(here)
        here.forget_notes()
    return summary == "held"


def _terms(here: _Setup) -> None:
    if _accepted(here):
        return
    status(cell("Terms and privacy", "bold"), *(cell(f"  • {term}") for term in TERMS), "")
    typer.confirm("Do you agree?", abort=True, err=True)
    if not _exists(here):
        here.forget_notes()
    set_up(here.services, here.name, actor=actor(), accept=True)


def _exists(here: _Setup) -> bool:
    try:
        return bool(here.integration)
    except UnknownName:
        return False


def _connection(here: _Setup) -> None:
    if here.integration.connection == "connected":
        return
    status(
        "",
        cell("Permissions that Justworks will ask about", "bold"),
        table(("permission", "used for"), PERMISSIONS.items()),
        "",
    )
    code = ask_consent(here.services, here.name, here.redirect_uri)
    company = connect(here.services, here.name, code, redirect_uri=here.redirect_uri)
    status(cell(f"Connected to {company.display_name}.", "bold green"), "")


def _archive(here: _Setup) -> None:
    status("When somebody leaves, their user can be archived. Users are never deleted.")
    _store(
        here, archive_employees=typer.confirm("Archive inactive employees?", here.settings.archive_employees, err=True)
    )


def _emails(here: _Setup) -> None:
    status("", "People may have entered another email in their profile.")
    _store(
        here,
        override_emails=typer.confirm(
            "Override it with the one in Justworks?", here.settings.override_emails, err=True
        ),
    )


def _schedule(here: _Setup) -> None:
    status("", "How often are automatic imports to run, and when?")
    _ask(here, "frequency", "Frequency (daily, weekly, monthly)")
    frequency = here.settings.frequency
    if frequency == "weekly":
        _ask(here, "weekday", "Day of the week")
    if frequency == "monthly":
        _ask(here, "day_of_month", "Day of the month (past its end: its last day)")
    _ask(here, "at", "Time (a quarter hour, as 04:00)")
    _ask(here, "time_zone", "Time zone (as Europe/Berlin)")


def _ask(here: _Setup, key: str, question: str) -> None:
    """Asks for one setting until the answer is one."""
    while True:
        given = typer.prompt(question, default=str(getattr(here.settings, key)), err=True)
        try:
            changed = set_values(here.settings, [f"{key}={given}"])
        except SettingsInvalid as error:
            error_line(str(error))
            continue
        change_settings(here.services, here.name, changed, actor())
        return


def _store(here: _Setup, **answers: Any) -> None:
    change_settings(here.services, here.name, here.settings.model_copy(update=answers), actor())


def _first_import(here: _Setup) -> str:
    """``saved``, ``held`` or ``skipped``."""
    if here.automation.saved:
        return "saved"
    found = open_import(here.services, here.name)
    if found is None:
        status("", "A manual import shows what it would do before anything is applied.")
        if not typer.confirm("Run a manual import now?", default=True, err=True):
            status(f"Skipped. Later: hris setup {here.name}")
            return "skipped"
        from hris_pipeline.cli.jobs import run_preview  # noqa: PLC0415 - Dagster is only loaded to run

        found = run_preview(here.services, here.name)
    status("", *breakdown(found), "")
    if found.status == "held":
        return "held"
    if not typer.confirm("Save import?", default=True, err=True):
        status(f"Nothing is applied. Later: hris setup {here.name}")
        return "skipped"
    from hris_pipeline.cli.jobs import run_save  # noqa: PLC0415 - Dagster is only loaded to run

    saved = run_save(here.services, here.name, found.import_id)
    status("", *breakdown(saved), "")
    return "saved"


def _automatic(here: _Setup) -> None:
    if here.automation.automatic != "off":
        return
    start = typer.confirm("Start automatic imports? Otherwise they are kept paused.", default=True, err=True)
    (automation.resume if start else automation.pause)(here.services, here.name, actor(), "chosen in the setup")


def _answer(here: _Setup, exit_code: int) -> CommandResult:
    integration, state = here.integration, here.automation
    told: dict[str, Any] = {
        "integration": here.name,
        "terms_accepted_by": integration.terms_accepted_by,
        "connection": integration.connection,
        "saved": state.saved,
        "automatic": integration.automatic,
    }
    if integration.connection != "connected":
        step = f"hris connect {here.name}"
        if state.settings.source == "justworks":
            told["consent_url"] = consent_url(here.services, here.name, redirect_uri=here.redirect_uri, state="setup")
    elif not state.saved:
        step = f"hris preview {here.name}"
    elif integration.automatic != "running":
        step = f"hris resume {here.name} --reason WHY"
    else:
        step = "hris integrations"
    told["next"] = step
    line = f"{here.name}: connection {integration.connection}, automatic imports {integration.automatic}."
    return CommandResult(told, [cell(line, "bold"), cell(f"Next: {step}", "bold")], exit_code)
