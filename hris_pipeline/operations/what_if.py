"""Looking without storing: the change set under other settings, or from an earlier extract, beside today's."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from hris_pipeline.change_set.plan import Plan
from hris_pipeline.operations.extraction import kept_manifest
from hris_pipeline.operations.planning import compute_plan
from hris_pipeline.operations.services import Services
from hris_pipeline.operations.transformation import read_employees, read_mapped_users
from hris_pipeline.settings.document import Settings
from hris_pipeline.settings.loading import set_values
from hris_pipeline.store.settings_versions import current_settings

__all__ = ["WhatIf", "what_if"]


@dataclass(frozen=True)
class WhatIf:
    """Two plans of the same extract: under the settings in force, and under the others; nothing of them is stored."""

    extract_id: str
    complete: bool
    today: Plan
    then: Plan
    settings: Settings


def what_if(
    services: Services, integration_id: str, *, changes: Sequence[str] = (), extract_id: str | None = None
) -> WhatIf:
    """What an import of a kept extract (the latest by default) would do with some settings changed.

    Args:
        services: The store, the archive and the clock.
        integration_id: The integration.
        changes: Settings as ``key=value``.
        extract_id: Which kept extract.

    Raises:
        SettingsInvalid: a change is no valid setting.
        UnknownName: no such extract is kept.
    """
    manifest = kept_manifest(services, integration_id, extract_id)
    validated = read_employees(services, manifest)
    with services.store.read() as connection:
        current = current_settings(connection, integration_id).settings
        other = set_values(current, list(changes))

        def plan(settings: Settings) -> Plan:
            mapped = read_mapped_users(manifest, validated.employees, settings)
            bad = pd.concat([validated.quarantined, mapped.quarantined], ignore_index=True)
            warnings = {**validated.warnings, **mapped.warnings}
            return compute_plan(services, connection, manifest, mapped.users, settings, bad=bad, warnings=warnings)

        today = plan(current)
        return WhatIf(manifest.extract_id, manifest.complete, today, plan(other) if changes else today, other)
