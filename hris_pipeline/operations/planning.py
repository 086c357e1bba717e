"""Planning mapped users and staging the plan as the integration's one open import; recording a run that failed before
it had a plan; and what-if: the plan under other settings, or from an earlier extract, beside today's, with nothing
stored.

For what-if the settings are really changed, in a transaction that is rolled back: what cannot be set is refused, and
what is shown is what the next plan will be. What changes is decided in ``change_set``.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec
import pandas as pd
import sqlalchemy as sa

from hris_pipeline.change_set.directory import PlanContext, QuarantinedMember
from hris_pipeline.change_set.plan import Plan, make_plan
from hris_pipeline.contract import Trigger
from hris_pipeline.errors import FrameInvalid, Tampered, UnknownName, UsageError
from hris_pipeline.operations.extraction import kept_manifest
from hris_pipeline.operations.members import Transformed, read_hole_identities, read_users
from hris_pipeline.operations.services import Services
from hris_pipeline.operations.settings import check_settings, put_change
from hris_pipeline.settings.calendar import local_date
from hris_pipeline.settings.document import Settings
from hris_pipeline.settings.loading import set_values
from hris_pipeline.settings.mapping import metadata_renames
from hris_pipeline.sources.protocol import Manifest
from hris_pipeline.store.engine import Store
from hris_pipeline.store.frames import StoredDirectory, last_applied_extract
from hris_pipeline.store.history import recent_archives
from hris_pipeline.store.imports import Import, next_timestamp, record_failed, stage_import
from hris_pipeline.store.integrations import current_settings, get_integration
from hris_pipeline.store.review_queues import (
    quarantined,
    read_unsettled,
    record_conflicts,
    record_relisted,
    resolutions,
    users_waiting_elsewhere,
)
from hris_pipeline.store.seals import followed_users, record_kept_users
from hris_pipeline.transform.columns import give_back_memory, to_arrow

__all__ = ["WhatIf", "compute_plan", "plan_import", "read_context", "record_failure", "what_if"]


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
    integration = get_integration(connection, manifest.integration_id, proven=True)
    context = read_context(connection, manifest, settings, services.now(), bad=bad)
    if manifest.holes:
        context = context.with_hole_identities(read_hole_identities(services, manifest, settings))
    directory = StoredDirectory(connection, integration.directory_id, manifest.integration_id)
    give_back_memory()
    plan = make_plan(mapped, directory, context, settings, warnings)
    give_back_memory()
    return plan


def read_context(
    connection: sa.Connection, manifest: Manifest, settings: Settings, now: datetime, *, bad: pd.DataFrame
) -> PlanContext:
    """The plan's context, from the store and the extract's manifest.

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
    pairs = read_unsettled(connection, integration_id)
    return PlanContext(
        integration_id=integration_id,
        today=local_date(settings, now),
        complete=manifest.complete,
        source=manifest.source,
        first_import=not any_applied,
        missing=frozenset(manifest.missing),
        holes=frozenset(manifest.holes),
        quarantined=_quarantined_members(bad),
        previously_quarantined=frozenset(before["hris_id"].dropna()),
        resolutions=resolutions(connection, integration_id),
        recently_archived=frozenset(
            recent_archives(connection, integration_id, now - timedelta(days=settings.guards.slow_bleed.days))
        ),
        kept_users=followed_users(connection, integration_id, settings.do_not_archive),
        waiting_elsewhere=users_waiting_elsewhere(connection, integration_id),
        undecided=pairs.undecided,
        relisted=pairs.relisted,
        unread=msgspec.to_builtins(manifest.unread),
    )


