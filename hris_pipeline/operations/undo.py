"""Planning an import that takes another one back; saving it is the same as saving any other."""

from datetime import datetime

import sqlalchemy as sa

from hris_pipeline.change_set.digest import plan_digest, undo_settings_digest
from hris_pipeline.change_set.undo import UNIQUE, AppliedRow, Undo, undo_rows
from hris_pipeline.contract import COUNT_OF_ACTION
from hris_pipeline.errors import UsageError
from hris_pipeline.operations.imports import read_import
from hris_pipeline.operations.notification import notify
from hris_pipeline.operations.services import Services
from hris_pipeline.store.automation import automation, set_automatic
from hris_pipeline.store.imports import Import, stage_import
from hris_pipeline.store.integrations import get_integration
from hris_pipeline.store.locks import integration_lock
from hris_pipeline.store.snapshot import read_snapshot
from hris_pipeline.store.tables import import_rows
from hris_pipeline.transform.columns import to_arrow

__all__ = [
    "plan_undo",
]


def plan_undo(services: Services, import_id: str, *, actor: str, run_id: str | None = None) -> Import:
    """Stages an import that gives every user the import changed the state before; users changed since are listed and
    left. Running automatic imports are paused, because the next would do it all again.

    Raises:
        UnknownName: no import of that id.
        UsageError: it was never applied, changed nobody, or is of a former life of the integration.
        ImportRunning: another import of the integration is under way.
    """
    found = read_import(services, import_id)
    if found.status != "applied":
        raise UsageError(f"Import {import_id} is {found.status}: only an applied import can be undone.")
    if not found.changes:
        raise UsageError(f"Import {import_id} changed nobody: there is nothing to undo.")
    with (
        integration_lock(services.store, found.integration_id, 0.0),
        services.store.begin() as connection,
    ):
        integration = get_integration(connection, found.integration_id)
        if found.life != integration.life:
            raise UsageError(
                f"Import {import_id} was made before {found.integration_id} was deleted and set up anew: it is history "
                "only, and its users have been let go since."
            )
        undo = _undo(connection, integration.directory_id, import_id)
        counts = {COUNT_OF_ACTION[str(action)]: int(n) for action, n in undo.rows["action"].value_counts().items()}
        left = {"warning:changed_since": undo.changed_since, "warning:value_taken": undo.taken}
        draft = Import(
            integration_id=found.integration_id,
            directory_id=integration.directory_id,
            status="planned",
            trigger="undo",
            digest=plan_digest(undo.rows, settings_digest=undo_settings_digest(import_id), complete=True, tripped=()),
            counts=counts,
            actor=actor,
            planned_at=services.now(),
            extract_id=found.extract_id,
            undoes=import_id,
            life=integration.life,
            diagnostics={reason: ids for reason, ids in left.items() if ids},
            dagster_run_id=run_id,
        )
        staged = stage_import(connection, draft, undo.rows)
        paused = _pause(connection, found.integration_id, actor, services.now())
    if paused:
        body = f"Automatic imports of {found.integration_id} are paused, because import {import_id} is being undone."
        notify(services, found.integration_id, "paused", "undo", body)
    return staged


def _undo(connection: sa.Connection, directory_id: str, import_id: str) -> Undo:
    found = connection.execute(sa.select(import_rows).where(import_rows.c.import_id == import_id)).all()
    applied = [AppliedRow(row.user_id, row.before, row.after, (row.base_version or 0) + 1) for row in found]
    now = read_snapshot(connection, directory_id)
    users = now["user_id"].tolist()
    held_by = {
        (name, value): user_id
        for name in UNIQUE
        for value, user_id in zip(now[name].tolist(), users, strict=True)
        if isinstance(value, str)
    }
    return undo_rows(applied, dict(zip(users, to_arrow(now["version"]).to_pylist(), strict=True)), held_by)


def _pause(connection: sa.Connection, integration_id: str, actor: str, now: datetime) -> bool:
    running = automation(connection, integration_id).automatic == "running"
    if running:
        set_automatic(connection, integration_id, "paused", by=actor, reason="undo", now=now)
    return running
