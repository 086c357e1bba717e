"""People: why they are as they are, how they were, what a person decides about them, and what the data is for:
milestones, and who reports to whom."""

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import PurePath
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from hris_pipeline.cli.common import (
    EmployeeId,
    IntegrationArgument,
    Reveal,
    actor,
    deciding,
    open_services,
    read_bytes,
    write_private,
)
from hris_pipeline.cli.printing import CommandResult, cell, moment, table
from hris_pipeline.errors import UsageError
from hris_pipeline.operations import users
from hris_pipeline.operations.explanation import Explanation, FieldExplanation, user_as_of
from hris_pipeline.operations.explanation import explain as explain_person
from hris_pipeline.operations.overview import read_import
from hris_pipeline.operations.review_files import reason_words
from hris_pipeline.operations.review_rows import mask, mask_value
from hris_pipeline.operations.services import Services
from hris_pipeline.operations.users import user_file_as_of, user_file_frame
from hris_pipeline.settings.text import plural
from hris_pipeline.store.integrations import current_settings
from hris_pipeline.store.review import is_hidden, visible_metadata
from hris_pipeline.transform.columns import to_records
from hris_pipeline.transform.user_file import USER_FILES, user_file_csv

__all__ = ["erase", "explain", "load", "milestones", "protect", "reporting", "unprotect", "user", "user_file"]

IMPORT_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{8}")
"""What tells an import from a date."""


def explain(
    name: IntegrationArgument,
    employee_id: EmployeeId,
    field: Annotated[str | None, typer.Argument(help="One field; metadata as #Name.")] = None,
    reveal: Reveal = False,
) -> CommandResult:
    """From each stored value back through the import that wrote it, the mapping in force and the normalised value to
    the member's field in the latest extract; and what an import would do with the person now, and why. Values are
    masked unless `--reveal` is given, and hidden metadata is left out.
    """
    with open_services() as services:
        explanation = explain_person(services, name, employee_id, field)
        if not reveal:
            with services.store.read() as connection:
                visible = visible_metadata(connection, name, None, services.now())
            fields = (field for field in explanation.fields if not is_hidden(field.field, visible))
            explanation = replace(explanation, fields=tuple(_mask_field(field) for field in fields))
    payload = {
        **vars(explanation),
        "fields": [_field_document(field) for field in explanation.fields],
    }
    return CommandResult(payload, [*_explanation_headline(explanation), "", *_fields_table(explanation)])


def _mask_field(story: FieldExplanation) -> FieldExplanation:
    member = {key: _masked_value(value) for key, value in story.member.items()}
    return replace(story, stored=mask(story.stored), normalised=mask(story.normalised), member=member)


def _masked_value(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _masked_value(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_masked_value(inner) for inner in value]
    return value if value is None or isinstance(value, bool) else mask(str(value))


def _field_document(story: FieldExplanation) -> dict[str, Any]:
    return {**vars(story), "written_by": vars(story.written_by) if story.written_by else None}


def _explanation_headline(explanation: Explanation) -> list[Any]:
    user = f"user {explanation.user_id}, {explanation.status}" if explanation.user_id else "no user"
    lines = [cell(f"{explanation.employee_id}: {user}; hris_id {explanation.hris_id or 'none'}", "bold")]
    if explanation.others:
        commands = "; ".join(f"hris explain {explanation.integration} {hris_id}" for hris_id in explanation.others)
        carriers = plural(1 + len(explanation.others), "person", "people")
        lines.append(
            cell(f"{carriers} of that extract carry {explanation.employee_id}. The others: {commands}", "yellow")
        )
    if explanation.extract_id is None:
        return [*lines, cell("No extract is kept, so nothing can be said of the source.")]
    return [
        *lines,
        *(
            cell(f"An import of extract {explanation.extract_id} now: {reason_words(reason)}")
            for reason in explanation.outcome
        ),
    ]


def _fields_table(explanation: Explanation) -> list[Any]:
    """The fields, and below them the imports that wrote them, each on a line of its own so that its id stays whole."""
    writers = list(dict.fromkeys(field.written_by for field in explanation.fields if field.written_by))

    def origin(story: FieldExplanation) -> str:
        by = story.written_by
        return f"{by.action} ({writers.index(by) + 1})" if by else "–"

    lines = [
        (
            field.field,
            field.stored if field.stored is not None else "–",
            origin(field),
            field.source or "–",
            field.normalised if field.normalised is not None else "–",
            ", ".join(field.member) or "–",
        )
        for field in explanation.fields
    ]
    grid = table(("field", "stored", "written by", "fed from", "employee has", "member's fields"), lines)
    numbered = [
        cell(f"({number}) import {by.import_id}, settings {by.settings_version}")
        for number, by in enumerate(writers, 1)
    ]
    return [grid, *(["", *numbered] if numbered else [])]


def user(
    name: IntegrationArgument,
    employee_id: EmployeeId,
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of",
            help="A date (its end, in the integration's zone), a date and time, or an import: right after it.",
        ),
    ] = None,
    reveal: Reveal = False,
) -> CommandResult:
    """The user as imports had left them at that moment; today by default. Values are masked unless `--reveal` is given,
    and hidden metadata is left out.
    """
    with open_services() as services:
        with services.store.read() as connection:
            zone = current_settings(connection, name).settings.time_zone
        asked, at = _as_of_asked(services, as_of, ZoneInfo(zone))
        state = user_as_of(services, name, employee_id, asked)
        if state is not None and not reveal:
            with services.store.read() as connection:
                state = _masked_state(state, visible_metadata(connection, name, None, services.now()))
    payload = {"integration": name, "employee_id": employee_id, "as_of": at, "user": state}
    if state is None:
        return CommandResult(payload, [cell(f"On {moment(at, zone)} no import had made {employee_id} yet.")])
    lines = [(key, value) for key, value in state.items() if key not in ("metadata", "email_key")]
    lines += [(f"#{key}", value) for key, value in (state.get("metadata") or {}).items()]
    return CommandResult(payload, [table(("field", f"on {moment(at, zone)}"), lines)])


