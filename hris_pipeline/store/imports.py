"""One import from plan to end: its one shape, staging it as the integration's open import, reading it, ending it.

Applying stands in ``applying``, what applied imports did to users in ``history``. What works on frames is imported
where it is needed: whoever only looks at imports loads no pandas.
"""

import secrets
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from hris_pipeline.change_set.guards import Guard
from hris_pipeline.contract import APPLIED_COUNTS, COUNTS, OPEN, ImportStatus, Trigger
from hris_pipeline.errors import UnknownName
from hris_pipeline.store.keyring import (
    APPROVAL_PARTS,
    IMPORT_PARTS,
    broken_parts,
    keyring_of,
    seal_record,
    tampered_error,
)
from hris_pipeline.store.seals import log_length
from hris_pipeline.store.stored_json import has_ended, read_count, read_diagnostics, read_guards
from hris_pipeline.store.tables import approvals, imports, integrations

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "APPROVAL_LASTS",
    "CLOCK_TOLERANCE",
    "OPEN_LASTS",
    "OUTDATED",
    "Import",
    "approval_lapses_at",
    "approve",
    "count_imports",
    "end_import",
    "end_tampered",
    "get_import",
    "imports_of",
    "in_this_life",
    "is_outdated",
    "latest_reading",
    "next_timestamp",
    "open_import",
    "record_failed",
    "stage_import",
    "tampered_parts",
    "update_statement",
]

APPROVAL_LASTS = timedelta(days=7)
OPEN_LASTS = timedelta(days=7)
"""How long an open import may be saved after a plan last came out the same."""

CLOCK_TOLERANCE = timedelta(hours=1)
"""What is stamped further ahead of now than this comes from a clock that was wrong, and counts as not there."""

OUTDATED = f"nobody saved it within {OPEN_LASTS.days} days"

_INTERNAL = ("rows_hash", "log_lines", "settings_digest", "applied_run_id", "confirmed_at", "replaces")
_NOT_IN_DOCUMENT = ("integration_id", "directory_id", *_INTERNAL)


@dataclass(frozen=True, kw_only=True)
class Import:
    """One import, in the one shape it has from plan to store to document; the fields are the columns of ``imports``.

    A plan is drafted as one without ``import_id`` (``planning``), which ``stage_import`` gives it; whoever reads an
    import anywhere gets this, with ``counts`` by their nine names (``contract.COUNTS``), ``guards`` typed, and
    ``diagnostics`` as EmployeeIds by reason: whoever is not applied, or warned about. Ids and counts only: nothing in
    it is a person's data.

    ``log_lines`` is how many decisions the log had when it was planned, so that none of them can be taken away unseen;
    ``settings_digest`` is of the settings that matter to the plan, None when none do (an undo); ``replaces`` is the
    open import whose place it took; ``life`` that of the integration it belongs to; ``confirmed_at`` when a plan last
    came out the same, None when none did since.
    """

    integration_id: str
    directory_id: str
    status: ImportStatus
    trigger: Trigger
    actor: str
    planned_at: datetime
    import_id: str = ""
    digest: str = ""
    rows_hash: str | None = None
    log_lines: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    guards: tuple[Guard, ...] = ()
    diagnostics: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    complete: bool = True
    extract_id: str | None = None
    settings_version: int | None = None
    settings_digest: str | None = None
    undoes: str | None = None
    replaces: str | None = None
    life: int = 1
    dagster_run_id: str | None = None
    confirmed_at: datetime | None = None
    applied_by: str | None = None
    applied_run_id: str | None = None
    message: str | None = None
    finished_at: datetime | None = None

    @classmethod
    def from_row(cls, row: sa.Row[Any]) -> "Import":
        """The import of a row of ``imports``."""
        columns = dict(row._mapping)
        columns["counts"] = {name: read_count(columns[name]) for name in COUNTS}
        columns["digest"] = columns["digest"] or ""
        columns["guards"] = read_guards(columns["guards"])
        columns["diagnostics"] = read_diagnostics(columns["diagnostics"])
        return cls(**{item.name: columns[item.name] for item in fields(cls)})

    @property
    def changes(self) -> int:
        """How many users it changes."""
        return sum(self.counts[name] for name in APPLIED_COUNTS)

    @property
    def tripped(self) -> tuple[Guard, ...]:
        """The guards that hold it."""
        return tuple(guard for guard in self.guards if guard.tripped)

    def digest_of(self, hashes: Iterable[str]) -> str:
        """The digest that it has when those are the hashes of its rows."""
        from hris_pipeline.change_set.directory import digest_of_hashes, undo_settings_digest  # noqa: PLC0415

        return digest_of_hashes(
            hashes,
            settings_digest=self.settings_digest or undo_settings_digest(str(self.undoes)),
            complete=self.complete,
            tripped=[guard.name for guard in self.tripped],
        )

    def document(self) -> dict[str, Any]:
        """As JSON values, with text for times."""
        names = [item.name for item in fields(self) if item.name not in _NOT_IN_DOCUMENT]
        document = {"integration": self.integration_id} | {name: getattr(self, name) for name in names}
        document |= {"counts": dict(self.counts), "guards": [asdict(guard) for guard in self.guards]}
        document["diagnostics"] = {reason: list(ids) for reason, ids in self.diagnostics.items()}
        for name in ("planned_at", "finished_at"):
            document[name] = document[name].isoformat() if document[name] else None
        return document


