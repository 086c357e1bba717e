"""What commands ask of Dagster: running the jobs that the UI shows and reading what became of the import, and what
commands that start without Dagster ask of it in the end.

They import this only then.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from hris_pipeline.cli.common import actor
from hris_pipeline.cli.printing import progress
from hris_pipeline.definitions import defs
from hris_pipeline.defs.assets.employees import observe_settings, out_of_date
from hris_pipeline.defs.io_manager import frames_root, remove_frames, reseal_frames
from hris_pipeline.defs.runs import DECIDED_TAG, METHOD_TAG, remove_partition
from hris_pipeline.environment import Environment
from hris_pipeline.errors import HrisError
from hris_pipeline.files import Sealer
from hris_pipeline.operations.overview import read_import
from hris_pipeline.operations.services import Services
from hris_pipeline.running import JobResult, apply_config, members_config, open_instance, run_job
from hris_pipeline.store.imports import Import
from hris_pipeline.store.integrations import current_settings

__all__ = [
    "forget_partition",
    "frames_remover",
    "frames_resealer",
    "known_assets",
    "out_of_date_assets",
    "run_assets",
    "run_backfill",
    "run_import",
    "run_preview",
    "run_save",
]

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
    ended = _run_with_progress(
        services, ASSET_JOB, integration_id, "Making", config=config, assets=assets, trigger="backfill"
    )
    return read_import(services, ended.import_id) if ended.import_id else None


def _run(
    services: Services,
    job: str,
    integration_id: str,
    title: str,
    *,
    config: Mapping[str, Any] | None = None,
    trigger: str = "manual",
) -> Import:
    ended = _run_with_progress(services, job, integration_id, title, config=config, trigger=trigger)
    if ended.import_id is None:
        raise HrisError(f"{job} of {integration_id} made no import: {ended.skipped or 'nothing was planned'}.")
    return read_import(services, ended.import_id)


def _run_with_progress(
    services: Services,
    job: str,
    integration_id: str,
    title: str,
    *,
    config: Mapping[str, Any] | None,
    trigger: str,
    assets: Sequence[str] = (),
) -> JobResult:
    logging.getLogger("dagster").setLevel(logging.CRITICAL)
    with progress(f"{title} ({integration_id})", "read") as show_progress:
        return run_job(
            job,
            integration_id,
            actor=actor(),
            trigger=trigger,
            tags={METHOD_TAG: "os", DECIDED_TAG: "yes"},
            config=config,
            assets=assets,
            progress=show_progress,
            environment=services.environment,
        )


def frames_remover(environment: Environment) -> Callable[[str], None]:
    """Removes the frames of the integration it is told."""
    return lambda integration_id: remove_frames(frames_root(environment.files_url), integration_id)


def frames_resealer(environment: Environment) -> Callable[[Sealer], tuple[int, int]]:
    """Seals every frame anew."""
    return lambda sealer: reseal_frames(frames_root(environment.files_url), sealer)


def out_of_date_assets(services: Services, names: Iterable[str]) -> dict[str, list[str]]:
    """By integration: the assets made from something that changed since; Dagster is told the settings first."""
    stale = {}
    with open_instance(services.environment) as instance:
        for name in names:
            with services.store.read() as connection:
                in_force = current_settings(connection, name)
            observe_settings(instance, in_force)
            stale[name] = out_of_date(defs, instance, name)
    return stale


def forget_partition(environment: Environment, integration_id: str) -> None:
    """Takes a deleted integration out of Dagster's partitions, where there is a Dagster instance."""
    if (environment.dagster_home / "dagster.yaml").exists():
        with open_instance(environment) as instance:
            remove_partition(instance, integration_id)
