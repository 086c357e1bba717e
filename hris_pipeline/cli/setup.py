"""The guided setup: every step can be taken again, so quitting and starting again continues where it stopped."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import available_timezones

import typer
from rich.text import Text

from hris_pipeline.cli.breakdown import breakdown
from hris_pipeline.cli.common import (
    IntegrationArgument,
    actor,
    at_terminal,
    deciding,
    forget_typed,
    open_services,
    read_text,
    require_environment,
)
from hris_pipeline.cli.connection import CALLBACK, Code, RedirectUri, ask_consent, read_code
from hris_pipeline.cli.printing import CommandResult, cell, error_line, status, table
from hris_pipeline.contract import is_made_up
from hris_pipeline.errors import ImportHeld, SettingsInvalid, UnknownName, UsageError
from hris_pipeline.operations import automation
from hris_pipeline.operations.connection import (
    PERMISSIONS,
    QUESTIONS,
    TERMS,
    SetupProgress,
    connect,
    consent_url,
    new_state,
    refusal_words,
    refused_permissions,
)
from hris_pipeline.operations.decisions import open_import
from hris_pipeline.operations.review import Review, review
from hris_pipeline.operations.services import Services
from hris_pipeline.operations.settings import change_settings, set_up
from hris_pipeline.settings.document import Settings
from hris_pipeline.settings.loading import load_settings, set_values
from hris_pipeline.store.automation import Automation, read_automations
from hris_pipeline.store.imports import Import
from hris_pipeline.store.integrations import (
    Integration,
    check_name,
    current_settings,
    get_integration,
    list_integrations,
)

__all__ = ["setup"]


def _zone_name(answer: str) -> str:
    """The time zone's name as the time zone database spells it."""
    by_folded = {name.casefold(): name for name in available_timezones()}
    return by_folded.get(answer.replace(" ", "_").casefold(), answer)


READ_ANSWER: dict[str, Callable[[str], str]] = {
    "frequency": str.lower,
    "weekday": str.lower,
    "at": lambda answer: answer.zfill(len("04:00")),
    "time_zone": _zone_name,
}
"""How what a person types is spelled in the settings document, which is exact."""

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class _Wizard:
    """One guided setup: the integration, and how far it is."""

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
            return read_automations(connection, self.name)[0]

    @property
    def settings(self) -> Settings:
        with self.services.store.read() as connection:
            return current_settings(connection, self.name).settings

    @property
    def progress(self) -> SetupProgress:
        """Which questions were answered, here or in the console."""
        return SetupProgress(self.services, self.name)


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
    document = load_settings(read_text(settings)) if settings is not None else None
    asked = at_terminal() and not (accept_terms or settings or code)
    with open_services(create=True) as services:
        _check_environment(services, name, document)
        wizard = _Wizard(services, name, redirect_uri)
        if asked:
            held = _run_wizard(wizard)
            return _setup_result(wizard, ImportHeld.exit_code if held else 0)
        return _set_up_unattended(wizard, document, code, accept=accept_terms)


setup.__doc__ = f"{setup.__doc__}\n" + "\n".join(f"    - {term}" for term in TERMS)


def _check_environment(services: Services, name: str, document: Settings | None) -> None:
    """What would fail later fails before anything is written."""
    check_name(name)
    try:
        with services.store.read() as connection:
            source = (document or current_settings(connection, name).settings).source
    except UnknownName:
        source = "justworks"
    require_environment(services, source, name)


def made_up_notes(services: Services, name: str) -> list[Text]:
    """What keeps a made-up company from being mistaken for one's own: whether this one is, and which others are."""
    environment = services.environment
    host = urlsplit(environment.api_url).hostname
    notes = []
    if host in LOOPBACK:
        notes.append(f"Mind: JUSTWORKS_API_URL is {environment.api_url}, a sandbox, so everybody in {name} is made up.")
    with services.store.read() as connection:
        others = [
            integration.integration_id
            for integration in list_integrations(connection)
            if is_made_up(integration.display_name) and integration.integration_id != name
        ]
    notes += [
        f"Mind: {environment.home} also holds {other}, a made-up company, in a directory of its own. To remove it: "
        f"hris delete {other} --confirm {other}; to keep apart for good: another HRIS_HOME."
        for other in others
    ]
    return [cell(note, "yellow") for note in notes]