def stage_import(
    connection: sa.Connection, draft: Import, rows: "pd.DataFrame", hashes: "pd.Series | None" = None
) -> Import:
    """Makes a plan the integration's one open import, under the integration's lock; gives the import as it stands.
    ``hashes`` are the rows' ``row_hashes``, where the digest was made of them; the draft's ``planned_at`` is a
    ``next_timestamp``.

    The open import of the same digest stays itself, with its id, hold and approval, and takes over the draft's counts,
    guards, diagnostics and extract; any other is discarded, one that is outdated or was tampered with is stale. A
    planned import without rows is applied at once.
    """
    from hris_pipeline.store.frames import prove_rows, write_rows  # noqa: PLC0415

    planned_at, log_lines = draft.planned_at, log_length(connection, draft.integration_id)
    present = open_import(connection, draft.integration_id)
    if present is not None and is_outdated(present, planned_at):
        _end(connection, present, "stale", OUTDATED, planned_at)
        present = None
    if present is not None and (broken := tampered_parts(connection, present)):
        end_tampered(connection, present, broken, planned_at)
        present = None
    if present is not None and present.digest == draft.digest:
        return _confirm(connection, present, replace(draft, log_lines=log_lines))
    proof = prove_rows([rows], hashes)
    staged = replace(
        draft,
        import_id=_new_id(planned_at),
        counts=dict.fromkeys(COUNTS, 0) | dict(draft.counts),
        rows_hash=proof.rows_hash,
        log_lines=log_lines,
        replaces=present.import_id if present is not None else None,
    )
    if rows.empty and draft.status == "planned":
        staged = replace(staged, status="applied", finished_at=planned_at, applied_by=draft.actor)
    if present is not None:
        _end(connection, present, "discarded", f"superseded by {staged.import_id}", planned_at)
    _insert(connection, staged)
    write_rows(connection, staged.import_id, rows)
    return staged


def record_failed(connection: sa.Connection, draft: Import) -> Import:
    """Records a run that failed before it had a plan; an open import is left as it is."""
    failed_at = next_timestamp(connection, draft.directory_id, draft.planned_at)
    failed = replace(
        draft,
        import_id=_new_id(failed_at),
        status="failed",
        planned_at=failed_at,
        finished_at=failed_at,
        counts=dict.fromkeys(COUNTS, 0),
        log_lines=log_length(connection, draft.integration_id),
    )
    _insert(connection, failed)
    return failed


def approve(connection: sa.Connection, import_id: str, digest: str, by: str, reason: str, now: datetime) -> None:
    """Records that a person lets one held import through, in place of an earlier approval; it lapses after 7 days."""
    connection.execute(sa.delete(approvals).where(approvals.c.import_id == import_id))
    values = {"import_id": import_id, "digest": digest, "approved_by": by, "reason": reason}
    moments = {"approved_at": now, "lapses_at": now + APPROVAL_LASTS}
    seal = seal_record(keyring_of(connection), f"approval/{import_id}", values | moments, APPROVAL_PARTS)
    connection.execute(sa.insert(approvals), values | moments | {"seal": seal})


