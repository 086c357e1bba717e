"""What a person decides about an import: approving a held one by its digest, saving it exactly as planned, discarding
it, and planning one that takes it back, which is saved like any other.

Looking at imports stands in ``overview`` and ``review``, planning of mapped users in ``planning``; what changes is
decided in ``change_set``.
"""

from dataclasses import replace
from datetime import date, datetime
from itertools import pairwise
from typing import Any

import sqlalchemy as sa

from hris_pipeline.change_set.directory import plan_digest, undo_settings_digest
from hris_pipeline.change_set.undo import AppliedRow, CurrentUser, Undo, undo_rows, unique_values
from hris_pipeline.contract import COUNT_OF_ACTION
from hris_pipeline.errors import FrameInvalid, ImportStale, Tampered, UnknownName, UsageError
from hris_pipeline.operations.automation import start_if_configured
from hris_pipeline.operations.notification import notify, reset_notification
from hris_pipeline.operations.overview import read_import
from hris_pipeline.operations.services import Services
from hris_pipeline.settings.fields import USER_STATE
from hris_pipeline.settings.mapping import metadata_renames
from hris_pipeline.store.applying import apply_import
from hris_pipeline.store.automation import automation, set_automatic
from hris_pipeline.store.imports import (
    CLOCK_TOLERANCE,
    Import,
    approval_lapses_at,
    approve,
    end_import,
    imports_of,
    is_outdated,
    next_timestamp,
    stage_import,
    tampered_parts,
)
from hris_pipeline.store.imports import open_import as stored_open_import
from hris_pipeline.store.integrations import current_settings, get_integration, settings_history
from hris_pipeline.store.keyring import tampered_error
from hris_pipeline.store.locks import integration_lock
from hris_pipeline.store.seals import followed_users
from hris_pipeline.store.stored_json import read_states
from hris_pipeline.store.tables import import_rows, users

__all__ = [
    "approve_import",
    "check_kept_extract",
    "discard_import",
    "import_to_save",
    "is_approved",
    "open_import",
    "plan_undo",
    "save_import",
]

FEW = 20
"""So many of the newest imports are looked at for one that no wrong clock has dated later than now."""

DIGEST_DIGITS = 12
"""The first so many digits of a digest are enough to name it."""


def approve_import(services: Services, import_id: str, digest: str, by: str, reason: str) -> Import:
    """Records that ``by`` lets exactly this change set through; it covers nothing else and lapses after 7 days. The
    digest may be given by its first 12 digits.

    Raises:
        UnknownName: no import of that id.
        UsageError: the digest is not this import's, no name or reason is given, or nothing holds it.
        ImportStale: the import is not open any more.
    """
    import_ = read_import(services, import_id)
    if not by.strip() or not reason.strip():
        raise UsageError("An approval needs a name and a reason: give --by and --reason.")
    if not _names_digest(digest.strip(), import_.digest):
        raise UsageError(
            f"The digest is not that of import {import_id}: `hris show {import_id}` shows what it is and its digest."
        )
    if import_.status == "planned":
        raise UsageError(
            f"Import {import_id} is not held: `hris save {import_.integration_id} {import_id}` applies it."
        )
    if import_.status != "held" or is_outdated(import_, services.now()):
        import_ = replace(import_, status="stale") if import_.status == "held" else import_
        raise ImportStale(
            f"Import {import_id} is {import_.status}: preview again with `hris preview {import_.integration_id}`."
        )
    with services.store.begin() as connection:
        approve(connection, import_id, import_.digest, by.strip(), reason.strip(), services.now())
    return read_import(services, import_id)


def _names_digest(text: str, digest: str) -> bool:
    return len(text) >= DIGEST_DIGITS and digest.startswith(text)


def discard_import(services: Services, import_id: str, by: str, reason: str) -> Import:
    """Ends an open import that nobody wants; nothing of it is ever applied.

    Raises:
        UnknownName: no import of that id.
        UsageError: no name or reason is given.
        ImportStale: the import is not open any more.
    """
    record = read_import(services, import_id)
    if not by.strip() or not reason.strip():
        raise UsageError("Discarding needs a name and a reason: give --by and --reason.")
    with services.store.begin() as connection:
        message = f"discarded by {by.strip()}: {reason.strip()}"
        discarded = end_import(connection, import_id, "discarded", message, services.now())
    if discarded is None:
        raise ImportStale(f"Import {import_id} is {record.status}: only an open import can be discarded.")
    reset_notification(services, record.integration_id, "held")
    return discarded


