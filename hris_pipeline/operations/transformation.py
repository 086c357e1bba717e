"""From an extract to employees to mapped users; whatever cannot be used goes to the quarantine."""

from typing import Literal

import pandas as pd

from hris_pipeline.errors import UsageError
from hris_pipeline.operations.services import Services
from hris_pipeline.settings.document import Settings
from hris_pipeline.settings.mapping import needs_custom_fields
from hris_pipeline.sources.extract_reader import read_columns
from hris_pipeline.sources.protocol import Manifest
from hris_pipeline.store.quarantine import replace_quarantine
from hris_pipeline.store.settings_versions import current_settings
from hris_pipeline.transform.map_users import Mapped, map_users
from hris_pipeline.transform.normalise import normalise
from hris_pipeline.transform.validate import TooManyBadRows, Validated, validate

__all__ = ["build_employees", "build_mapped_users", "read_employees", "read_mapped_users"]


def read_employees(services: Services, manifest: Manifest) -> Validated:
    """The employees of an extract, and what is wrong with the others; nothing is stored.

    Raises:
        FrameInvalid: the extract as a whole cannot be used.
    """
    return validate(normalise(read_columns(manifest, services.archive)))


def read_mapped_users(manifest: Manifest, employees: pd.DataFrame, settings: Settings) -> Mapped:
    """The users that the settings make of the employees; nothing is stored.

    Raises:
        UsageError: the settings name custom fields, and the extract was read without their values.
    """
    if needs_custom_fields(settings) and not manifest.with_custom_fields:
        raise UsageError(
            f"The settings of {manifest.integration_id} name custom fields, and extract {manifest.extract_id} was read "
            f"without their values: read again with `hris preview {manifest.integration_id}`."
        )
    return map_users(employees, settings, manifest.company)


def build_employees(services: Services, manifest: Manifest) -> Validated:
    """``read_employees``, with the quarantined rows kept in the store, also when they are too many to go on."""
    try:
        validated = read_employees(services, manifest)
    except TooManyBadRows as error:
        _keep(services, manifest, "employees", error.quarantined)
        raise
    _keep(services, manifest, "employees", validated.quarantined)
    return validated


def build_mapped_users(
    services: Services, manifest: Manifest, employees: pd.DataFrame, settings: Settings | None = None
) -> Mapped:
    """``read_mapped_users`` under the settings in force (read, unless whoever calls has), with the quarantined rows
    kept in the store."""
    if settings is None:
        with services.store.read() as connection:
            settings = current_settings(connection, manifest.integration_id).settings
    mapped = read_mapped_users(manifest, employees, settings)
    _keep(services, manifest, "mapped_users", mapped.quarantined)
    return mapped


def _keep(
    services: Services, manifest: Manifest, stage: Literal["employees", "mapped_users"], quarantined: pd.DataFrame
) -> None:
    with services.store.begin() as connection:
        replace_quarantine(connection, manifest.integration_id, manifest.extract_id, stage, quarantined, services.now())
