"""Applying a staged import: one transaction, a constant number of statements, wholly or not at all."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Literal

import sqlalchemy as sa

from hris_pipeline.contract import OPEN
from hris_pipeline.errors import HrisError, ImportHeld, ImportStale, StoreError, StoreNotReady, Tampered, UnknownName
from hris_pipeline.settings.fields import USER_STATE
from hris_pipeline.settings.text import fold_case
from hris_pipeline.store.engine import SERIALIZATION_FAILURE, Store, error_code
from hris_pipeline.store.imports import (
    CLOCK_TOLERANCE,
    OUTDATED,
    Import,
    approval_lapses_at,
    end_import,
    end_tampered,
    get_import,
    is_outdated,
    next_timestamp,
    tampered_parts,
    update_statement,
)
from hris_pipeline.store.keyring import tampered_error
from hris_pipeline.store.review_queues import users_waiting_elsewhere
from hris_pipeline.store.stored_json import read_json, read_object, sound_object
from hris_pipeline.store.tables import former_links, import_rows, imports, users

__all__ = [
    "apply_import",
]

UNIQUE = ("employee_id", "hris_id", "email_key")
"""Columns that two users may not share: emptied before they are written, or a swap would collide with itself."""

ATTEMPTS = 3

UNIQUE_VIOLATIONS = frozenset({"23505", "SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY"})


class _Stale(Exception):
    pass


class _TamperedParts(Exception):
    def __init__(self, parts: tuple[str, ...]) -> None:
        self.parts = parts


def apply_import(
    store: Store,
    import_id: str,
    *,
    settings_digest: Callable[[sa.Connection], str],
    actor: str,
    run_id: str | None,
    now: datetime,
    on_applied: Callable[[sa.Connection], None] = lambda _: None,
    on_statement: Callable[[str], None] = lambda _: None,
) -> Import:
    """Applies a planned import, or a held one that is approved (rule 7); once applied, says so and does nothing.

    ``settings_digest`` gives that of the settings in force that matter to a plan, as the transaction sees them;
    ``on_applied`` does, within it, what follows from an import that is applied. ``on_statement`` is told the name of
    each statement after it ran. The caller holds the integration's lock.

    Raises:
        UnknownName: no import of that id.
        ImportHeld: it is held, and no approval of its digest is in force.
        ImportStale: the store or the settings changed since it was planned, or it ended some other way; nothing was
            applied, and it is recorded as stale.
        Tampered: it, its rows or its approval are not what was reviewed; nothing was applied.
    """
    try:
        run = _ApplySession(store, import_id, now, on_statement)
        return run.in_one_view(lambda session: _apply(session, settings_digest, on_applied, actor, run_id))
    except (Tampered, StoreNotReady):
        raise
    except StoreError as error:
        raise _after_a_cut(store, import_id, error) from None
    except _Stale as stale:
        reason = str(stale)
    except _TamperedParts as broken:
        with store.begin() as connection:
            record = get_import(connection, import_id)
            end_tampered(connection, record, broken.parts, now)
        raise tampered_error(record.integration_id, record.import_id, broken.parts) from None
    except sa.exc.IntegrityError as error:
        # The driver's text quotes the values that collide, which may be a person's: it goes no further.
        if error_code(error) not in UNIQUE_VIOLATIONS:
            raise StoreError(
                f"Import {import_id} breaks a rule of the store ({error_code(error)}); nothing was applied."
            ) from None
        reason = "somebody else now has an EmployeeId, hris_id or email that it gives out"
    with store.begin() as connection:
        name = get_import(connection, import_id).integration_id
        end_import(connection, import_id, "stale", reason, now)
    raise ImportStale(
        f"Import {import_id} is stale: {reason}; nothing was applied: preview again with `hris preview {name}`."
    )


def _after_a_cut(store: Store, import_id: str, error: StoreError) -> StoreError:
    """The error, with what the store itself says became of the import: a cut commit may have come through."""
    try:
        with store.read() as connection:
            status = get_import(connection, import_id).status
    except HrisError:
        status = None
    if status == "applied":
        end = f"Import {import_id} was applied all the same: the answer was lost, not the change."
    elif status is None:
        end = f"Whether import {import_id} was applied is not known: `hris show {import_id}` says so once it answers."
    else:
        end = f"Import {import_id} was not applied (it is {status}): `hris save NAME {import_id}` tries again."
    return StoreError(f"{error} {end}")


@dataclass(frozen=True)
class _ApplySession:
    store: Store
    import_id: str
    now: datetime
    on_statement: Callable[[str], None]
    transaction: sa.Connection | None = None

    @property
    def connection(self) -> sa.Connection:
        """The connection of the transaction that is open."""
        if self.transaction is None:
            raise RuntimeError("only inside its transaction")
        return self.transaction

    def in_one_view(self, body: Callable[["_ApplySession"], Import]) -> Import:
        """One transaction that sees one moment of the store: the rows that are proved are the rows that are applied."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with self.store.begin(one_view=True) as transaction:
                    applied = body(replace(self, transaction=transaction))
            except sa.exc.DBAPIError as error:
                if error_code(error) != SERIALIZATION_FAILURE or attempt == ATTEMPTS:
                    raise
            else:
                break
        self.on_statement("commit")
        return applied

    def execute(self, name: str, statement: sa.Executable) -> sa.CursorResult[Any]:
        result: sa.CursorResult[Any] = self.connection.execute(statement)
        self.on_statement(name)
        return result


