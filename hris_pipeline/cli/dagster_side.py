"""What commands that start without Dagster ask of it in the end; they import this only then."""

from collections.abc import Callable, Iterable

from hris_pipeline.definitions import defs
from hris_pipeline.defs.io_manager import frames_root, remove_frames, reseal_frames
from hris_pipeline.defs.observation import observe_settings, out_of_date
from hris_pipeline.defs.partitions import remove_partition
from hris_pipeline.environment import Environment
from hris_pipeline.files import Sealer
from hris_pipeline.operations.services import Services
from hris_pipeline.running import open_instance
from hris_pipeline.store.settings_versions import current_settings

__all__ = ["forget_partition", "frames_remover", "frames_resealer", "out_of_date_assets"]


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
