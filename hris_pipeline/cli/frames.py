"""Removing the frames that Dagster keeps."""

from collections.abc import Callable

from hris_pipeline.defs.io_manager import frames_root, remove_frames
from hris_pipeline.environment import Environment

__all__ = ["frames_remover"]


def frames_remover(environment: Environment) -> Callable[[str], None]:
    """Removes the frames of the integration it is told."""
    return lambda integration_id: remove_frames(frames_root(environment.files_url), integration_id)
