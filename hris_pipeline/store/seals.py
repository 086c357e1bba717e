"""Seals (MACs) by which a change behind the pipeline's back is noticed, over everything that decides and is neither an
import nor a user: settings, what an integration is, whether its automatic imports run, whom ``do_not_archive`` follows,
its tokens, the resolutions of conflicts, the log of decisions. What is followed and the log stand here too, because one
seal is over all lines of each.

A seal stands in the row that it is over, or in the integration's row; the table ``PARTS`` says which columns it covers.
Whoever writes a part seals it, whoever relies on it proves it first. ``kept_users`` is a table of its own, because the
settings name ids and a user's id can change; an id that nobody had when it was set follows the first user who gets it.
Light: whoever changes settings loads no frames. Seals of imports, approvals and users are ``keyring``'s.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from hris_pipeline.errors import Tampered
from hris_pipeline.store.conditions import in_values
from hris_pipeline.store.keyring import Keyring, keyring_of, sealed_message
from hris_pipeline.store.stored_json import read_count
from hris_pipeline.store.tables import (
    conflicts,
    connections,
    decision_logs,
    decisions,
    imports,
    integration_settings,
    integrations,
    kept_users,
    users,
)

__all__ = [
    "AUTOMATIC",
    "CONNECTION",
    "DECISION",
    "DECISION_LOG",
    "INTEGRATION",
    "KEPT",
    "PARTS",
    "RESOLUTION",
    "SETTINGS",
    "SealedPart",
    "adding_to_log",
    "broken_decisions",
    "followed_users",
    "is_all_broken",
    "is_intact",
    "log_length",
    "prove",
    "read_kept",
    "read_log",
    "record_kept_users",
    "reseal",
    "seal_of",
    "seal_parts",
    "seal_rows",
    "version_taken_away",
]


Columns = Mapping[str, Any] | sa.RowMapping
"""A row, by column."""


@dataclass(frozen=True)
class SealedPart:
    """What one seal is over: ``columns`` of a row of ``table``, and its ``keys``, so that no sealed row can be put in
    the place of another; the seal stands in ``column``. Only rows that meet ``where`` have one. ``what`` and ``remedy``
    are for messages."""

    name: str
    table: sa.Table
    keys: tuple[str, ...]
    columns: tuple[str, ...]
    what: str
    remedy: str
    column: str = "seal"
    where: sa.ColumnElement[bool] = field(default_factory=sa.true)


SETTINGS = SealedPart(
    "settings",
    integration_settings,
    ("integration_id", "version"),
    ("created_at", "actor", "digest"),
    "version {version} of the settings",
    "`hris settings apply {integration_id} FILE` stores them anew",
)
"""The digest is of the document, and computed again wherever it is read."""

INTEGRATION = SealedPart(
    "integration",
    integrations,
    ("integration_id",),
    ("directory_id", "source", "life", "created_at", "deleted_at", "terms_accepted_at", "terms_accepted_by"),
    "which directory, source and life it has",
    "restore the table integrations from a backup, or `hris delete {integration_id}` and set it up again",
)

AUTOMATIC = SealedPart(
    "automatic",
    integrations,
    ("integration_id",),
    ("life", "automatic", "automatic_by", "automatic_at", "automatic_reason"),
    "whether automatic imports run",
    "`hris pause {integration_id} --reason WHY` or `hris resume {integration_id} --reason WHY` decides it anew",
    "automatic_seal",
)

KEPT = SealedPart(
    "kept",
    integrations,
    ("integration_id",),
    ("followed",),
    "whom do_not_archive follows",
    "`hris settings set {integration_id} 'do_not_archive=[]'`, then name them again",
    "kept_seal",
)
"""Over all lines of ``kept_users`` of the integration together, so that none can be taken away (``read_kept``)."""

CONNECTION = SealedPart(
    "connection",
    connections,
    ("integration_id",),
    ("access_token", "refresh_token", "scopes", "expires_at", "refresh_expires_at"),
    "its tokens",
    "`hris connect {integration_id}`",
)

RESOLUTION = SealedPart(
    "resolution",
    conflicts,
    ("conflict_id",),
    ("integration_id", "hris_id", "user_id", "kind", "resolution", "may_restore", "resolved_by", "resolved_at"),
    "what was decided of conflict {conflict_id}",
    "`hris resolve {conflict_id}` decides it anew",
    where=conflicts.c.status == "resolved",
)

DECISION = SealedPart(
    "decision",
    decisions,
    ("integration_id", "number"),
    ("decided_at", "action", "subject", "name", "identity", "method", "outcome", "address", "reason"),
    "decision {number} of the log",
    "look for it in the database's own log of statements",
)

DECISION_LOG = SealedPart(
    "decision_log",
    decision_logs,
    ("integration_id",),
    ("lines", "of"),
    "the log of decisions (its end is gone, a line is there twice, or says what it said before)",
    "look for it in the database's own log of statements",
)
"""Over all decisions of an integration together, by number and seal, so that none can be taken away, repeated, or put
back to what it said before. Sealed anew after those themselves."""

MOST_NAMED = 20
"""So many decisions that are gone are named, not more."""

PARTS = (SETTINGS, INTEGRATION, AUTOMATIC, KEPT, CONNECTION, RESOLUTION, DECISION, DECISION_LOG)


def seal_of(keyring: Keyring, part: SealedPart, row: Columns) -> str:
    """The seal of a row."""
    return keyring.seal(_build_message(part, row))


def is_intact(keyring: Keyring, part: SealedPart, row: Columns) -> bool:
    """Whether the row, its seal among its columns, is what was sealed."""
    return keyring.is_seal(row[part.column] or "", _build_message(part, row))


def prove(connection: sa.Connection, part: SealedPart, row: Columns) -> None:
    """Refuses a row that is not what was sealed.

    Raises:
        Tampered: it is not.
    """
    if not is_intact(keyring_of(connection), part, row):
        raise Tampered(
            f"{row['integration_id']}: {part.what.format(**row)} is not what was stored: changed behind the pipeline's "
            "back, or HRIS_SECRET_KEY lacks the key that it was sealed with. Nothing was done. Next: "
            f"{part.remedy.format(**row)}; `hris verify {row['integration_id']}` names everything that was changed."
        )


def seal_rows(connection: sa.Connection, part: SealedPart, *where: sa.ColumnElement[bool]) -> int:
    """Seals the rows just as they stand; gives how many."""
    keyring = keyring_of(connection)
    rows = list(_read(connection, part, *where))
    _write(connection, part, [(row, seal_of(keyring, part, row)) for row in rows])
    return len(rows)


def seal_parts(connection: sa.Connection, integration_id: str, *parts: SealedPart) -> None:
    """Seals these parts of an integration just as they stand."""
    for part in parts:
        seal_rows(connection, part, part.table.c.integration_id == integration_id)


def reseal(connection: sa.Connection, part: SealedPart) -> tuple[int, int]:
    """Seals every intact row with the first key; gives how many, and how many are not intact and were left alone."""
    keyring = keyring_of(connection)
    rows = list(_read(connection, part))
    intact = [row for row in rows if is_intact(keyring, part, row)]
    _write(connection, part, [(row, seal_of(keyring, part, row)) for row in intact])
    return len(intact), len(rows) - len(intact)


def broken_decisions(connection: sa.Connection, integration_id: str) -> tuple[str, ...]:
    """The sealed parts of an integration, but for settings, that are not what was decided; in words."""
    keyring = keyring_of(connection)
    parts = [part for part in PARTS if part not in (SETTINGS, DECISION_LOG)]
    broken = tuple(
        part.what.format(**row)
        for part in parts
        for row in _read(connection, part, part.table.c.integration_id == integration_id)
        if not is_intact(keyring, part, row)
    )
    log = read_log(connection, integration_id)
    numbers = {number for number, _ in log["of"]}
    missing = tuple(islice((number for number in range(1, log["length"] + 1) if number not in numbers), MOST_NAMED))
    broken += tuple(f"{DECISION.what.format(number=number)} (gone)" for number in missing)
    is_named = missing or any(DECISION.what.format(number=number) in broken for number in numbers)
    is_whole = is_intact(keyring, DECISION_LOG, log) if log["seal"] or numbers else not log["length"]
    return broken if is_named or is_whole else (*broken, DECISION_LOG.what)


def is_all_broken(decisions_broken: Collection[str]) -> bool:
    """Whether all parts that every integration has are broken at once, as they are under another key."""
    return {part.what for part in (INTEGRATION, AUTOMATIC, KEPT)} <= set(decisions_broken)


def version_taken_away(connection: sa.Connection, integration_id: str, newest: int) -> int | None:
    """A later version of the settings than the newest that is there, by which the newest import was made; None where
    there is none."""
    made = sa.select(imports.c.settings_version).where(
        imports.c.integration_id == integration_id, imports.c.settings_version.is_not(None)
    )
    used = connection.execute(made.order_by(imports.c.planned_at.desc()).limit(1)).scalar()
    return used if used is not None and used > newest else None


@contextmanager
def adding_to_log(connection: sa.Connection, integration_id: str) -> Iterator[int]:
    """Holds the integration's log of decisions, to which nobody else adds meanwhile; gives the number of its next line,
    and seals what is there afterwards. A log that is not what it was keeps a broken seal, whatever is added to it."""
    insert: Any = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    empty = {"integration_id": integration_id, "lines": 0, "of": []}
    row = {"integration_id": integration_id, "lines": 0, "seal": seal_of(keyring_of(connection), DECISION_LOG, empty)}
    connection.execute(insert(decision_logs).values(row).on_conflict_do_nothing())
    of_integration = decision_logs.c.integration_id == integration_id
    connection.execute(sa.select(decision_logs.c.lines).where(of_integration).with_for_update())
    log = read_log(connection, integration_id)
    was_intact = log["length"] == log["lines"] and is_intact(keyring_of(connection), DECISION_LOG, log)
    yield log["length"] + 1
    log = read_log(connection, integration_id)
    log["lines"] = log["length"]
    sealed = {"seal": seal_of(keyring_of(connection), DECISION_LOG, log)} if was_intact else {}
    connection.execute(sa.update(decision_logs).where(of_integration).values(lines=log["lines"], **sealed))


def log_length(connection: sa.Connection, integration_id: str) -> int:
    """How many lines the integration's log of decisions has had."""
    select = sa.select(decision_logs.c.lines).where(decision_logs.c.integration_id == integration_id)
    return connection.execute(select).scalar() or 0