def is_approved(services: Services, summary: Import) -> bool:
    """Whether an approval of exactly this change set is in force; applying verifies it again."""
    with services.store.read() as connection:
        lapses_at = approval_lapses_at(connection, summary)
    return lapses_at is not None and lapses_at > services.now()


def open_import(services: Services, integration_id: str) -> Import | None:
    """The integration's one open import, planned or held, if there is one."""
    with services.store.read() as connection:
        get_integration(connection, integration_id)
        return stored_open_import(connection, integration_id)


def save_import(
    services: Services,
    integration_id: str,
    import_id: str | None = None,
    *,
    actor: str,
    run_id: str | None = None,
    lock_wait_seconds: float = 0.0,
) -> Import:
    """Applies the open import, or the one of that id; one that is applied already is given back as it is. The first
    saved one starts automatic imports, when the settings say so.

    Raises:
        UnknownName: nothing of that id, or nothing open.
        ImportHeld: a guard holds it and nobody approved it.
        ImportStale: it no longer fits the store or the settings; nothing was applied.
        ImportRunning: another import of the integration is under way.
        Tampered: it, its rows, approval or extract are not what was reviewed; nothing was applied.
    """
    record = import_to_save(services, integration_id, import_id)

    def settings_digest(connection: sa.Connection) -> str:
        return services.settings.read(connection, integration_id).settings.plan_digest()

    def start_automatic(connection: sa.Connection) -> None:
        if services.settings.read(connection, integration_id).settings.start_automatic_imports:
            start_if_configured(connection, integration_id, "hris", "first import saved", services.now())

    if record.status == "applied":
        with services.store.begin() as connection:
            start_automatic(connection)
        return record
    with services.hold.within(services.store, integration_id, lock_wait_seconds):
        try:
            check_kept_extract(services, record)
            return apply_import(
                services.store,
                record.import_id,
                settings_digest=settings_digest,
                on_applied=start_automatic,
                actor=actor,
                run_id=run_id,
                now=services.now(),
            )
        except Tampered as error:
            notify(services, integration_id, "failed", str(error), f"Nothing was applied: {error}")
            raise


def check_kept_extract(services: Services, record: Import) -> None:
    """Proves the extract that an import was planned from, as long as it is kept.

    Raises:
        Tampered: it is not what was read from the source.
    """
    if record.extract_id is None:
        return
    try:
        services.archive.lines(services.archive.manifest(record.integration_id, record.extract_id))
    except UnknownName:
        return
    except FrameInvalid:
        raise Tampered(
            f"Extract {record.extract_id}, from which import {record.import_id} was planned, was changed since, and "
            f"nothing was applied: find out who writes to HRIS_FILES_URL, then preview again with "
            f"`hris preview {record.integration_id}`."
        ) from None


def import_to_save(services: Services, integration_id: str, import_id: str | None = None) -> Import:
    """The import of that id, else the open one, else the newest when it is applied already.

    Raises:
        UnknownName: nothing of that id, or nothing open.
        Tampered: it says that it was applied, and is not what the pipeline wrote.
    """
    if import_id is None:
        import_ = open_import(services, integration_id) or _just_applied(services, integration_id)
        if import_ is None:
            raise UnknownName(f"{integration_id} has no open import: run `hris preview {integration_id}` first.")
    else:
        import_ = read_import(services, import_id)
        if import_.integration_id != integration_id:
            raise UnknownName(
                f"Import {import_id} is not one of {integration_id}: `hris history {integration_id}` lists them."
            )
    if import_.status == "applied":
        _check_applied(services, import_)
    return import_


def _check_applied(services: Services, record: Import) -> None:
    """Refuses an import that says it was applied but is not what the pipeline wrote."""
    with services.store.read() as connection:
        broken = tampered_parts(connection, record, rows=False)
    if broken:
        raise tampered_error(record.integration_id, record.import_id, broken)


def _just_applied(services: Services, integration_id: str) -> Import | None:
    """The newest import of this life when it is applied, so that saving twice says what was saved, not that nothing is
    there."""
    with services.store.read() as connection:
        life = get_integration(connection, integration_id).life
        made = imports_of(connection, integration_id, limit=FEW)
    latest = services.now() + CLOCK_TOLERANCE
    newest = next((record for record in made if record.life == life and record.planned_at <= latest), None)
    return newest if newest is not None and newest.status == "applied" else None


