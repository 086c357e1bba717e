"""Making a change set of mapped users, staging it as the integration's one open import, and recording what failed
before there was one."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

import msgspec
import pandas as pd
import sqlalchemy as sa

from hris_pipeline.change_set.context import PlanContext, QuarantinedMember
from hris_pipeline.change_set.plan import Plan, make_plan
from hris_pipeline.contract import Trigger
from hris_pipeline.errors import FrameInvalid, UnknownName
from hris_pipeline.operations.services import Services
from hris_pipeline.settings.calendar import local_date
from hris_pipeline.settings.document import Settings
from hris_pipeline.sources.protocol import Manifest
from hris_pipeline.store.conflicts import record_conflicts, resolutions, users_waiting_elsewhere
from hris_pipeline.store.history import recent_archives
from hris_pipeline.store.imports import Import, record_failed, stage_import
from hris_pipeline.store.integrations import get_integration
from hris_pipeline.store.kept_users import followed_users, record_kept_users
from hris_pipeline.store.quarantine import quarantined
from hris_pipeline.store.settings_versions import current_settings
from hris_pipeline.store.snapshot import StoredDirectory, last_applied_extract
from hris_pipeline.transform.columns import to_arrow

__all__ = [
    "compute_plan",
    "plan_import",
    "read_context",
    "record_failure",
]


def compute_plan(
    services: Services,
    connection: sa.Connection,
    manifest: Manifest,
    mapped: pd.DataFrame,
    settings: Settings,
    *,
    bad: pd.DataFrame,
    warnings: Mapping[str, Collection[str]],
) -> Plan:
    """The plan of one extract under the given settings, against the store as ``connection`` sees it.

    Args:
        services: For the clock.
        connection: An open transaction.
        manifest: The extract's verdict.
        mapped: The mapped frame.
        settings: The settings to plan under.
        bad: The quarantined rows of the extract.
        warnings: hris_ids by code from validation and mapping.
    """
    integration = get_integration(connection, manifest.integration_id)
    context = read_context(connection, manifest, settings, services.now(), bad=bad)
    directory = StoredDirectory(connection, integration.directory_id, manifest.integration_id)
    return make_plan(mapped, directory, context, settings, warnings)


def read_context(
    connection: sa.Connection, manifest: Manifest, settings: Settings, now: datetime, *, bad: pd.DataFrame
) -> PlanContext:
    """What the store and the extract's manifest say of the circumstances of a plan.

    Args:
        connection: An open transaction.
        manifest: The extract's verdict.
        settings: The settings to plan under.
        now: Which day it is.
        bad: The quarantined rows of the extract.
    """
    integration_id = manifest.integration_id
    any_applied, last_extract = last_applied_extract(connection, integration_id)
    before = quarantined(connection, integration_id, last_extract) if last_extract is not None else bad.iloc[:0]
    return PlanContext(
        integration_id=integration_id,
        today=local_date(settings, now),
        complete=manifest.complete,
        source=manifest.source,
        first_import=not any_applied,
        missing=frozenset(manifest.missing),
        holes=frozenset(manifest.holes),
        quarantined=_members(bad),
        previously_quarantined=frozenset(before["hris_id"].dropna()),
        resolutions=resolutions(connection, integration_id),
        recently_archived=frozenset(
            recent_archives(connection, integration_id, now - timedelta(days=settings.guards.slow_bleed.days))
        ),
        kept_users=followed_users(connection, integration_id, settings.do_not_archive),
        waiting_elsewhere=users_waiting_elsewhere(connection, integration_id),
        unread=msgspec.to_builtins(manifest.unread),
    )


def _members(bad: pd.DataFrame) -> tuple[QuarantinedMember, ...]:
    """The quarantined members, each once, with every check that their row failed."""
    lines = bad.assign(told=bad["field"] + ": " + bad["check"])[["hris_id", "employee_id", "told"]]
    checks: dict[tuple[str | None, str | None], list[str]] = {}
    for hris_id, employee_id, check in zip(*(to_arrow(lines[name]).to_pylist() for name in lines), strict=True):
        checks.setdefault((hris_id, employee_id), []).append(check)
    ids = {hris_id: employee_id for hris_id, employee_id in checks if hris_id and employee_id}
    members: dict[tuple[str | None, str | None], list[str]] = {}
    for (hris_id, employee_id), failed in checks.items():
        members.setdefault((hris_id, ids.get(hris_id, employee_id) if hris_id else employee_id), []).extend(failed)
    return tuple(QuarantinedMember(*key, tuple(failed)) for key, failed in members.items())


def plan_import(
    services: Services,
    manifest: Manifest,
    mapped: pd.DataFrame,
    *,
    settings_digest: str | None = None,
    warnings: Mapping[str, Collection[str]],
    trigger: Trigger,
    actor: str,
    run_id: str | None,
    lock_wait_seconds: float = 0.0,
) -> Import:
    """Plans and stages an import: planned, or held when a guard trips; the same plan keeps the open import.

    Args:
        services: The store and the clock.
        manifest: The extract the users came from.
        mapped: The mapped frame.
        settings_digest: The settings the frame was mapped with; others in force now are an error.
        warnings: hris_ids by code from validation and mapping.
        trigger: What started it.
        actor: Who started it.
        run_id: The Dagster run, if any.
        lock_wait_seconds: How long to wait for another import of the integration.

    Raises:
        ImportRunning: another import of the integration is under way.
        FrameInvalid: the settings changed since the users were mapped.
    """
    integration_id = manifest.integration_id
    with (
        services.hold.within(services.store, integration_id, lock_wait_seconds),
        services.store.begin() as connection,
    ):
        integration = get_integration(connection, integration_id)
        current = current_settings(connection, integration_id)
        if settings_digest is not None and settings_digest != current.digest:
            raise FrameInvalid(
                f"The settings of {integration_id} changed since its mapped_users were made: materialize mapped_users "
                f"for {integration_id} again."
            )
        keep = current.settings.do_not_archive
        record_kept_users(connection, integration_id, integration.directory_id, keep)
        bad = quarantined(connection, integration_id, manifest.extract_id)
        plan = compute_plan(services, connection, manifest, mapped, current.settings, bad=bad, warnings=warnings)
        record_conflicts(connection, integration_id, plan.conflicts, services.now())
        draft = Import(
            integration_id=integration_id,
            directory_id=integration.directory_id,
            status="held" if plan.held else "planned",
            trigger=trigger,
            digest=plan.digest,
            life=integration.life,
            counts=plan.counts,
            actor=actor,
            planned_at=services.now(),
            settings_version=current.version,
            settings_digest=current.settings.plan_digest(),
            extract_id=manifest.extract_id,
            complete=plan.complete,
            guards=plan.guards,
            diagnostics=plan.diagnostics,
            dagster_run_id=run_id,
        )
        return stage_import(connection, draft, plan.rows, plan.hashes)


def record_failure(
    services: Services,
    integration_id: str,
    message: str,
    *,
    trigger: Trigger,
    actor: str,
    run_id: str | None,
    extract_id: str | None = None,
) -> str | None:
    """Records a failed import and gives its id; None when there is no such integration, which must not hide what
    failed. ``message`` is that of an error of our own, which holds no person's data. An open import stays as it is."""
    with services.store.begin() as connection:
        try:
            integration = get_integration(connection, integration_id)
            settings = current_settings(connection, integration_id)
        except UnknownName:
            return None
        draft = Import(
            integration_id=integration_id,
            directory_id=integration.directory_id,
            status="failed",
            trigger=trigger,
            actor=actor,
            message=message,
            life=integration.life,
            planned_at=services.now(),
            dagster_run_id=run_id,
            extract_id=extract_id,
            settings_version=settings.version,
        )
        return record_failed(connection, draft).import_id
