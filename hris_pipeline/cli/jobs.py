"""Running the Dagster jobs that the UI shows, and reading what became of the import."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from hris_pipeline.cli.common import actor
from hris_pipeline.cli.printing import progress
from hris_pipeline.definitions import defs
from hris_pipeline.defs.runs import METHOD_TAG
from hris_pipeline.errors import HrisError
from hris_pipeline.operations.imports import read_import
from hris_pipeline.operations.services import Services
from hris_pipeline.running import JobResult, apply_config, members_config, run_job
from hris_pipeline.store.imports import Import

__all__ = ["known_assets", "run_assets", "run_backfill", "run_import", "run_preview", "run_save"]

ASSET_JOB = "__ASSET_JOB"
"""Dagster's own job of all assets, under which the UI shows what is materialized by itself."""


def run_preview(services: Services, integration_id: str) -> Import:
    """Reads, validates, maps and plans; changes no user."""
    return _run(services, "preview_import", integration_id, "Reading people")


def run_save(services: Services, integration_id: str, import_id: str) -> Import:
    """Applies the import of that id.

    Raises:
        ImportHeld: a guard holds it.
        ImportStale: it no longer fits.
    """
    return _run(services, "save_import", integration_id, "Applying", config=apply_config(import_id))


def run_import(services: Services, integration_id: str) -> Import:
    """Plans and applies in one.

    Raises:
        ImportHeld: a guard holds what was planned.
    """
    return _run(services, "import_users", integration_id, "Importing")


def run_backfill(services: Services, integration_id: str, *, fresh: bool, apply: bool) -> Import:
    """Plans again, from the latest kept extract or a fresh one; ``apply`` also applies what no guard holds.

    Raises:
        ImportHeld: ``apply``, and a guard holds what was planned.
    """
    job = "import_users" if apply else "preview_import"
    config = members_config("fresh" if fresh else "latest")
    return _run(services, job, integration_id, "Planning", config=config, trigger="backfill")


def known_assets() -> list[str]:
    """The names of what can be materialized."""
    return sorted(key.to_user_string() for key in defs.resolve_asset_graph().materializable_asset_keys)


def run_assets(services: Services, integration_id: str, assets: Sequence[str], *, fresh: bool) -> Import | None:
    """Materializes these assets alone, as a backfill in the UI does; gives the import, when one was planned or applied.
    ``fresh`` matters to ``justworks_members`` only."""
    config = members_config("fresh" if fresh else "latest") if "justworks_members" in assets else None
    ended = _ended(services, ASSET_JOB, integration_id, "Making", config=config, assets=assets, trigger="backfill")
    return read_import(services, ended.import_id) if ended.import_id else None


def _run(
    services: Services,
    job: str,
    integration_id: str,
    what: str,
    *,
    config: Mapping[str, Any] | None = None,
    trigger: str = "manual",
) -> Import:
    ended = _ended(services, job, integration_id, what, config=config, trigger=trigger)
    if ended.import_id is None:
        raise HrisError(f"{job} of {integration_id} made no import: {ended.skipped or 'nothing was planned'}.")
    return read_import(services, ended.import_id)


def _ended(
    services: Services,
    job: str,
    integration_id: str,
    what: str,
    *,
    config: Mapping[str, Any] | None,
    trigger: str,
    assets: Sequence[str] = (),
) -> JobResult:
    logging.getLogger("dagster").setLevel(logging.CRITICAL)
    with progress(f"{what} ({integration_id})", "read") as show_progress:
        return run_job(
            job,
            integration_id,
            actor=actor(),
            trigger=trigger,
            tags={METHOD_TAG: "os"},
            config=config,
            assets=assets,
            progress=show_progress,
            environment=services.environment,
        )