def read_log(connection: sa.Connection, integration_id: str) -> dict[str, Any]:
    """The row of ``DECISION_LOG``, without a seal where there is none: beside its columns ``of``, number and seal of
    each line in order, and ``length``, how many lines there must have been: every import is sealed with how many there
    were when it was planned, so that an older log cannot be put back whole."""
    select = sa.select(decision_logs).where(decision_logs.c.integration_id == integration_id)
    row = connection.execute(select).mappings().one_or_none()
    log = dict(row or {"integration_id": integration_id, "lines": 0, "seal": None})
    lines = sa.select(decisions.c.number, decisions.c.seal).where(decisions.c.integration_id == integration_id)
    ordered = lines.order_by(decisions.c.number, decisions.c.decision_id)
    log["of"] = [list(line) for line in connection.execute(ordered)]
    at_imports = sa.select(sa.func.max(imports.c.log_lines)).where(imports.c.integration_id == integration_id)
    lengths = (log["lines"], connection.execute(at_imports).scalar(), *(number for number, _ in log["of"]))
    log["length"] = max(map(read_count, lengths))
    return log


def read_kept(connection: sa.Connection, integration_id: str | None = None) -> list[dict[str, Any]]:
    """The rows of ``KEPT``, of one integration or of all: integration_id, seal, and whom it follows, as pairs of an
    EmployeeId and a user_id in order. One statement."""
    columns = (integrations.c.integration_id, integrations.c.kept_seal)
    select = sa.select(*columns, kept_users.c.employee_id, kept_users.c.user_id).outerjoin_from(
        integrations, kept_users
    )
    if integration_id is not None:
        select = select.where(integrations.c.integration_id == integration_id)
    rows: dict[str, dict[str, Any]] = {}
    for name, seal, employee_id, user_id in connection.execute(select):
        row = rows.setdefault(name, {"integration_id": name, "kept_seal": seal, "followed": []})
        if employee_id is not None:
            row["followed"].append([employee_id, user_id])
    for row in rows.values():
        row["followed"].sort()
    return list(rows.values())


