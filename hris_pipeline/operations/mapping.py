"""What the source offers: every field with how many people have it, a sample, and what it feeds."""

from dataclasses import dataclass

import pandas as pd

from hris_pipeline.change_set.identity import match_rates
from hris_pipeline.operations.extraction import kept_manifest
from hris_pipeline.operations.services import Services
from hris_pipeline.operations.transformation import read_employees
from hris_pipeline.settings.document import Settings
from hris_pipeline.settings.fields import CUSTOM_PREFIX, EMPLOYEE_FIELDS
from hris_pipeline.settings.mapping import custom_labels, effective_mapping, effective_metadata
from hris_pipeline.settings.values import custom_label
from hris_pipeline.sources.protocol import Manifest
from hris_pipeline.store.integrations import get_integration
from hris_pipeline.store.settings_versions import current_settings
from hris_pipeline.store.snapshot import holds_users_of_others_alone, read_snapshot
from hris_pipeline.transform.columns import as_text, is_in
from hris_pipeline.transform.source_columns import SourceColumns

__all__ = ["SourceField", "mapping_view", "matching_ids", "who_was_asked"]


@dataclass(frozen=True)
class SourceField:
    """One field of the source. ``asked``: how many people's values were read, of a sample when ``sampled``;
    ``fill_rate``: the share (0 to 1) of them who have one; None when nobody was asked, so that nothing is known.
    ``unread``: of how many something came that could not be read. ``sample``: the first value that anybody has, a
    person's data; ``feeds`` names user fields, and metadata as ``#Name``."""

    source: str
    title: str
    fill_rate: float | None
    sample: str | None
    feeds: tuple[str, ...]
    asked: int
    sampled: bool = False
    unread: int = 0

    @property
    def filled(self) -> str:
        """How many people have it, in words (``12%``, ``12% of 50 asked``, ``unknown``), and how many are unread."""
        if self.fill_rate is None:
            return "unknown"
        share = f"{self.fill_rate:.0%} of {self.asked} asked" if self.sampled else f"{self.fill_rate:.0%}"
        return f"{share}, {self.unread} unread" if self.unread else share


def mapping_view(services: Services, integration_id: str) -> tuple[SourceField, ...]:
    """Every source field of the latest extract, custom fields by label.

    Raises:
        UnknownName: nothing was ever extracted.
    """
    manifest = kept_manifest(services, integration_id)
    with services.store.read() as connection:
        settings = current_settings(connection, integration_id).settings
    people = read_employees(services, manifest, settings).people
    employees = pd.concat([people.rows, people.failed], ignore_index=True)
    titles = {field.name: field.title for field in EMPLOYEE_FIELDS if field.kind != "custom"}
    titles |= {f"{CUSTOM_PREFIX}{label}": label for label in custom_labels(manifest.company).values()}
    everybody = SourceColumns(employees, manifest.company)
    asked = SourceColumns(who_was_asked(employees, manifest), manifest.company)
    return tuple(
        _field(source, title, (everybody if custom_label(source) is None else asked)(source), settings, manifest)
        for source, title in titles.items()
    )


def who_was_asked(employees: pd.DataFrame, manifest: Manifest) -> pd.DataFrame:
    """The employees whose custom values were read: all of them, or the sample."""
    return employees if manifest.with_custom_fields else employees[is_in(employees["hris_id"], manifest.sampled)]


def matching_ids(services: Services, integration_id: str, extract_id: str | None = None) -> dict[str, int]:
    """Before the first import into a directory with users: for each id-like source field (ids, custom fields) how many
    of their EmployeeIds it would match, the best first; empty once the integration manages users.

    Raises:
        UnknownName: nothing was ever extracted.
    """
    with services.store.read() as connection:
        directory_id = get_integration(connection, integration_id).directory_id
        if not holds_users_of_others_alone(connection, integration_id, directory_id):
            return {}
        settings = current_settings(connection, integration_id).settings
        users = read_snapshot(connection, directory_id)
    manifest = kept_manifest(services, integration_id, extract_id)
    columns = SourceColumns(read_employees(services, manifest, settings).employees, manifest.company)
    labels = custom_labels(manifest.company).values()
    sources = ["justworks_id", "hris_id", *(f"{CUSTOM_PREFIX}{label}" for label in labels)]
    rates = match_rates({source: columns(source) for source in sources}, users["employee_id"])
    return dict(sorted(rates.items(), key=lambda rate: (-rate[1], rate[0])))


def _field(source: str, title: str, values: pd.Series, settings: Settings, manifest: Manifest) -> SourceField:
    filled = as_text(values.dropna())
    feeds = [target for target, feeding in effective_mapping(settings).items() if feeding == source]
    feeds += [entry.name.column for entry in effective_metadata(settings) if entry.source == source]
    unread = manifest.unread.get("custom_fields" if custom_label(source) is not None else source)
    return SourceField(
        source=source,
        title=title,
        fill_rate=len(filled) / len(values) if len(values) else None,
        sample=None if filled.empty else str(filled.iloc[0]),
        feeds=tuple(feeds),
        asked=len(values),
        sampled=custom_label(source) is not None and not manifest.with_custom_fields,
        unread=unread.count if unread else 0,
    )