def _apply(
    run: _ApplySession,
    settings_digest: Callable[[sa.Connection], str],
    on_applied: Callable[[sa.Connection], None],
    actor: str,
    run_id: str | None,
) -> Import:
    of_import = imports.c.import_id == run.import_id
    row = run.execute("lock", sa.select(imports).where(of_import).with_for_update()).one_or_none()
    if row is None:
        raise UnknownName(f"There is no import {run.import_id}: `hris history NAME` lists them.")
    record = Import.from_row(row)
    if record.status == "applied":
        return record
    if record.status not in OPEN:
        raise ImportStale(f"Import {run.import_id} is {record.status} ({record.message}): preview again.")
    _check_untouched(run, record)
    if is_outdated(record, run.now):
        raise _Stale(OUTDATED)
    _check_settings_and_order(run, record, settings_digest)
    if record.status == "held":
        _check_approval(run, record)
    _check_conflicts_elsewhere(run, record)
    _check_namesakes(run, record)
    _write_users(run, record)
    finished_at = next_timestamp(run.connection, record.directory_id, run.now)
    applied = replace(record, status="applied", finished_at=finished_at, applied_by=actor, applied_run_id=run_id)
    run.execute("mark applied", update_statement(run.connection, applied))
    on_applied(run.connection)
    return applied


def _check_settings_and_order(
    run: _ApplySession, record: Import, settings_digest: Callable[[sa.Connection], str]
) -> None:
    if record.settings_digest is not None and record.settings_digest != settings_digest(run.connection):
        raise _Stale("settings that matter to it changed")
    later = sa.select(imports.c.import_id).where(
        imports.c.integration_id == record.integration_id,
        imports.c.status == "applied",
        imports.c.finished_at > record.planned_at,
        imports.c.finished_at <= run.now + CLOCK_TOLERANCE,
    )
    other = run.execute("check order", later.limit(1)).scalar()
    if other is not None:
        raise _Stale(f"import {other} was applied since it was planned")


def _check_approval(run: _ApplySession, record: Import) -> None:
    lapses_at = approval_lapses_at(run.connection, record)
    run.on_statement("check approval")
    if lapses_at is not None and lapses_at > run.now:
        return
    tripped = "; ".join(f"{guard.name}, {guard.remedy}" if guard.remedy else guard.name for guard in record.tripped)
    why = "its approval has lapsed" if lapses_at is not None else f"held by {tripped or 'a guard'}"
    raise ImportHeld(
        f"Import {run.import_id} is held and was not applied ({why}): look at it with `hris show {run.import_id}`, "
        f"then `hris approve {run.import_id} --digest {record.digest} --by WHO --reason WHY`."
    )


