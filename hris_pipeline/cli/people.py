"""Single people: why they are as they are, how they were, and what a person decides about them."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from hris_pipeline.cli.breakdown import reason_words
from hris_pipeline.cli.common import (
    EmployeeId,
    IntegrationArgument,
    Reveal,
    actor,
    open_services,
    read_bytes,
    write_private,
)
from hris_pipeline.cli.printing import CommandResult, cell, mask, moment, table
from hris_pipeline.errors import UsageError
from hris_pipeline.operations import users
from hris_pipeline.operations.explanation import Explanation, FieldExplanation, user_as_of
from hris_pipeline.operations.explanation import explain as explain_person
from hris_pipeline.operations.users import user_file_frame
from hris_pipeline.store.settings_versions import current_settings
from hris_pipeline.transform.user_file import user_file_csv

__all__ = ["erase", "explain", "load", "protect", "unprotect", "user", "user_file"]


def explain(
    name: IntegrationArgument,
    employee_id: EmployeeId,
    field: Annotated[str | None, typer.Argument(help="One field; metadata as #Name.")] = None,
    reveal: Reveal = False,
) -> CommandResult:
    """From each stored value back through the import that wrote it, the mapping in force and the normalised value to
    the member's field in the latest extract; and what an import would do with the person now, and why. Values are
    masked unless `--reveal` is given.
    """
    with open_services() as services:
        found = explain_person(services, name, employee_id, field)
    if not reveal:
        found = replace(found, fields=tuple(_masked(one) for one in found.fields))
    told = {**vars(found), "fields": [_told(one) for one in found.fields]}
    return CommandResult(told, [*_headline(found), "", _stories(found)])


def _masked(story: FieldExplanation) -> FieldExplanation:
    member = {key: _masked_value(value) for key, value in story.member.items()}
    return replace(story, stored=mask(story.stored), normalised=mask(story.normalised), member=member)


def _masked_value(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _masked_value(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_masked_value(inner) for inner in value]
    return value if value is None or isinstance(value, bool) else mask(str(value))


def _told(story: FieldExplanation) -> dict[str, Any]:
    return {**vars(story), "written_by": vars(story.written_by) if story.written_by else None}


def _headline(found: Explanation) -> list[Any]:
    who = f"user {found.user_id}, {found.status}" if found.user_id else "no user"
    lines = [cell(f"{found.employee_id}: {who}; hris_id {found.hris_id or 'none'}", "bold")]
    if found.extract_id is None:
        return [*lines, cell("No extract is kept, so nothing can be said of the source.")]
    return [
        *lines,
        *(cell(f"An import of extract {found.extract_id} now: {reason_words(one)}") for one in found.outcome),
    ]


def _stories(found: Explanation) -> Any:
    def origin(story: FieldExplanation) -> str:
        by = story.written_by
        return f"{by.action}, {by.import_id}, settings {by.settings_version}" if by else "–"

    lines = [
        (
            one.field,
            one.stored if one.stored is not None else "–",
            origin(one),
            one.source or "–",
            one.normalised if one.normalised is not None else "–",
            ", ".join(one.member) or "–",
        )
        for one in found.fields
    ]
    return table(("field", "stored", "written by", "fed from", "employee has", "member's fields"), lines)


def user(
    name: IntegrationArgument,
    employee_id: EmployeeId,
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="A date (its end, in the integration's zone), or a date and time.")
    ] = None,
) -> CommandResult:
    """The user as imports had left them at that moment; today by default."""
    with open_services() as services:
        with services.store.read() as connection:
            zone = ZoneInfo(current_settings(connection, name).settings.time_zone)
        at = _moment_asked(as_of, zone) if as_of else services.now()
        state = user_as_of(services, name, employee_id, at)
    told = {"integration": name, "employee_id": employee_id, "as_of": at, "user": state}
    if state is None:
        return CommandResult(told, [cell(f"On {moment(at)} no import had made {employee_id} yet.")])
    lines = [(key, value) for key, value in state.items() if key not in ("metadata", "email_key")]
    lines += [(f"#{key}", value) for key, value in (state.get("metadata") or {}).items()]
    return CommandResult(told, [table(("field", f"on {moment(at)}"), lines)])


def _moment_asked(given: str, zone: ZoneInfo) -> datetime:
    try:
        if len(given) <= len("2026-01-31"):
            return datetime.combine(date.fromisoformat(given) + timedelta(days=1), time(), zone).astimezone(UTC)
        found = datetime.fromisoformat(given)
    except ValueError:
        raise UsageError(f"{given[:40]!r} is no date: give it as 2026-01-31 or 2026-01-31T15:00.") from None
    return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)


def user_file(
    name: IntegrationArgument,
    output: Annotated[
        str, typer.Option("--output", "-o", help="The CSV file; - is standard output.", show_default=False)
    ],
) -> CommandResult:
    """The active users as the open import would leave them (as stored, when there is none), in the columns of the user
    file; hidden metadata is left out. The file is readable by you alone.
    """
    with open_services() as services:
        frame = user_file_frame(services, name)
    content = user_file_csv(frame)
    if output == "-":
        return CommandResult({"integration": name, "users": len(frame)}, [content.decode("utf-8-sig")])
    target = write_private(output, content)
    told = {"integration": name, "users": len(frame), "file": str(target)}
    return CommandResult(told, [cell(f"{len(frame)} users are in {target}.")])


def load(
    name: IntegrationArgument,
    file: Annotated[
        str, typer.Argument(help="A CSV with the user file's headers; - is standard input.", show_default=False)
    ],
) -> CommandResult:
    """Makes or changes local users of the integration's directory by EmployeeId; managed users are left alone. All of
    the file, or nothing.
    """
    content = read_bytes(file)
    with open_services() as services:
        loaded = users.load_users(services, name, content)
    told = {word: len(ids) for word, ids in vars(loaded).items()}
    return CommandResult({"integration": name, **told}, [table(("local users", ">"), list(told.items()))])


def protect(name: IntegrationArgument, employee_id: EmployeeId) -> CommandResult:
    """Imports never archive a protected user, nor give them another email or EmployeeId."""
    return _protected(name, employee_id, protected=True)


def unprotect(name: IntegrationArgument, employee_id: EmployeeId) -> CommandResult:
    """Imports treat the user like any other again."""
    return _protected(name, employee_id, protected=False)


def _protected(name: str, employee_id: str, *, protected: bool) -> CommandResult:
    with open_services() as services:
        users.protect(services, name, employee_id, protected=protected)
    told = {"integration": name, "employee_id": employee_id, "protected": protected}
    return CommandResult(told, [cell(f"{employee_id} is {'protected' if protected else 'no longer protected'}.")])


def erase(
    name: IntegrationArgument,
    employee_id: EmployeeId,
    confirm: Annotated[str, typer.Option(help="The EmployeeId again.", show_default=False)],
) -> CommandResult:
    """From the user, the whole history, quarantine and conflicts, and with them the kept extracts and frames of the
    integration. Ids stay, so that no import makes the person anew. It cannot be taken back; and as long as the source
    lists the person, the next extract holds them again.
    """
    if confirm != employee_id:
        raise UsageError(f"To erase {employee_id[:80]}, give the EmployeeId again: --confirm {employee_id[:80]}.")
    from hris_pipeline.cli.dagster_side import frames_remover  # noqa: PLC0415 - frames are Dagster's to know

    with open_services() as services:
        users.erase(services, name, employee_id, actor(), remove_frames=frames_remover(services.environment))
    return CommandResult(
        {"integration": name, "employee_id": employee_id, "erased": True}, [cell(f"{employee_id} is erased.")]
    )
