"""What the source offers: every field with how many people have it, a sample, and what it feeds."""

from dataclasses import dataclass

import pandas as pd

from hris_pipeline.change_set.identity import match_rates
from hris_pipeline.operations.extraction import kept_manifest
from hris_pipeline.operations.services import Services
from hris_pipeline.operations.transformation import read_employees
from hris_pipeline.settings.document import Settings
from hris_pipeline.settings.fields import CUSTOM_PREFIX, EMPLOYEE_FIELDS
from hris_pipeline.settings.mapping import effective_mapping, effective_metadata
from hris_pipeline.store.integrations import get_integration
from hris_pipeline.store.settings_versions import current_settings
from hris_pipeline.store.snapshot import read_snapshot
from hris_pipeline.transform.columns import as_text
from hris_pipeline.transform.map_users import SourceColumns

__all__ = ["SourceField", "mapping_view", "matching_ids"]


@dataclass(frozen=True)
class SourceField:
    """One field of the source. ``fill_rate`` is 0 to 1; ``sample`` the first value that anybody has, a person's data;
    ``feeds`` names user fields, and metadata as ``#Name``."""

    source: str
    title: str
    fill_rate: float
    sample: str | None
    feeds: tuple[str, ...]


def mapping_view(services: Services, integration_id: str) -> tuple[SourceField, ...]:
    """Every source field of the latest extract, custom fields by label.

    Raises:
        UnknownName: nothing was ever extracted.
    """
    manifest = kept_manifest(services, integration_id)
    with services.store.read() as connection:
        settings = current_settings(connection, integration_id).settings
    employees = read_employees(services, manifest).employees
    columns = SourceColumns(employees, manifest.company)
    titles = {field.name: field.title for field in EMPLOYEE_FIELDS if field.kind != "custom"}
    titles |= {f"{CUSTOM_PREFIX}{item.label}": item.label for item in manifest.company.custom_fields}
    return tuple(_field(source, title, columns(source), settings) for source, title in titles.items())


def matching_ids(services: Services, integration_id: str, extract_id: str | None = None) -> dict[str, int]:
    """Before the first import into a directory with users: for each id-like source field (ids, custom fields) how many
    of their EmployeeIds it would match, the best first; empty once the integration manages users.

    Raises:
        UnknownName: nothing was ever extracted.
    """
    manifest = kept_manifest(services, integration_id, extract_id)
    with services.store.read() as connection:
        users = read_snapshot(connection, get_integration(connection, integration_id).directory_id)
    if users.empty or (users["integration_id"] == integration_id).any():
        return {}
    columns = SourceColumns(read_employees(services, manifest).employees, manifest.company)
    labels = (item.label for item in manifest.company.custom_fields)
    sources = ["justworks_id", "hris_id", *(f"{CUSTOM_PREFIX}{label}" for label in labels)]
    rates = match_rates({source: columns(source) for source in sources}, users["employee_id"])
    return dict(sorted(rates.items(), key=lambda rate: (-rate[1], rate[0])))


def _field(source: str, title: str, values: pd.Series, settings: Settings) -> SourceField:
    filled = as_text(values.dropna())
    feeds = [target for target, feeding in effective_mapping(settings).items() if feeding == source]
    feeds += [entry.name.column for entry in effective_metadata(settings) if entry.source == source]
    return SourceField(
        source=source,
        title=title,
        fill_rate=len(filled) / len(values) if len(values) else 0.0,
        sample=None if filled.empty else str(filled.iloc[0]),
        feeds=tuple(feeds),
    )
