"""From an extract to employees to mapped users; whatever cannot be used goes to the quarantine. The settings are read
once by whoever asks, and passed down: what is mapped, planned and stamped is under the same ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from hris_pipeline.errors import UsageError
from hris_pipeline.operations.services import Services
from hris_pipeline.settings.calendar import local_date
from hris_pipeline.settings.document import Settings
from hris_pipeline.settings.mapping import needs_custom_fields
from hris_pipeline.sources.extract_reader import read_columns
from hris_pipeline.sources.protocol import Manifest
from hris_pipeline.store.quarantine import replace_quarantine
from hris_pipeline.transform.map_users import Mapped, map_users
from hris_pipeline.transform.normalise import normalise
from hris_pipeline.transform.validate import Employees, TooManyBadRows, Validated, validate

__all__ = [
    "Transformed",
    "build_employees",
    "build_mapped_users",
    "read_employees",
    "read_mapped_users",
    "read_users",
]


@dataclass(frozen=True)
class Transformed:
    """An extract under some settings: its employees, and the users they make."""

    validated: Validated
    mapped: Mapped

    @property
    def quarantined(self) -> pd.DataFrame:
        """The quarantine lines of both steps."""
        return pd.concat([self.validated.quarantined, self.mapped.quarantined], ignore_index=True)

    @property
    def warnings(self) -> Mapping[str, tuple[str, ...]]:
        """hris_ids by code, of both steps."""
        return {**self.validated.warnings, **self.mapped.warnings}


def read_employees(services: Services, manifest: Manifest, settings: Settings) -> Validated:
    """The employees of an extract, and what is wrong with the others; nothing is stored.

    Raises:
        FrameInvalid: the extract as a whole cannot be used.
    """
    columns = services.fresh.take(manifest, services.archive) or read_columns(manifest, services.archive)
    members = normalise(columns)
    return validate(members, local_date(settings, services.now()))


def read_mapped_users(services: Services, manifest: Manifest, people: Employees, settings: Settings) -> Mapped:
    """The users that the settings make of the employees; nothing is stored.

    Raises:
        UsageError: the settings name custom fields, and the extract was read without their values.
        TooManyBadRows: nobody has an EmployeeId, or too many people's rows cannot be used.
    """
    if needs_custom_fields(settings) and not manifest.with_custom_fields:
        raise UsageError(
            f"The settings of {manifest.integration_id} name custom fields, and extract {manifest.extract_id} was read "
            f"without their values: read again with `hris preview {manifest.integration_id}`."
        )
    return map_users(people, settings, manifest.company, local_date(settings, services.now()))


def read_users(services: Services, manifest: Manifest, settings: Settings) -> Transformed:
    """The whole way from an extract to users under the settings; nothing is stored.

    Raises:
        UsageError: the settings name custom fields, and the extract was read without their values.
        FrameInvalid: the extract as a whole cannot be used.
    """
    validated = read_employees(services, manifest, settings)
    return Transformed(validated, read_mapped_users(services, manifest, validated.people, settings))


def build_employees(services: Services, manifest: Manifest, settings: Settings) -> Validated:
    """``read_employees``, with the quarantined rows kept in the store, also when they are too many to go on."""
    try:
        validated = read_employees(services, manifest, settings)
    except TooManyBadRows as error:
        _keep(services, manifest, "employees", error.quarantined)
        raise
    _keep(services, manifest, "employees", validated.quarantined)
    return validated


def build_mapped_users(services: Services, manifest: Manifest, people: Employees, settings: Settings) -> Mapped:
    """``read_mapped_users``, with the quarantined rows kept in the store, also when they are too many to go on."""
    try:
        mapped = read_mapped_users(services, manifest, people, settings)
    except TooManyBadRows as error:
        _keep(services, manifest, "mapped_users", error.quarantined)
        raise
    _keep(services, manifest, "mapped_users", mapped.quarantined)
    return mapped


def _keep(
    services: Services, manifest: Manifest, stage: Literal["employees", "mapped_users"], quarantined: pd.DataFrame
) -> None:
    with services.store.begin() as connection:
        replace_quarantine(connection, manifest.integration_id, manifest.extract_id, stage, quarantined, services.now())