def _masked_state(state: Mapping[str, Any], visible: Collection[str]) -> dict[str, Any]:
    """What may be seen of a user without being asked for: ids and states, everything else masked."""
    masked = {key: mask_value(key, value) for key, value in state.items() if key != "metadata"}
    metadata = {key: mask(value) for key, value in (state.get("metadata") or {}).items() if key in visible}
    return masked | {"metadata": metadata}


def _as_of_asked(services: Services, as_of: str | None, zone: ZoneInfo) -> tuple[datetime | str, datetime]:
    """As of what, an import or a moment, and the moment that is told."""
    if as_of and IMPORT_ID.fullmatch(as_of):
        record = read_import(services, as_of)
        return record.import_id, record.finished_at or record.planned_at
    at = _moment_asked(as_of, zone, services.now()) if as_of else services.now()
    return at, at


def _moment_asked(text: str, zone: ZoneInfo, now: datetime) -> datetime:
    """The moment, or the end of the day, that was typed; the end of today is now."""
    try:
        if len(text) <= len("2026-01-31"):
            day = date.fromisoformat(text)
            end = datetime.combine(day + timedelta(days=1), time(), zone).astimezone(UTC)
            asked = min(end, now) if day == now.astimezone(zone).date() else end
        else:
            typed = datetime.fromisoformat(text)
            asked = (typed if typed.tzinfo else typed.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(f"{text[:40]!r} is no date: give it as 2026-01-31 or 2026-01-31T15:00.") from None
    if asked > now:
        raise UsageError(f"{text[:40]} is still to come in {zone.key}: give a moment that has passed.")
    return asked


def user_file(
    name: IntegrationArgument,
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            help="A file that ends in .csv, .xlsx or .parquet; - is CSV on standard output.",
            show_default=False,
        ),
    ],
    as_of: Annotated[
        str | None, typer.Option("--as-of", metavar="IMPORT_ID", help="The users as they were right after that import.")
    ] = None,
) -> CommandResult:
    """The active users as the open import would leave them (as stored, when there is none), in the columns of the user
    file; hidden metadata is left out. The file is readable by you alone.
    """
    ending = PurePath(output).suffix.lower() if output != "-" else ".csv"
    if ending not in USER_FILES:
        raise UsageError(f"A user file ends in {', '.join(USER_FILES)}: give -o FILE so, or -o - for standard output.")
    with open_services() as services:
        frame = user_file_as_of(services, name, as_of) if as_of else user_file_frame(services, name)
    if output == "-":
        text = user_file_csv(frame).decode("utf-8-sig")
        return CommandResult({"integration": name, "users": len(frame)}, [cell(line) for line in text.splitlines()])
    target = write_private(output, USER_FILES[ending](frame))
    payload = {"integration": name, "users": len(frame), "file": str(target)}
    return CommandResult(payload, [cell(f"{plural(len(frame), 'user')}: {target}")])