def approval_lapses_at(connection: sa.Connection, record: Import) -> datetime | None:
    """Until when an approval of exactly this change set is in force; None when nobody approved it.

    Raises:
        Tampered: the approval is not what a person gave.
    """
    select = sa.select(approvals).where(approvals.c.import_id == record.import_id, approvals.c.digest == record.digest)
    row = connection.execute(select).one_or_none()
    if row is None:
        return None
    key, keyring = f"approval/{record.import_id}", keyring_of(connection)
    if broken_parts(keyring, key, row._asdict(), APPROVAL_PARTS, row.seal):
        raise tampered_error(record.integration_id, record.import_id, APPROVAL_PARTS)
    lapses_at: datetime = row.lapses_at
    return lapses_at


def end_import(
    connection: sa.Connection, import_id: str, status: ImportStatus, message: str, now: datetime
) -> Import | None:
    """Ends an open import as discarded or stale; None when it is not open any more."""
    locked = sa.select(imports).where(imports.c.import_id == import_id, imports.c.status.in_(OPEN)).with_for_update()
    row = connection.execute(locked).one_or_none()
    return None if row is None else _end(connection, Import.from_row(row), status, message, now)


def tampered_parts(connection: sa.Connection, record: Import, *, rows: bool = True) -> tuple[str, ...]:
    """The parts of an import, its ``rows`` included unless that is off, that are not what this pipeline wrote."""
    seal = connection.execute(sa.select(imports.c.seal).where(imports.c.import_id == record.import_id)).scalar()
    columns, key = _columns_of_import(record), f"import/{record.import_id}"
    broken = broken_parts(keyring_of(connection), key, columns, IMPORT_PARTS, seal)
    if not broken and record.status in OPEN and has_ended(connection, record.integration_id, record.import_id):
        broken = ("its status, back to when it was open",)
    if record.rows_hash is None or not rows:
        return broken
    from hris_pipeline.store.frames import has_erased_rows, prove_staged_rows  # noqa: PLC0415

    proof = prove_staged_rows(connection, record.import_id)
    same = proof.rows_hash == record.rows_hash
    if same and record.digest_of(proof.hashes) != record.digest:
        same = has_erased_rows(connection, record.import_id)
    return broken if same else (*broken, "its rows")


def is_outdated(record: Import, now: datetime) -> bool:
    """Whether an open import is too old to be saved, or was planned much later than now, by a clock that was wrong."""
    age = now - (record.confirmed_at or record.planned_at)
    return age > OPEN_LASTS or age < -2 * CLOCK_TOLERANCE


def get_import(connection: sa.Connection, import_id: str) -> Import:
    """The import of that id.

    Raises:
        UnknownName: there is none.
    """
    row = connection.execute(sa.select(imports).where(imports.c.import_id == import_id)).one_or_none()
    if row is None:
        raise UnknownName(f"There is no import {import_id[:80]!r}: `hris history NAME` lists them.")
    return Import.from_row(row)


def imports_of(
    connection: sa.Connection,
    integration_id: str,
    statuses: Collection[str] | None = None,
    limit: int | None = None,
    offset: int = 0,
) -> tuple[Import, ...]:
    """The integration's imports, the newest first; all, or those in one of ``statuses``."""
    select = sa.select(imports).where(imports.c.integration_id == integration_id)
    if statuses is not None:
        select = select.where(imports.c.status.in_(statuses))
    newest_first = select.order_by(imports.c.planned_at.desc(), imports.c.import_id.desc()).limit(limit).offset(offset)
    return tuple(Import.from_row(row) for row in connection.execute(newest_first))


def count_imports(
    connection: sa.Connection, names: Collection[str], statuses: Collection[str] | None = None
) -> dict[str, int]:
    """By integration how many imports it has, of all or of those in one of ``statuses``; none where it has none."""
    select = sa.select(imports.c.integration_id, sa.func.count()).where(imports.c.integration_id.in_(names))
    if statuses is not None:
        select = select.where(imports.c.status.in_(statuses))
    rows = connection.execute(select.group_by(imports.c.integration_id))
    return {str(name): int(count) for name, count in rows}