def _set_up_unattended(wizard: _Wizard, document: Settings | None, code: str | None, *, accept: bool) -> CommandResult:
    if not accept and not _has_accepted_terms(wizard):
        raise UsageError(
            f"Setting up {wizard.name} needs your agreement to the terms: read them with `hris setup --help`, then add "
            "--accept-terms."
        )
    with deciding(wizard.services, wizard.name, "accept_terms" if accept else "set_up"):
        set_up(wizard.services, wizard.name, settings=document, actor=actor(), accept=accept)
    if code is not None:
        authorization_code = read_code(wizard.services, wizard.name, code)
        with deciding(wizard.services, wizard.name, "connect"):
            connect(wizard.services, wizard.name, authorization_code, redirect_uri=wizard.redirect_uri)
    return _setup_result(wizard, 0)


def _has_accepted_terms(wizard: _Wizard) -> bool:
    try:
        return wizard.integration.terms_accepted_at is not None
    except UnknownName:
        return False


def _run_wizard(wizard: _Wizard) -> bool:
    """Asks what is not answered yet; gives whether it ended at a held import."""
    status(cell(f"Setting up {wizard.name}. Ctrl-C quits; starting again continues where you stopped.", "bold"), "")
    status(*made_up_notes(wizard.services, wizard.name))
    _ask_terms(wizard)
    _connect_company(wizard)
    for question, ask in zip(QUESTIONS, (_ask_archive, _ask_emails, _ask_schedule), strict=True):
        if question not in wizard.progress.answered() and not wizard.automation.saved:
            ask(wizard)
            wizard.progress.note(question)
    summary = _first_import(wizard)
    if summary == "saved":
        _ask_automatic(wizard)
        wizard.progress.clear()
    return summary == "held"


def _ask_terms(wizard: _Wizard) -> None:
    if _has_accepted_terms(wizard):
        return
    status(cell("Terms and privacy", "bold"), *(cell(f"  • {term}") for term in TERMS), "")
    typer.confirm("Do you agree?", abort=True, err=True)
    if not _integration_exists(wizard):
        wizard.progress.clear()
    with deciding(wizard.services, wizard.name, "accept_terms"):
        set_up(wizard.services, wizard.name, actor=actor(), accept=True)


def _integration_exists(wizard: _Wizard) -> bool:
    try:
        return bool(wizard.integration)
    except UnknownName:
        return False


def _connect_company(wizard: _Wizard) -> None:
    if wizard.integration.connection == "connected":
        return
    status(
        "",
        cell("Permissions that Justworks will ask about", "bold"),
        table(("permission", "used for"), PERMISSIONS.items()),
        "",
    )
    code = ask_consent(wizard.services, wizard.name, wizard.redirect_uri)
    with deciding(wizard.services, wizard.name, "connect"):
        company = connect(wizard.services, wizard.name, code, redirect_uri=wizard.redirect_uri)
    refused = refused_permissions(wizard.services, wizard.name)
    notes = (cell(refusal_words(wizard.name, permission), "yellow") for permission in refused)
    status(cell(f"Connected to {company.display_name}.", "bold green"), *notes, "")


def _ask_archive(wizard: _Wizard) -> None:
    status("When somebody leaves, their user can be archived. Users are never deleted.")
    _store(
        wizard,
        archive_employees=typer.confirm("Archive inactive employees?", wizard.settings.archive_employees, err=True),
    )


def _ask_emails(wizard: _Wizard) -> None:
    status("", "People may have entered another email in their profile.")
    _store(
        wizard,
        override_emails=typer.confirm(
            "Override it with the one in Justworks?", wizard.settings.override_emails, err=True
        ),
    )


