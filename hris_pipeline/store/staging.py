"""Writing an import before it is applied: staging a plan as the one open import, recording a failure, discarding."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

import pandas as pd
import sqlalchemy as sa

from hris_pipeline.contract import OPEN, ROW_COLUMNS, Trigger
from hris_pipeline.store.bulk import write_frame
from hris_pipeline.store.tables import import_rows, imports

__all__ = [
    "NewImport",
    "Staged",
    "discard",
    "next_timestamp",
    "record_failed",
    "stage_import",
]


@dataclass(frozen=True, kw_only=True)
class NewImport:
    """What a plan knows of its import. ``counts`` holds any of the nine (0 when left out); ``guards`` and
    ``diagnostics`` are stored as JSON; ``settings_digest`` is of the settings that matter to the plan, None when none
    do (an undo)."""

    integration_id: str
    directory_id: str
    status: Literal["planned", "held"]
    trigger: Trigger
    digest: str
    counts: Mapping[str, int]
    actor: str
    planned_at: datetime
    settings_version: int | None = None
    settings_digest: str | None = None
    extract_id: str | None = None
    complete: bool = True
    undoes: str | None = None
    guards: Sequence[Any] = field(default=())
    diagnostics: Mapping[str, Any] = field(default_factory=dict)
    dagster_run_id: str | None = None


@dataclass(frozen=True)
class Staged:
    """What became of a plan: ``kept`` means that the open import was this very plan and stays as it is."""

    import_id: str
    status: str
    kept: bool


def stage_import(connection: sa.Connection, new: NewImport, rows: pd.DataFrame) -> Staged:
    """Makes a plan the integration's one open import (rule 6), under the integration's lock.

    The open import stays, with its hold and approval, when the digest is the same; any other is discarded.
    A planned import without rows is recorded as applied at once.
    """
    open_one = connection.execute(
        sa.select(imports.c.import_id, imports.c.status, imports.c.digest).where(_open(new.integration_id))
    ).one_or_none()
    if open_one is not None and open_one.digest == new.digest:
        return Staged(open_one.import_id, open_one.status, kept=True)
    planned_at = next_timestamp(connection, new.directory_id, new.planned_at)
    import_id = _new_id(planned_at)
    if open_one is not None:
        _end(connection, open_one.import_id, "discarded", f"superseded by {import_id}", planned_at)
    done = rows.empty and new.status == "planned"
    values = vars(new) | {
        "import_id": import_id,
        "status": "applied" if done else new.status,
        "planned_at": planned_at,
        "finished_at": planned_at if done else None,
        "applied_by": new.actor if done else None,
        "guards": list(new.guards),
        "diagnostics": dict(new.diagnostics),
        **new.counts,
    }
    del values["counts"]
    connection.execute(sa.insert(imports), values)
    write_frame(connection, import_rows, rows[list(ROW_COLUMNS)].assign(import_id=_repeated(import_id, rows)))
    return Staged(import_id, str(values["status"]), kept=False)


def record_failed(
    connection: sa.Connection,
    *,
    integration_id: str,
    directory_id: str,
    trigger: Trigger,
    actor: str,
    message: str,
    now: datetime,
    run_id: str | None = None,
    extract_id: str | None = None,
    settings_version: int | None = None,
) -> str:
    """Records a run that failed before it had a plan; gives the import's id. An open import is left as it is."""
    failed_at = next_timestamp(connection, directory_id, now)
    import_id = _new_id(failed_at)
    connection.execute(
        sa.insert(imports),
        {
            "import_id": import_id,
            "integration_id": integration_id,
            "directory_id": directory_id,
            "status": "failed",
            "trigger": trigger,
            "actor": actor,
            "message": message,
            "dagster_run_id": run_id,
            "extract_id": extract_id,
            "settings_version": settings_version,
            "guards": [],
            "diagnostics": {},
            "planned_at": failed_at,
            "finished_at": failed_at,
        },
    )
    return import_id


def discard(connection: sa.Connection, import_id: str, message: str, now: datetime) -> bool:
    """Discards an open import; False when it is not open any more."""
    return _end(connection, import_id, "discarded", message, now)


def next_timestamp(connection: sa.Connection, directory_id: str, now: datetime) -> datetime:
    """``now``, or just after the directory's last finished import when that is later: in a history the order of times
    is the order of events, whatever the clocks of the machines say."""
    last = connection.execute(
        sa.select(sa.func.max(imports.c.finished_at)).where(
            imports.c.directory_id == directory_id, imports.c.status == "applied"
        )
    ).scalar()
    return now if last is None or now > last else last + timedelta(microseconds=1)


def _open(integration_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(imports.c.integration_id == integration_id, imports.c.status.in_(OPEN))


def _end(connection: sa.Connection, import_id: str, status: str, message: str, now: datetime) -> bool:
    ended = connection.execute(
        sa.update(imports)
        .where(imports.c.import_id == import_id, imports.c.status.in_(OPEN))
        .values(status=status, message=message, finished_at=now)
    )
    return ended.rowcount == 1


def _new_id(now: datetime) -> str:
    """Short enough to type, in the order of time."""
    return f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"


def _repeated(value: str, rows: pd.DataFrame) -> pd.Series:
    return pd.Series(value, index=rows.index, dtype=rows["user_id"].dtype)
