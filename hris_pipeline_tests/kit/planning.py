"""From a kept extract to a staged import, without Dagster: what the assets do one after another."""

from hris_pipeline.contract import Trigger
from hris_pipeline.operations.members import build_employees, build_mapped_users
from hris_pipeline.operations.planning import plan_import
from hris_pipeline.operations.services import Services
from hris_pipeline.operations.settings import read_settings
from hris_pipeline.sources.protocol import Manifest
from hris_pipeline.store.imports import Import

__all__ = ["plan_extract"]


def plan_extract(services: Services, manifest: Manifest, *, actor: str, trigger: Trigger = "manual") -> Import:
    """The import that an extract leads to under the settings in force, staged."""
    settings = read_settings(services, manifest.integration_id).settings
    validated = build_employees(services, manifest, settings)
    mapped = build_mapped_users(services, manifest, validated.people, settings)
    warnings = {**validated.warnings, **mapped.warnings}
    return plan_import(services, manifest, mapped.users, warnings=warnings, trigger=trigger, actor=actor, run_id=None)