def _check_conflicts_elsewhere(run: _ApplySession, record: Import) -> None:
    """Stale when it archives somebody who, since it was planned, may have begun to work at another company of the
    directory."""
    if record.trigger == "undo":
        return
    archived = sa.select(import_rows.c.user_id).where(
        import_rows.c.import_id == record.import_id, import_rows.c.action == "archive"
    )
    user_ids = frozenset(run.execute("check conflicts", archived).scalars())
    waiting = user_ids & users_waiting_elsewhere(run.connection, record.integration_id) if user_ids else user_ids
    if waiting:
        raise _Stale(
            f"{len(waiting)} of those it archives are in an open conflict of another integration since, linked there, "
            "or seem to be listed there"
        )


def _check_namesakes(run: _ApplySession, record: Import) -> None:
    """Stale when it creates somebody whose name and birth date a user of the directory got since it was planned."""
    since = users.c.directory_id == record.directory_id, users.c.updated_at >= record.planned_at
    person = users.c.first_name, users.c.last_name, users.c.birth_date
    changed = {_person_key(row) for row in run.execute("check namesakes", sa.select(*person).where(*since))}
    if not changed:
        return
    rows = _staged_states(run, "after")
    creates = sa.select(*(rows.c[column.name] for column in person)).where(rows.c.action == "create")
    doubled = sum(_person_key(row) in changed for row in run.execute("read created names", creates) if all(row))
    if doubled:
        raise _Stale(f"{doubled} of those it creates have the name and birth date of somebody who is a user since")
    _check_supervisors(run, record)


def _check_supervisors(run: _ApplySession, record: Import) -> None:
    """Stale when it writes somebody's supervisor, also an associated one, whose EmployeeId another integration's import
    took or gave since."""
    before, after = (import_rows.c[state]["employee_id"].as_string() for state in ("before", "after"))
    is_new = sa.or_(import_rows.c.action == "create", sa.cast(import_rows.c.changed, sa.Text).contains('"employee_id"'))
    since = sa.select(before, after).where(
        is_new,
        import_rows.c.import_id == imports.c.import_id,
        imports.c.directory_id == record.directory_id,
        imports.c.integration_id != record.integration_id,
        imports.c.status == "applied",
        imports.c.finished_at >= record.planned_at,
    )
    moved = {employee_id for ids in run.execute("check supervisors", since) for employee_id in ids if employee_id}
    if not moved:
        return
    rows = _staged_states(run, "after")
    named = run.execute(
        "read supervisors", sa.select(rows.c.supervisor_id, sa.cast(rows.c.metadata, sa.Text).label("metadata"))
    )
    count = sum(not moved.isdisjoint(_named_ids(row.supervisor_id, row.metadata)) for row in named)
    if count:
        raise _Stale(f"{count} of those it writes name an EmployeeId that changed hands since")


def _named_ids(supervisor_id: str | None, metadata: str | None) -> Iterator[str]:
    """The EmployeeIds that a state names: its supervisor's, and maybe any text of its metadata."""
    values = read_object(read_json(metadata or "")).values()
    return (value for value in (supervisor_id, *values) if isinstance(value, str))


def _person_key(row: sa.Row[Any]) -> tuple[str, str, date | None]:
    return fold_case(row.first_name or ""), fold_case(row.last_name or ""), row.birth_date


def _check_untouched(run: _ApplySession, record: Import) -> None:
    """The digest is proof: computed again from the very rows that are applied."""
    broken = tampered_parts(run.connection, record)
    run.on_statement("check seal and rows")
    if broken:
        raise _TamperedParts(broken)


def _links_that_end(import_id: str) -> sa.Insert:
    """Remembers the links of users whom this import links to another member; no state is parsed for it."""
    ended = (users.c.integration_id, users.c.hris_id, users.c.user_id)
    remembered = sa.and_(*(former_links.c[column.name] == column for column in ended))
    moving = sa.select(*ended).where(
        import_rows.c.import_id == import_id,
        sa.cast(import_rows.c.changed, sa.Text).contains('"hris_id"'),
        users.c.user_id == import_rows.c.user_id,
        users.c.version == import_rows.c.base_version,
        users.c.hris_id.is_not(None),
        ~sa.exists().where(remembered),
    )
    return sa.insert(former_links).from_select([column.name for column in ended], moving)