def _quarantined_members(bad: pd.DataFrame) -> tuple[QuarantinedMember, ...]:
    """The quarantined members, each once, with every check that their row failed."""
    lines = bad.assign(failed=bad["field"] + ": " + bad["check"])[["hris_id", "employee_id", "failed"]]
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
        Tampered: something that decides was changed behind the pipeline's back.
    """
    integration_id = manifest.integration_id
    with (
        services.hold.within(services.store, integration_id, lock_wait_seconds),
        services.store.begin() as connection,
    ):
        integration = get_integration(connection, integration_id, proven=True)
        current = services.settings.read(connection, integration_id)
        if settings_digest is not None and settings_digest != current.digest:
            raise FrameInvalid(
                f"The settings of {integration_id} changed since its mapped_users were made: materialize mapped_users "
                f"for {integration_id} again."
            )
        record_kept_users(connection, integration_id, integration.directory_id, current.settings.do_not_archive)
        bad = quarantined(connection, integration_id, manifest.extract_id)
        plan = compute_plan(services, connection, manifest, mapped, current.settings, bad=bad, warnings=warnings)
        now = next_timestamp(connection, integration.directory_id, services.now())
        record_conflicts(connection, integration_id, plan.conflicts, now, complete=plan.complete, unknown=plan.waiting)
        record_relisted(connection, integration_id, plan.relisted, complete=plan.complete)
        draft = Import(
            integration_id=integration_id,
            directory_id=integration.directory_id,
            status="held" if plan.held else "planned",
            trigger=trigger,
            digest=plan.digest,
            life=integration.life,
            counts=plan.counts,
            actor=actor,
            planned_at=now,
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
            version = _version_in_force(connection, integration_id)
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
            settings_version=version,
        )
        return record_failed(connection, draft).import_id


def _version_in_force(connection: sa.Connection, integration_id: str) -> int | None:
    """The version of the settings in force; None where they were tampered with, which is then the failure to record."""
    try:
        return current_settings(connection, integration_id).version
    except Tampered:
        return None


@dataclass(frozen=True)
class WhatIf:
    """Two plans of the same extract, neither stored: ``today`` under the settings in force, ``then`` under the others.
    ``renames``: metadata that gets another name, old to new; ``renamed``: how many users' stored value would move."""

    extract_id: str
    complete: bool
    today: Plan
    then: Plan
    settings: Settings
    renames: Mapping[str, str] = field(default_factory=dict)
    renamed: int = 0

    @property
    def touched(self) -> int:
        """How many users the two plans write differently, or only one of them writes; what has another name alone is
        no difference."""
        today, then = _writes_by_person(self.today, self.renames), _writes_by_person(self.then, self.renames)
        return sum(today.get(whom) != then.get(whom) for whom in today.keys() | then.keys())


def _writes_by_person(plan: Plan, renames: Mapping[str, str]) -> dict[str, tuple[str, str | bytes]]:
    """By user, or by member where somebody is new, what a plan would do to them, metadata under its new name."""
    columns = (plan.rows[name].tolist() for name in ("user_id", "action", "after"))
    writes: dict[str, tuple[str, str | bytes]] = {}
    for user_id, action, after in zip(*columns, strict=True):
        whom = msgspec.json.decode(after)["hris_id"] if action == "create" else user_id
        writes[whom] = (action, _rename_in_state(after, renames) if renames else after)
    return writes


def _rename_in_state(after: str, renames: Mapping[str, str]) -> bytes:
    """A state whose metadata has its new names, in one order of keys, so that states can be compared."""
    state = msgspec.json.decode(after)
    metadata = {renames.get(name, name): value for name, value in (state["metadata"] or {}).items()}
    return msgspec.json.encode(state | {"metadata": metadata}, order="sorted")


def what_if(
    services: Services,
    integration_id: str,
    *,
    changes: Sequence[str] = (),
    settings: Settings | None = None,
    extract_id: str | None = None,
) -> WhatIf:
    """What an import of a kept extract (the latest by default) would do with some settings changed.

    Args:
        services: The store, the archive and the clock.
        integration_id: The integration.
        changes: Settings as ``key=value``, on top of ``settings``.
        settings: The other settings as a whole; those in force by default.
        extract_id: Which kept extract.

    Raises:
        SettingsInvalid: a change is no valid setting, or impossible here.
        UsageError: a change cannot be made any more, or another source is not what the extract was read from.
        FrameInvalid: the extract cannot be used, under the settings in force or under the others.
        UnknownName: no such extract is kept.
    """
    manifest = kept_manifest(services, integration_id, extract_id)
    with services.store.read() as connection:
        current = current_settings(connection, integration_id).settings
    other = set_values(settings or current, list(changes)) if changes else settings or current
    before = read_users(services, manifest, current)
    if other == current:
        with services.store.read() as connection:
            today = _plan(services, connection, manifest, before, current)
        return WhatIf(manifest.extract_id, manifest.complete, today, today, other)
    if other.source != manifest.source:
        raise UsageError(
            f"Extract {manifest.extract_id} of {integration_id} was read from {manifest.source}: what {other.source} "
            "would give can only be seen once it is connected and read."
        )
    check_settings(services, integration_id, other)
    after = read_users(services, manifest, other)
    with _taken_back(services.store) as connection:
        today = _plan(services, connection, manifest, before, current)
        change = put_change(connection, integration_id, other, actor="what-if", now=services.now())
        then = _plan(services, connection, manifest, after, other)
    renames = metadata_renames(current, other)
    return WhatIf(manifest.extract_id, manifest.complete, today, then, other, renames, change.renamed)


def _plan(
    services: Services, connection: sa.Connection, manifest: Manifest, transformed: Transformed, settings: Settings
) -> Plan:
    return compute_plan(
        services,
        connection,
        manifest,
        transformed.mapped.users,
        settings,
        bad=transformed.quarantined,
        warnings=transformed.warnings,
    )


class _TakenBackError(Exception):
    """Rolls a transaction back."""


@contextmanager
def _taken_back(store: Store) -> Iterator[sa.Connection]:
    """A transaction in which anything may be written; it is rolled back at its end."""
    with suppress(_TakenBackError), store.begin() as connection:
        yield connection
        raise _TakenBackError
