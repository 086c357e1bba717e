"""The one place where everything meets. Nothing is opened, read or asked of the environment until a run starts."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from hris_pipeline.defs.assets import ASSETS
from hris_pipeline.defs.automation import SCHEDULES, SENSORS
from hris_pipeline.defs.io_manager import FrameIOManagerFactory, ManifestIOManagerFactory
from hris_pipeline.defs.jobs import JOBS
from hris_pipeline.defs.runs import ProgressResource, ServicesResource

__all__ = ["build_defs", "defs"]


def build_defs(*, resource_overrides: Mapping[str, Any] | None = None) -> dg.Definitions:
    """All definitions; ``resource_overrides`` stand in for the resources of the same names (``services``,
    ``progress``, ``frames``, ``manifests``)."""
    resources = {
        "services": ServicesResource(),
        "progress": ProgressResource(),
        "frames": FrameIOManagerFactory(),
        "manifests": ManifestIOManagerFactory(),
    }
    return dg.Definitions(
        assets=ASSETS,
        jobs=JOBS,
        schedules=SCHEDULES,
        sensors=SENSORS,
        resources=resources | dict(resource_overrides or {}),
        executor=dg.in_process_executor,
    )


defs = build_defs()