def latest_reading(connection: sa.Connection, integration_id: str) -> Import | None:
    """The newest import that read the source; an undo reads nothing, although it names the extract it goes back to."""
    select = sa.select(imports).where(
        imports.c.integration_id == integration_id, imports.c.extract_id.is_not(None), imports.c.trigger != "undo"
    )
    row = connection.execute(select.order_by(imports.c.planned_at.desc(), imports.c.import_id.desc()).limit(1)).first()
    return Import.from_row(row) if row else None


def open_import(connection: sa.Connection, integration_id: str) -> Import | None:
    """The planned or held one, if any."""
    return next(iter(imports_of(connection, integration_id, OPEN)), None)


def in_this_life(integration_id: str) -> sa.ColumnElement[bool]:
    """The imports since the integration was last set up; those before are history only and count for nothing."""
    life = sa.select(integrations.c.life).where(integrations.c.integration_id == integration_id).scalar_subquery()
    return sa.and_(imports.c.integration_id == integration_id, imports.c.life == life)


def next_timestamp(connection: sa.Connection, directory_id: str, now: datetime) -> datetime:
    """``now``, or just after the directory's last finished import when that is later: in a history the order of times
    is the order of events, also when the clocks of machines differ a little. One made much later than now, by a clock
    that was wrong, counts as not there: or every later one would be of that year too."""
    last = connection.execute(
        sa.select(sa.func.max(imports.c.finished_at)).where(
            imports.c.directory_id == directory_id,
            imports.c.status == "applied",
            imports.c.finished_at <= now + CLOCK_TOLERANCE,
        )
    ).scalar()
    return now if last is None or now > last else last + timedelta(microseconds=1)


def update_statement(connection: sa.Connection, record: Import) -> sa.Update:
    """The statement that writes every column of a staged import, with its seal."""
    return sa.update(imports).where(imports.c.import_id == record.import_id).values(_seal_import(connection, record))


def _confirm(connection: sa.Connection, present: Import, draft: Import) -> Import:
    """The open import with today's counts, notes, observed figures and extract."""
    refreshed = replace(
        present,
        counts=dict.fromkeys(COUNTS, 0) | dict(draft.counts),
        guards=draft.guards,
        diagnostics=draft.diagnostics,
        extract_id=draft.extract_id,
        settings_version=draft.settings_version,
        confirmed_at=draft.planned_at,
        log_lines=draft.log_lines,
    )
    connection.execute(update_statement(connection, refreshed))
    return refreshed


def _end(connection: sa.Connection, present: Import, status: ImportStatus, message: str, now: datetime) -> Import:
    ended = replace(present, status=status, message=message, finished_at=now)
    connection.execute(update_statement(connection, ended))
    return ended


def end_tampered(connection: sa.Connection, present: Import, parts: Collection[str], now: datetime) -> None:
    """Ends an open import that was tampered with as stale, without sealing it anew: its broken seal stays the proof."""
    message = f"tampered with: {', '.join(parts)}"
    ended = sa.update(imports).where(imports.c.import_id == present.import_id, imports.c.status.in_(OPEN))
    connection.execute(ended.values(status="stale", message=message, finished_at=now))


def _insert(connection: sa.Connection, record: Import) -> None:
    connection.execute(sa.insert(imports), _seal_import(connection, record))


def _seal_import(connection: sa.Connection, record: Import) -> dict[str, Any]:
    columns = _columns_of_import(record)
    seal = seal_record(keyring_of(connection), f"import/{record.import_id}", columns, IMPORT_PARTS)
    return columns | {"seal": seal}


def _columns_of_import(record: Import) -> dict[str, Any]:
    """The import as the columns of ``imports``."""
    columns = {item.name: getattr(record, item.name) for item in fields(record) if item.name != "counts"}
    columns |= {"digest": record.digest or None, "guards": [asdict(guard) for guard in record.guards]}
    columns["diagnostics"] = {reason: list(ids) for reason, ids in record.diagnostics.items()}
    return columns | dict(record.counts)


def _new_id(now: datetime) -> str:
    """Short enough to type, in the order of time."""
    return f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"