def plan_undo(services: Services, import_id: str, *, actor: str) -> Import:
    """Stages an import that gives every user the import changed the state before, field by field: what somebody else
    changed since is listed and left, and a renamed metadata name is followed. Running automatic imports are paused,
    because the next would do it all again.

    Raises:
        UnknownName: no import of that id.
        UsageError: it was never applied, changed nobody, or is of a former life of the integration.
        ImportRunning: another import of the integration is under way.
    """
    record = read_import(services, import_id)
    if record.status != "applied":
        raise UsageError(f"Import {import_id} is {record.status}: only an applied import can be undone.")
    if not record.changes:
        raise UsageError(f"Import {import_id} changed nobody: there is nothing to undo.")
    with (
        integration_lock(services.store, record.integration_id, 0.0),
        services.store.begin() as connection,
    ):
        integration = get_integration(connection, record.integration_id, proven=True)
        if record.life != integration.life:
            raise UsageError(
                f"Import {import_id} was made before {record.integration_id} was deleted and set up anew: it is "
                "history only, and its users have been let go since."
            )
        undo = _compute_undo(connection, integration.directory_id, record)
        version = current_settings(connection, record.integration_id).version
        now = next_timestamp(connection, integration.directory_id, services.now())
        draft = replace(_draft_undo(record, undo, actor, now), settings_version=version)
        staged = stage_import(connection, draft, undo.rows)
        paused = _pause(connection, record.integration_id, actor, services.now())
    if paused:
        body = f"Automatic imports of {record.integration_id} are paused, because import {import_id} is being undone."
        notify(services, record.integration_id, "paused", "undo", body)
    return staged


def _draft_undo(record: Import, undo: Undo, actor: str, now: datetime) -> Import:
    import_id = record.import_id
    return Import(
        integration_id=record.integration_id,
        directory_id=record.directory_id,
        status="planned",
        trigger="undo",
        digest=plan_digest(undo.rows, settings_digest=undo_settings_digest(import_id), complete=True, tripped=()),
        counts={COUNT_OF_ACTION[str(action)]: int(n) for action, n in undo.rows["action"].value_counts().items()},
        actor=actor,
        planned_at=now,
        extract_id=record.extract_id,
        undoes=import_id,
        life=record.life,
        diagnostics=_undo_diagnostics(undo),
    )


def _undo_diagnostics(undo: Undo) -> dict[str, tuple[str, ...]]:
    """Whoever is left as they are, and why."""
    left = {f"warning:changed_since:{name}": ids for name, ids in undo.changed_since.items()}
    left |= {"warning:gone_since": undo.gone, "warning:value_taken": undo.taken, "protected": undo.protected}
    return {reason: ids for reason, ids in left.items() if ids}


def _compute_undo(connection: sa.Connection, directory_id: str, record: Import) -> Undo:
    of_import = import_rows.c.import_id == record.import_id
    rows = connection.execute(sa.select(import_rows).where(of_import, ~import_rows.c.erased)).all()
    applied = [AppliedRow(row.user_id, *read_states(row)[1:]) for row in rows]
    touched = sa.select(import_rows.c.user_id).where(of_import, ~import_rows.c.erased)
    never_archived = followed_users(connection, record.integration_id)
    present = connection.execute(sa.select(users).where(users.c.user_id.in_(touched)))
    current = {
        row.user_id: CurrentUser(_user_state(row), row.version, row.protected, row.user_id in never_archived)
        for row in present
    }
    return undo_rows(applied, current, _owners_by_value(connection, directory_id), _renames_since(connection, record))


def _user_state(row: sa.Row[Any]) -> dict[str, Any]:
    """A user's state as imports keep it, dates as ISO text."""
    values = {name: row._mapping[name] for name in USER_STATE}
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in values.items()}


def _owners_by_value(connection: sa.Connection, directory_id: str) -> dict[tuple[str, ...], str]:
    names = ("integration_id", "hris_id", "employee_id", "email_key")
    everybody = sa.select(users.c.user_id, *(users.c[name] for name in names))
    rows = connection.execute(everybody.where(users.c.directory_id == directory_id))
    return {value: row.user_id for row in rows for _, value in unique_values(row._asdict())}


def _renames_since(connection: sa.Connection, record: Import) -> dict[str, str]:
    """Metadata names that were renamed since the import: the name then, and now."""
    versions = reversed(settings_history(connection, record.integration_id))
    later = [version.settings for version in versions if version.version >= (record.settings_version or 0)]
    now: dict[str, str] = {}
    for old, new in pairwise(later):
        renamed = metadata_renames(old, new)
        now = {first: renamed.get(last, last) for first, last in now.items()} | {
            first: last for first, last in renamed.items() if first not in now.values()
        }
    return now


def _pause(connection: sa.Connection, integration_id: str, actor: str, now: datetime) -> bool:
    running = automation(connection, integration_id).automatic == "running"
    if running:
        set_automatic(connection, integration_id, "paused", by=actor, reason="undo", now=now)
    return running