def record_kept_users(
    connection: sa.Connection, integration_id: str, directory_id: str, employee_ids: Collection[str]
) -> None:
    """Remembers who has each of the EmployeeIds that ``do_not_archive`` names now, unless it follows somebody already;
    forgets ids that it names no more.

    Raises:
        Tampered: whom it follows was changed behind the pipeline's back, and it still names somebody.
    """
    intact, followed = _read_followed_users(connection, integration_id, proven=bool(employee_ids))
    dropped = sorted(followed.keys() - set(employee_ids))
    added = _find_holders(connection, directory_id, sorted(set(employee_ids) - followed.keys()))
    if intact and not (dropped or added):
        return
    of_integration = integrations.c.integration_id == integration_id
    connection.execute(sa.select(integrations.c.integration_id).where(of_integration).with_for_update())
    where = kept_users.c.integration_id == integration_id
    if dropped:
        connection.execute(sa.delete(kept_users).where(where, in_values(connection, kept_users.c.employee_id, dropped)))
    if added:
        lines = [{"integration_id": integration_id, "employee_id": key, "user_id": added[key]} for key in added]
        connection.execute(sa.insert(kept_users), lines)
    seal_parts(connection, integration_id, KEPT)


def followed_users(
    connection: sa.Connection, integration_id: str, employee_ids: Collection[str] | None = None
) -> frozenset[str]:
    """The user_ids that the named EmployeeIds follow; all of them when none are given.

    Raises:
        Tampered: whom it follows was changed behind the pipeline's back.
    """
    _, followed = _read_followed_users(connection, integration_id, proven=employee_ids is None or bool(employee_ids))
    return frozenset(followed[key] for key in followed if employee_ids is None or key in set(employee_ids))