def _ask_schedule(wizard: _Wizard) -> None:
    status("", "How often are automatic imports to run, and when?")
    _ask(wizard, "frequency", "Frequency (daily, weekly, monthly)")
    frequency = wizard.settings.frequency
    if frequency == "weekly":
        _ask(wizard, "weekday", "Day of the week (monday to sunday)")
    if frequency == "monthly":
        _ask(wizard, "day_of_month", "Day of the month (past its end: its last day)")
    _ask(wizard, "at", "Time (a quarter hour, as 04:00)")
    _ask(wizard, "time_zone", "Time zone (as Europe/Berlin)")


def _ask(wizard: _Wizard, key: str, question: str) -> None:
    """Asks for one setting until the answer is one."""
    while True:
        answer = READ_ANSWER.get(key, str)(typer.prompt(question, default=str(getattr(wizard.settings, key)), err=True))
        try:
            changed = set_values(wizard.settings, [f"{key}={answer}"])
        except SettingsInvalid as error:
            error_line(str(error))
            continue
        _change(wizard, changed)
        return


def _store(wizard: _Wizard, **answers: Any) -> None:
    _change(wizard, wizard.settings.model_copy(update=answers))


def _change(wizard: _Wizard, settings: Settings) -> None:
    if settings != wizard.settings:
        with deciding(wizard.services, wizard.name, "change_settings"):
            change_settings(wizard.services, wizard.name, settings, actor())


def _first_import(wizard: _Wizard) -> str:
    """``saved``, ``held`` or ``skipped``."""
    if wizard.automation.saved:
        return "saved"
    record = open_import(wizard.services, wizard.name)
    if record is None:
        status("", "A manual import shows what it would do before anything is applied.")
        if not typer.confirm("Run a manual import now?", default=True, err=True):
            status(f"Skipped. Later: hris setup {wizard.name}")
            return "skipped"
        from hris_pipeline.cli.jobs import run_preview  # noqa: PLC0415 - Dagster is only loaded to run

        record = run_preview(wizard.services, wizard.name)
    status("", *breakdown(_review(wizard, record), wizard.settings.time_zone, previewed=True), "")
    if record.status == "held":
        return "held"
    forget_typed()
    if not typer.confirm("Save import? Enter alone saves nothing.", default=False, err=True):
        status(f"Nothing is applied. Later: hris setup {wizard.name}")
        return "skipped"
    from hris_pipeline.cli.jobs import run_save  # noqa: PLC0415 - Dagster is only loaded to run

    saved = run_save(wizard.services, wizard.name, record.import_id)
    status("", *breakdown(_review(wizard, saved), wizard.settings.time_zone), "")
    return "saved"


def _review(wizard: _Wizard, record: Import) -> Review:
    return review(wizard.services, record.import_id, page_size=1)


def _ask_automatic(wizard: _Wizard) -> None:
    if wizard.automation.automatic != "off":
        return
    start = typer.confirm("Start automatic imports? Otherwise they are kept paused.", default=True, err=True)
    switch = automation.resume if start else automation.pause
    with deciding(wizard.services, wizard.name, "resume" if start else "pause"):
        switch(wizard.services, wizard.name, actor(), "chosen in the setup")


def _setup_result(wizard: _Wizard, exit_code: int) -> CommandResult:
    integration, state = wizard.integration, wizard.automation
    payload: dict[str, Any] = {
        "integration": wizard.name,
        "terms_accepted_by": integration.terms_accepted_by,
        "connection": integration.connection,
        "saved": state.saved,
        "automatic": integration.automatic,
    }
    if integration.connection != "connected":
        step = f"hris connect {wizard.name}"
        if state.settings.source == "justworks":
            payload["consent_url"] = consent_url(
                wizard.services,
                wizard.name,
                redirect_uri=wizard.redirect_uri,
                state=new_state(wizard.services, wizard.name),
            )
    elif not state.saved:
        step = f"hris preview {wizard.name}"
    elif integration.automatic != "running":
        step = f"hris resume {wizard.name} --reason WHY"
    else:
        step = "hris integrations"
    payload["next"] = step
    notes = made_up_notes(wizard.services, wizard.name)
    if notes:
        payload["notes"] = [note.plain for note in notes]
    line = f"{wizard.name}: connection {integration.connection}, automatic imports {integration.automatic}."
    return CommandResult(payload, [cell(line, "bold"), *notes, cell(f"Next: {step}", "bold")], exit_code)