def _write_users(run: _ApplySession, record: Import) -> None:
    rows = _staged_states(run, "after")
    touched = sa.and_(users.c.user_id == rows.c.user_id, users.c.version == rows.c.base_version)
    expected = _check_users(run)
    if record.trigger != "undo":
        run.execute("remember links", _links_that_end(run.import_id))
    moving = sa.or_(*(users.c[name].is_distinct_from(rows.c[name]) for name in UNIQUE))
    run.execute("park", sa.update(users).where(touched, moving).values(dict.fromkeys(UNIQUE)))
    state = {name: rows.c[name] for name in USER_STATE}
    version = users.c.version + 1
    written = {"source_hash": rows.c.source_hash, "version": version, "synced_version": version, "updated_at": run.now}
    update = sa.update(users).where(touched).values(state | written)
    updated = run.execute("update", update).rowcount
    if updated != expected:
        raise _Stale(f"{expected - updated} of the {expected} users that it changes were changed or removed since")

    new: dict[str, sa.ColumnElement[Any]] = state | {
        "user_id": rows.c.user_id,
        "source_hash": rows.c.source_hash,
        "directory_id": sa.literal(record.directory_id),
        "version": sa.literal(1),
        "synced_version": sa.literal(1),
        "created_at": sa.literal(run.now, users.c.created_at.type),
        "updated_at": sa.literal(run.now, users.c.updated_at.type),
    }
    creates = sa.select(*new.values()).where(rows.c.action == "create")
    run.execute("create", sa.insert(users).from_select(list(new), creates))


def _check_users(run: _ApplySession) -> int:
    """How many users it changes; stale when one of them is not what was reviewed, even where its version says so."""
    rows = _staged_states(run, "before")
    same = [_is_same(run, name, users.c[name], rows.c[name]) for name in USER_STATE]
    unprotected = sa.or_(rows.c.action != "archive", ~users.c.protected)
    reviewed = sa.and_(users.c.user_id == rows.c.user_id, users.c.version == rows.c.base_version, unprotected, *same)
    counts = (
        sa.select(sa.func.count(), sa.func.count(users.c.user_id))
        .select_from(rows.outerjoin(users, reviewed))
        .where(rows.c.action != "create")
    )
    numbers = tuple(run.execute("check users", counts).one())
    expected, intact = (int(number) for number in numbers)
    if intact != expected:
        raise _Stale(f"{expected - intact} of the {expected} users that it changes were changed or removed since")
    return expected


def _is_same(
    run: _ApplySession, name: str, stored: sa.ColumnElement[Any], staged: sa.ColumnElement[Any]
) -> sa.ColumnElement[bool]:
    """Whether a user's column still is what was staged as the state before; metadata in whatever order, and none where
    another application wrote no object, as plans read it."""
    if name != "metadata":
        return stored.is_not_distinct_from(staged)
    present = sound_object(run.connection.dialect.name, stored)
    if run.connection.dialect.name == "postgresql":
        return present.is_not_distinct_from(staged)
    return _ordered_json(present).is_not_distinct_from(_ordered_json(staged))


def _ordered_json(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    entry = sa.func.json_each(sa.type_coerce(column, sa.Text)).table_valued("key", "value")
    entries = sa.select(entry.c.key, entry.c.value).order_by(entry.c.key).subquery()
    return sa.select(sa.func.json_group_object(entries.c.key, entries.c.value)).scalar_subquery()


def _staged_states(run: _ApplySession, which: Literal["before", "after"]) -> sa.Subquery:
    """The import's rows with one of their states as columns, each as the column of ``users`` that it stands for."""
    document = import_rows.c[which]
    of_import = import_rows.c.import_id == run.import_id
    key = (import_rows.c.user_id, import_rows.c.action, import_rows.c.base_version, import_rows.c.source_hash)
    if run.connection.dialect.name == "postgresql":  # parses each state once, not once a column
        columns = (sa.column(name, users.c[name].type) for name in USER_STATE)
        state = sa.func.json_to_record(document).table_valued(*columns).render_derived(which, with_types=True)
        return (
            sa.select(*key, *state.c)
            .select_from(import_rows.join(state, sa.true()))
            .where(of_import)
            .subquery(f"staged_{which}")
        )
    values = (
        sa.type_coerce(sa.func.json_extract(document, f"$.{name}"), users.c[name].type).label(name)
        for name in USER_STATE
    )
    return sa.select(*key, *values).where(of_import).subquery(f"staged_{which}")