def _read_followed_users(
    connection: sa.Connection, integration_id: str, *, proven: bool
) -> tuple[bool, dict[str, str]]:
    """Whether the lines are what was sealed, and which user each EmployeeId follows; ``proven``: refused if they are
    not."""
    for row in read_kept(connection, integration_id):
        if proven:
            prove(connection, KEPT, row)
        return is_intact(keyring_of(connection), KEPT, row), dict(row["followed"])
    return True, {}


def _find_holders(connection: sa.Connection, directory_id: str, employee_ids: Collection[str]) -> dict[str, str]:
    """Who has each of the EmployeeIds now."""
    if not employee_ids:
        return {}
    holders = sa.select(users.c.employee_id, users.c.user_id).where(
        users.c.directory_id == directory_id, in_values(connection, users.c.employee_id, list(employee_ids))
    )
    return {row.employee_id: row.user_id for row in connection.execute(holders)}


def _build_message(part: SealedPart, row: Columns) -> bytes:
    key = "/".join((part.name, *(str(row[name]) for name in part.keys)))
    return sealed_message(key, {name: row[name] for name in part.columns})


def _read(connection: sa.Connection, part: SealedPart, *where: sa.ColumnElement[bool]) -> Iterator[Columns]:
    select = sa.select(part.table).where(part.where, *where)
    if part is DECISION_LOG:
        logs = connection.execute(select.with_only_columns(decision_logs.c.integration_id)).scalars().all()
        yield from (read_log(connection, name) for name in logs)
        return
    if part is not KEPT:
        yield from connection.execute(select).mappings().all()
        return
    names = set(connection.execute(select.with_only_columns(integrations.c.integration_id)).scalars())
    rows = read_kept(connection, *names) if len(names) == 1 else read_kept(connection)
    yield from (row for row in rows if row["integration_id"] in names)


def _write(connection: sa.Connection, part: SealedPart, seals: Collection[tuple[Columns, str]]) -> None:
    keys = [column.name for column in part.table.primary_key]
    by_key = sa.and_(*(part.table.c[name] == sa.bindparam(f"key_{name}") for name in keys))
    update = sa.update(part.table).where(by_key).values({part.column: sa.bindparam("mac")})
    lines = [{f"key_{name}": row[name] for name in keys} | {"mac": seal} for row, seal in seals]
    if lines:
        connection.execute(update, lines)
