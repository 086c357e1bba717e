"""Planning an import that takes another one back; saving it is the same as saving any other."""

from dataclasses import replace
from datetime import date, datetime
from itertools import pairwise
from typing import Any

import sqlalchemy as sa

from hris_pipeline.change_set.digest import plan_digest, undo_settings_digest
from hris_pipeline.change_set.undo import AppliedRow, CurrentUser, Undo, undo_rows, unique_values
from hris_pipeline.contract import COUNT_OF_ACTION
from hris_pipeline.errors import UsageError
from hris_pipeline.operations.imports import read_import
from hris_pipeline.operations.notification import notify
from hris_pipeline.operations.services import Services
from hris_pipeline.settings.fields import USER_STATE
from hris_pipeline.settings.mapping import metadata_renames
from hris_pipeline.store.automation import automation, set_automatic
from hris_pipeline.store.imports import Import, stage_import
from hris_pipeline.store.integrations import get_integration
from hris_pipeline.store.locks import integration_lock
from hris_pipeline.store.settings_versions import current_settings, settings_history
from hris_pipeline.store.tables import import_rows, kept_users, users

__all__ = [
    "plan_undo",
]


def plan_undo(services: Services, import_id: str, *, actor: str, run_id: str | None = None) -> Import:
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
        integration = get_integration(connection, record.integration_id)
        if record.life != integration.life:
            raise UsageError(
                f"Import {import_id} was made before {record.integration_id} was deleted and set up anew: it is "
                "history only, and its users have been let go since."
            )
        undo = _undo(connection, integration.directory_id, record)
        version = current_settings(connection, record.integration_id).version
        draft = replace(_draft(record, undo, actor, services.now()), settings_version=version, dagster_run_id=run_id)
        staged = stage_import(connection, draft, undo.rows)
        paused = _pause(connection, record.integration_id, actor, services.now())
    if paused:
        body = f"Automatic imports of {record.integration_id} are paused, because import {import_id} is being undone."
        notify(services, record.integration_id, "paused", "undo", body)
    return staged


def _draft(record: Import, undo: Undo, actor: str, now: datetime) -> Import:
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
        diagnostics=_diagnostics(undo),
    )


def _diagnostics(undo: Undo) -> dict[str, tuple[str, ...]]:
    """Whoever is left as they are, and why."""
    left = {f"warning:changed_since:{name}": ids for name, ids in undo.changed_since.items()}
    left |= {"warning:gone_since": undo.gone, "warning:value_taken": undo.taken, "protected": undo.protected}
    return {reason: ids for reason, ids in left.items() if ids}


def _undo(connection: sa.Connection, directory_id: str, record: Import) -> Undo:
    of_import = import_rows.c.import_id == record.import_id
    rows = connection.execute(sa.select(import_rows).where(of_import, ~import_rows.c.erased)).all()
    applied = [AppliedRow(row.user_id, row.before, row.after) for row in rows]
    touched = sa.select(import_rows.c.user_id).where(of_import, ~import_rows.c.erased)
    kept = sa.select(kept_users.c.user_id).where(kept_users.c.integration_id == record.integration_id)
    never_archived = set(connection.execute(kept).scalars())
    present = connection.execute(sa.select(users).where(users.c.user_id.in_(touched)))
    current = {
        row.user_id: CurrentUser(_state(row), row.version, row.protected, row.user_id in never_archived)
        for row in present
    }
    return undo_rows(applied, current, _owners(connection, directory_id), _renames_since(connection, record))


def _state(row: sa.Row[Any]) -> dict[str, Any]:
    """A user's state as imports keep it, dates as ISO text."""
    values = {name: row._mapping[name] for name in USER_STATE}
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in values.items()}


def _owners(connection: sa.Connection, directory_id: str) -> dict[tuple[str, ...], str]:
    names = ("integration_id", "hris_id", "employee_id", "email_key")
    everybody = sa.select(users.c.user_id, *(users.c[name] for name in names))
    rows = connection.execute(everybody.where(users.c.directory_id == directory_id))
    return {value: row.user_id for row in rows for _, value in unique_values(row._asdict())}


def _renames_since(connection: sa.Connection, record: Import) -> dict[str, str]:
    """Metadata names of the import's time that are called otherwise now."""
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
