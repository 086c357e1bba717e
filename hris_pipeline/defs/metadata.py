"""What a run says about people in Dagster: counts, ids, column names, and which column comes from which. Never a value
of anybody's."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import dagster as dg
import pandas as pd

from hris_pipeline.environment import Environment
from hris_pipeline.settings.document import Settings
from hris_pipeline.settings.fields import EMPLOYEE_COLUMNS, USER_FIELDS
from hris_pipeline.settings.mapping import column_lineage, effective_metadata
from hris_pipeline.sources.extract import MEMBER_FIELDS
from hris_pipeline.sources.protocol import Manifest
from hris_pipeline.store.imports import Import
from hris_pipeline.transform.validate import CheckCount, employees_schema

__all__ = [
    "MOST_IDS",
    "MOST_LINES",
    "MOST_NAMES",
    "console_link",
    "counted_table",
    "employees_lineage",
    "employees_table_schema",
    "extract_metadata",
    "failed_rows_table",
    "fields_read",
    "frame_metadata",
    "import_markdown",
    "import_metadata",
    "join_ids",
    "lines_table",
    "mapped_users_lineage",
    "mapped_users_table_schema",
    "member_table_schema",
    "plain_table_schema",
    "settings_metadata",
    "shorten",
]

MOST_IDS = 1000
"""So many ids are told at most in one place; the store has them all."""

MOST_NAMES = 50
"""So many integrations a tick names at most; `hris integrations` tells of all."""

MOST_LINES = 25
"""So many reporting lines are shown at most."""

_EXTRA_FIELDS = {
    "hris_id": "The source's own id; the link to the store.",
    "justworks_id": "Justworks EmployeeId.",
    "active": "Whether the source calls the person active.",
    "termination_date": "Last day worked; none where it belongs to an earlier spell.",
    "starts_on": "The earliest start known.",
    "present_start": "The latest start that has come; none where that spell is over and another is to come.",
    "next_start": "The first start that is still to come.",
    "rehired_on": "The latest re-hire that has come.",
    "may_have_left": "Whether what could not be read of a start or an end leaves open if the person works.",
    "exclusion": "Why the person is left out: rule:<name> or service_account.",
    "archive_existing": "Whether that rule archives an existing user.",
    "leaver_only": "Quarantined: only the ids and the employment are to be believed.",
    "unread": "Columns that the source sent and nobody could read; they change nothing.",
}


def join_ids(values: Sequence[str]) -> str:
    """Ids in one line, cut when there are very many."""
    more = len(values) - MOST_IDS
    return ", ".join(values[:MOST_IDS]) + (f" and {more} more" if more > 0 else "")


def shorten(items: Sequence[str], separator: str = ", ") -> str:
    """Names in one line, the first of very many: what a tick says is kept as long as the tick."""
    more = len(items) - MOST_NAMES
    return separator.join(items[:MOST_NAMES]) + (f"{separator}and {more} more" if more > 0 else "")


def type_name(dtype: object) -> str:
    """A column's type in a word."""
    return str(dtype.pyarrow_dtype).partition("[")[0] if isinstance(dtype, pd.ArrowDtype) else str(dtype)


def failed_rows_table(counts: Iterable[CheckCount]) -> dg.TableMetadataValue:
    """Failed checks by field: how many rows, and whose."""
    return dg.MetadataValue.table(
        [
            dg.TableRecord(
                {
                    "field": check.field,
                    "check": check.check,
                    "rows": check.count,
                    "EmployeeIds": join_ids(check.employee_ids),
                }
            )
            for check in counts
        ],
        schema=dg.TableSchema(
            [
                dg.TableColumn("field", "string"),
                dg.TableColumn("check", "string"),
                dg.TableColumn("rows", "int"),
                dg.TableColumn("EmployeeIds", "string"),
            ]
        ),
    )


def extract_metadata(manifest: Manifest, now: datetime) -> dict[str, Any]:
    """Which extract, how complete, how old."""
    as_of = manifest.company.data_as_of or manifest.finished_at
    return {
        "extract_id": manifest.extract_id,
        "extract_complete": manifest.complete,
        "extracted_at": dg.MetadataValue.timestamp(manifest.finished_at),
        "extract_age_hours": round((now - as_of).total_seconds() / 3600, 1),
    }


def settings_metadata(version: int, digest: str) -> dict[str, Any]:
    """Which settings were in force."""
    return {"settings_version": version, "settings_digest": digest}


def import_metadata(summary: Import, environment: Environment) -> dict[str, Any]:
    """What an import is and what it would do or did."""
    held = {"held_by": ", ".join(guard.name for guard in summary.tripped)} if summary.tripped else {}
    return {
        "import_id": summary.import_id,
        "digest": summary.digest,
        "status": summary.status,
        "trigger": summary.trigger,
        "actor": summary.actor,
        **dict(summary.counts),
        **held,
        "summary": dg.MetadataValue.md(import_markdown(summary)),
        "settings_version": summary.settings_version or 0,
        "extract_id": summary.extract_id or "",
        **console_link(summary, environment),
    }


def console_link(summary: Import, environment: Environment) -> dict[str, dg.MetadataValue[Any]]:
    """The console's page of the import, where people review and decide; nothing when nobody said where the console
    is."""
    if not environment.access.console_url:
        return {}
    page = f"{environment.access.console_url}/i/{summary.integration_id}/imports/{summary.import_id}"
    return {"review": dg.MetadataValue.url(page)}