def load(
    name: IntegrationArgument,
    file: Annotated[
        str,
        typer.Argument(
            help="CSV, XLSX or Parquet with the user file's headers; - is standard input.", show_default=False
        ),
    ],
) -> CommandResult:
    """Makes or changes local users of the integration's directory by EmployeeId; managed users are left alone. All of
    the file, or nothing.
    """
    content = read_bytes(file)
    with open_services() as services, deciding(services, name, "load_users"):
        loaded = users.load_users(services, name, content)
    counts = {word: len(ids) for word, ids in vars(loaded).items() if word != "lookalikes"}
    payload: dict[str, Any] = {"integration": name, **counts, "lookalikes": list(loaded.lookalikes)}
    renderables: list[Any] = [table(("local users", ">"), list(counts.items()))]
    if loaded.lookalikes:
        renderables.append(
            cell(
                f"Warning: these EmployeeIds differ by leading zeros alone: {', '.join(loaded.lookalikes[:20])}. "
                "Where a spreadsheet dropped them, format the column as text and load the file again.",
                "yellow",
            )
        )
    return CommandResult(payload, renderables)


def protect(name: IntegrationArgument, employee_id: EmployeeId) -> CommandResult:
    """Imports never archive a protected user, nor give them another email or EmployeeId."""
    return _set_protection(name, employee_id, protected=True)


def unprotect(name: IntegrationArgument, employee_id: EmployeeId) -> CommandResult:
    """Imports treat the user like any other again."""
    return _set_protection(name, employee_id, protected=False)


def _set_protection(name: str, employee_id: str, *, protected: bool) -> CommandResult:
    action = "protect" if protected else "unprotect"
    with open_services() as services, deciding(services, name, action, employee_id):
        users.protect(services, name, employee_id, protected=protected)
    payload = {"integration": name, "employee_id": employee_id, "protected": protected}
    return CommandResult(payload, [cell(f"{employee_id} is {'protected' if protected else 'no longer protected'}.")])


def erase(
    name: IntegrationArgument,
    employee_id: EmployeeId,
    confirm: Annotated[str, typer.Option(help="The EmployeeId again.", show_default=False)],
) -> CommandResult:
    """From the user, the whole history, quarantine and conflicts, and with them the kept extracts and frames of the
    integration. A user's ids stay, so that no import makes the person anew; whoever never was a user has none that
    could stay. It cannot be taken back; and as long as the source lists the person, the next extract holds them again,
    and may make a user of somebody who was none.
    """
    if confirm != employee_id:
        raise UsageError(f"To erase {employee_id[:80]}, give the EmployeeId again: --confirm {employee_id[:80]}.")
    from hris_pipeline.cli.jobs import frames_remover  # noqa: PLC0415 - frames are Dagster's to know

    with open_services() as services, deciding(services, name, "erase"):
        users.erase(services, name, employee_id, actor(), remove_frames=frames_remover(services.environment))
    return CommandResult(
        {"integration": name, "employee_id": employee_id, "erased": True}, [cell(f"{employee_id} is erased.")]
    )


def milestones(name: IntegrationArgument) -> CommandResult:
    """Service anniversaries, onboarding days 30, 60 and 90, and birthdays of the active users, by date."""
    with open_services() as services:
        records = to_records(users.milestones(services, name))
    lines = [(record["date"], record["employee_id"], record["milestone"], record["years_or_day"]) for record in records]
    grid = table(("date", "EmployeeId", "milestone", ">years or day"), lines)
    return CommandResult(
        {"integration": name, "milestones": records}, [grid if lines else cell("None in the next 90 days.")]
    )


def reporting(name: IntegrationArgument) -> CommandResult:
    """The chain of supervisors of each active user with the associated ones, and headcounts by department, location and
    role. Who supervises themselves, perhaps through others, is marked.
    """
    with open_services() as services:
        lines_frame, counts_frame = users.reporting(services, name)
    lines, counts = to_records(lines_frame), to_records(counts_frame)
    people = [
        (
            record["employee_id"],
            " → ".join(record["chain"]),
            ", ".join(record["approvers"] or ()),
            "cycle" if record["in_cycle"] else "",
        )
        for record in lines
    ]
    payload = {"integration": name, "reporting_lines": lines, "headcount": counts}
    chains = table(("EmployeeId", "reports to", "associated", ""), people)
    heads = table(
        ("by", "", ">people"),
        [(record["dimension"], record["value"] or "–", record["active_count"]) for record in counts],
    )
    return CommandResult(payload, [chains, "", heads])