def import_markdown(summary: Import) -> str:
    """The breakdown as a Markdown table, the guards that tripped, and who is not applied and why."""
    lines = ["| | people |", "|---|---|", *(f"| {name} | {number} |" for name, number in summary.counts.items())]
    if summary.tripped:
        lines += ["", "Held:", ""]
        lines += [
            f"- **{guard.name}**: {_escape_markdown(guard.observed)}, limit {guard.limit}" for guard in summary.tripped
        ]
    if summary.diagnostics:
        lines += ["", "| not applied, or warned about | people | EmployeeIds |", "|---|---|---|"]
        lines += [
            f"| {_escape_markdown(reason)} | {len(who)} | {_first_ids(who)} |"
            for reason, who in summary.diagnostics.items()
        ]
    return "\n".join(lines)


def _first_ids(who: Sequence[str]) -> str:
    return ", ".join(map(_code_span, who[:FIRST_IDS])) + (" …" if len(who) > FIRST_IDS else "")


def _code_span(name: str) -> str:
    """An id as code; as escaped text where it could end the code or the cell."""
    return f"`{name}`" if _HARMLESS.fullmatch(name) else _escape_markdown(name)


def _escape_markdown(text: str) -> str:
    """Text of a source or an administrator, escaped so that Markdown reads no markup in it."""
    return _MARKUP.sub(r"\\\1", "".join(letter for letter in text if letter.isprintable()))


FIRST_IDS = 10
"""So many ids of a list are shown."""

_HARMLESS = re.compile(r"[\w.@ -]+")

_MARKUP = re.compile(r"([\\`*_{}\[\]<>()#!|~&:.@])")
"""Also what makes an address a link."""


def frame_metadata(rows: pd.DataFrame) -> dict[str, Any]:
    """How many rows, which columns."""
    return {"dagster/row_count": len(rows), "dagster/column_schema": plain_table_schema(rows)}


def counted_table(counts: pd.DataFrame) -> dg.TableMetadataValue:
    """A frame of counts, cut when it is very long."""
    head = counts.head(MOST_IDS).astype(object)
    lines = head.where(head.notna(), None).to_dict("records")
    records = [dg.TableRecord({str(name): value for name, value in line.items()}) for line in lines]
    return dg.MetadataValue.table(records, schema=plain_table_schema(counts))


def lines_table(lines: pd.DataFrame) -> dg.TableMetadataValue:
    """The first reporting lines, ids only: who, the supervisors from the first upwards, the associated ones."""
    head = lines.head(MOST_LINES)
    columns = (head[name] for name in ("employee_id", "chain", "approvers", "in_cycle"))
    return dg.MetadataValue.table(
        [
            dg.TableRecord(
                {
                    "EmployeeId": employee_id,
                    "reports to": " → ".join(chain),
                    "associated": ", ".join(approvers),
                    "in a cycle": bool(in_cycle),
                }
            )
            for employee_id, chain, approvers, in_cycle in zip(*columns, strict=True)
        ],
        schema=dg.TableSchema(
            [
                dg.TableColumn("EmployeeId", "string"),
                dg.TableColumn("reports to", "string"),
                dg.TableColumn("associated", "string"),
                dg.TableColumn("in a cycle", "bool"),
            ]
        ),
    )


def member_table_schema(fields: Iterable[str]) -> dg.TableSchema:
    """A member's fields, as far as they are read."""
    return dg.TableSchema([dg.TableColumn(name, "json") for name in fields])


def employees_table_schema() -> dg.TableSchema:
    """The columns of ``employees`` with their types, meaning and checks, from the schema that validates them."""
    return dg.TableSchema(
        [
            dg.TableColumn(
                name,
                type_name(column.dtype.type),
                column.description,
                dg.TableColumnConstraints(nullable=column.nullable, other=[str(check.name) for check in column.checks]),
            )
            for name, column in employees_schema().columns.items()
        ]
    )


def mapped_users_table_schema(users: pd.DataFrame, settings: Settings) -> dg.TableSchema:
    """The columns of ``mapped_users`` with types and meaning; hidden metadata is not shown."""
    metadata = effective_metadata(settings)
    hidden = {entry.name.column for entry in metadata if entry.type == "hidden"}
    meanings = _EXTRA_FIELDS | {field.name: field.title for field in USER_FIELDS}
    meanings |= {entry.name.column: f"Metadata, {entry.type}." for entry in metadata}
    return plain_table_schema(users.drop(columns=[name for name in users if name in hidden]), meanings)


def plain_table_schema(frame: pd.DataFrame, meanings: Mapping[str, str] | None = None) -> dg.TableSchema:
    """A frame's columns with their types and, where known, their meaning."""
    descriptions = meanings or {}
    return dg.TableSchema(
        [
            dg.TableColumn(str(name), type_name(dtype), descriptions.get(str(name)))
            for name, dtype in frame.dtypes.items()
        ]
    )


_MEMBERS = dg.AssetKey("justworks_members")

_EMPLOYEES = dg.AssetKey("employees")


def fields_read(source: str) -> tuple[str, ...]:
    """Every field of a member that is read, each once, in order of name."""
    return tuple(sorted({field for fields in MEMBER_FIELDS[source].values() for field in fields}))


def employees_lineage(source: str) -> dg.TableColumnLineage:
    """Employee column → the member's fields."""
    fields = MEMBER_FIELDS[source]
    return _column_lineage(_MEMBERS, {column: fields[column] for column in EMPLOYEE_COLUMNS if column in fields})


def mapped_users_lineage(settings: Settings) -> dg.TableColumnLineage:
    """User field, or ``#Name`` of metadata that is not hidden → the employee columns, from the mapping in force."""
    return _column_lineage(_EMPLOYEES, column_lineage(settings))


def _column_lineage(upstream: dg.AssetKey, columns: Mapping[str, tuple[str, ...]]) -> dg.TableColumnLineage:
    return dg.TableColumnLineage(
        {
            column: [dg.TableColumnDep(asset_key=upstream, column_name=source) for source in sources]
            for column, sources in columns.items()
        }
    )
