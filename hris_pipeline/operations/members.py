"""From an extract to employees to mapped users; the mapping as people see it: every source field with how many people
have it, a sample, and what it feeds; and how many people of an extract settings would concern.

Rows that cannot be used go to the quarantine. The caller reads the settings once and passes them down, so that users
are mapped, planned and stamped under the same ones. All of it works on frames, which reading an extract
(``extraction``) and most changes of settings do not need. Planning with the store stands in ``planning``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import pandas as pd

from hris_pipeline.change_set.classification import find_relisted_elsewhere
from hris_pipeline.change_set.directory import PlanContext
from hris_pipeline.change_set.identity import match_rates
from hris_pipeline.errors import Problem, UsageError
from hris_pipeline.operations.extraction import kept_manifest, look_manifest
from hris_pipeline.operations.services import Services
from hris_pipeline.settings.calendar import local_date
from hris_pipeline.settings.document import Rule, Settings
from hris_pipeline.settings.fields import CUSTOM_PREFIX, EMPLOYEE_FIELDS_BY_NAME
from hris_pipeline.settings.mapping import custom_labels, effective_mapping, effective_metadata, needs_custom_fields
from hris_pipeline.settings.values import SOURCE_COLUMNS, custom_label
from hris_pipeline.sources.extract import read_columns, read_holes
from hris_pipeline.sources.protocol import Manifest
from hris_pipeline.sources.raw_columns import RawColumns
from hris_pipeline.store.frames import StoredDirectory, holds_users_of_others_alone, read_snapshot
from hris_pipeline.store.integrations import current_settings, get_integration
from hris_pipeline.store.review_queues import record_relisted, replace_quarantine, resolutions
from hris_pipeline.transform.columns import SourceColumns, as_text, concat_rows, give_back_memory, is_in
from hris_pipeline.transform.eligibility import match_rule, matches_everybody
from hris_pipeline.transform.map_users import Mapped, map_identities, map_users
from hris_pipeline.transform.normalise import Normalised, normalise
from hris_pipeline.transform.validate import Employees, TooManyBadRows, Validated, read_listed, validate

__all__ = [
    "Shares",
    "SourceField",
    "Transformed",
    "build_employees",
    "build_mapped_users",
    "matching_ids",
    "read_employees",
    "read_hole_identities",
    "read_mapped_users",
    "read_mapping",
    "read_shares",
    "read_users",
    "who_was_asked",
]


@dataclass(frozen=True)
class Transformed:
    """An extract under some settings: its employees, and the users they make."""

    validated: Validated
    mapped: Mapped

    @property
    def quarantined(self) -> pd.DataFrame:
        """The quarantine lines of both steps."""
        return concat_rows(self.validated.quarantined, self.mapped.quarantined)

    @property
    def warnings(self) -> Mapping[str, tuple[str, ...]]:
        """hris_ids by code, of both steps."""
        return {**self.validated.warnings, **self.mapped.warnings}


def read_employees(services: Services, manifest: Manifest, settings: Settings) -> Validated:
    """The employees of an extract, and what is wrong with the others; nothing is stored.

    Raises:
        FrameInvalid: the extract as a whole cannot be used.
    """
    give_back_memory()
    return validate(_normalise_extract(services, manifest), local_date(settings, services.now()))


def _normalise_extract(services: Services, manifest: Manifest) -> Normalised:
    """The extract normalised; its raw columns are freed on the way, nothing needs them later."""
    return normalise(services.fresh.take(manifest, services.archive) or read_columns(manifest, services.archive))


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
    give_back_memory()
    today = local_date(settings, services.now())
    return map_users(people, settings, manifest.company, today, has_holes=bool(manifest.holes))


def read_users(services: Services, manifest: Manifest, settings: Settings) -> Transformed:
    """The whole way from an extract to users under the settings; nothing is stored.

    Raises:
        UsageError: the settings name custom fields, and the extract was read without their values.
        FrameInvalid: the extract as a whole cannot be used.
    """
    validated = read_employees(services, manifest, settings)
    return Transformed(validated, read_mapped_users(services, manifest, validated.people, settings))


def read_hole_identities(services: Services, manifest: Manifest, settings: Settings) -> pd.DataFrame:
    """Who the holes of an extract are, as far as the list itself tells it: ``IDENTITY_COLUMNS``, who
    ``works`` and who has ``left``, one row a hole.

    Raises:
        UnknownName, FrameInvalid: the extract's lines are gone or damaged.
    """
    return _read_identities(services, manifest, settings, read_holes(manifest, services.archive))


def _read_identities(services: Services, manifest: Manifest, settings: Settings, columns: RawColumns) -> pd.DataFrame:
    listed = read_listed(normalise(columns))
    return map_identities(listed, settings, manifest.company, local_date(settings, services.now()))


def build_employees(services: Services, manifest: Manifest, settings: Settings) -> Validated:
    """``read_employees``, with the quarantined rows kept in the store, also when they are too many to go on."""
    try:
        validated = read_employees(services, manifest, settings)
    except TooManyBadRows as error:
        _keep(services, manifest, "employees", error.quarantined)
        _remember_relisted(services, manifest, settings, error.quarantined)
        raise
    _keep(services, manifest, "employees", validated.quarantined)
    return validated


def build_mapped_users(services: Services, manifest: Manifest, people: Employees, settings: Settings) -> Mapped:
    """``read_mapped_users``, with the quarantined rows kept in the store, also when they are too many to go on."""
    try:
        mapped = read_mapped_users(services, manifest, people, settings)
    except TooManyBadRows as error:
        _keep(services, manifest, "mapped_users", error.quarantined)
        _remember_relisted(services, manifest, settings, error.quarantined)
        raise
    _keep(services, manifest, "mapped_users", mapped.quarantined)
    return mapped


def _keep(
    services: Services, manifest: Manifest, stage: Literal["employees", "mapped_users"], quarantined: pd.DataFrame
) -> None:
    with services.store.begin() as connection:
        replace_quarantine(connection, manifest.integration_id, manifest.extract_id, stage, quarantined, services.now())


def _remember_relisted(services: Services, manifest: Manifest, settings: Settings, bad: pd.DataFrame) -> None:
    """Of an extract that no plan is made of: who of its members seem to be users of the directory's other integrations,
    so that these do not archive them meanwhile; beside those that are remembered already."""
    holes = read_hole_identities(services, manifest, settings)
    members = _read_identities(services, manifest, settings, read_columns(manifest, services.archive))
    members = members.assign(incomplete=members["hris_id"].isna() | is_in(members["hris_id"], bad["hris_id"]))
    suspects = concat_rows(members, holes.assign(incomplete=True))
    suspects = suspects[suspects["works"]]
    with services.store.begin() as connection:
        integration = get_integration(connection, manifest.integration_id)
        directory = StoredDirectory(connection, integration.directory_id, manifest.integration_id)
        context = PlanContext(
            integration_id=manifest.integration_id,
            today=local_date(settings, services.now()),
            complete=False,
            resolutions=resolutions(connection, manifest.integration_id),
        )
        pairs = find_relisted_elsewhere(directory, directory.snapshot(), context, suspects=lambda: suspects)
        record_relisted(connection, manifest.integration_id, pairs, complete=False)


@dataclass(frozen=True)
class SourceField:
    """One field of the source. ``asked``: how many people's values were read, of a sample when ``sampled``;
    ``fill_rate``: the share (0 to 1) of them who have one; None when nobody was asked, so that nothing is known.
    ``unread``: of how many something came that could not be read; ``granted``: whether the consent lets it be read.
    ``sample``: the first value that anybody has, a person's data; ``feeds`` names user fields, and metadata as
    ``#Name``."""

    source: str
    title: str
    fill_rate: float | None
    sample: str | None
    feeds: tuple[str, ...]
    asked: int
    sampled: bool = False
    unread: int = 0
    granted: bool = True

    @property
    def filled(self) -> str:
        """How many people have it, in words (``12%``, ``12% of 50 asked``, ``not granted``, ``unknown``), and how many
        are unread."""
        if self.fill_rate is None:
            return "unknown"
        if not (self.granted or self.fill_rate):
            return "0%, not granted"
        share = f"{self.fill_rate:.0%} of {self.asked} asked" if self.sampled else f"{self.fill_rate:.0%}"
        return f"{share}, {self.unread} unread" if self.unread else share


def read_mapping(services: Services, integration_id: str) -> tuple[SourceField, ...]:
    """Every source field of the latest extract, custom fields by label; before the first, of what was read when
    connecting.

    Raises:
        UnknownName: nothing was ever read.
    """
    from hris_pipeline.operations.connection import fields_refused  # noqa: PLC0415 - it speaks to the source

    manifest = look_manifest(services, integration_id)
    with services.store.read() as connection:
        settings = current_settings(connection, integration_id).settings
    people = read_employees(services, manifest, settings).people
    employees = concat_rows(people.rows, people.failed)
    titles = {name: EMPLOYEE_FIELDS_BY_NAME[name].title for name in SOURCE_COLUMNS}
    titles |= {f"{CUSTOM_PREFIX}{label}": label for label in custom_labels(manifest.company).values()}
    everybody = SourceColumns(employees, manifest.company)
    asked = SourceColumns(who_was_asked(employees, manifest), manifest.company)
    fields = (
        _source_field(source, title, (everybody if custom_label(source) is None else asked)(source), settings, manifest)
        for source, title in titles.items()
    )
    refused = fields_refused(services, integration_id)
    return tuple(replace(field, granted=field.source not in refused) for field in fields)


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


def _source_field(source: str, title: str, values: pd.Series, settings: Settings, manifest: Manifest) -> SourceField:
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
        sampled=manifest.first_page or (custom_label(source) is not None and not manifest.with_custom_fields),
        unread=unread.count if unread else 0,
    )


@dataclass(frozen=True)
class Shares:
    """How some settings fit the people of an extract: for each rule that can be tried, the share (0 to 1) of people who
    match it; for each associated metadata field that has values, the share of values that name somebody; and
    warnings."""

    by_rule: Mapping[str, float] = field(default_factory=dict)
    by_reference: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[Problem, ...] = ()


def read_shares(services: Services, manifest: Manifest, settings: Settings) -> Shares:
    """The shares among the people of an extract.

    Raises:
        FrameInvalid: the extract as a whole cannot be used.
    """
    employees = read_employees(services, manifest, settings).employees
    columns = SourceColumns(employees, manifest.company)
    asked = SourceColumns(who_was_asked(employees, manifest), manifest.company)
    warnings: tuple[Problem, ...] = ()
    if not manifest.with_custom_fields and len(manifest.sampled):
        warnings = tuple(
            Problem(
                f"do_not_import.{rule.name}", f"rule {rule.name!r} matches all {manifest.asked} people asked so far"
            )
            for rule in settings.do_not_import
            if (manifest.first_page or _asks_custom_fields(rule)) and matches_everybody(rule, asked)
        )
    if manifest.first_page:  # what some people say refuses nothing
        return Shares(warnings=warnings)
    return Shares(_rule_shares(settings, manifest, columns), _reference_shares(settings, columns, asked), warnings)


def _rule_shares(settings: Settings, manifest: Manifest, columns: SourceColumns) -> dict[str, float]:
    """Of each rule that can be tried, the share of people who match it."""
    return {
        rule.name: float(match_rule(rule, columns).mean())
        for rule in settings.do_not_import
        if manifest.with_custom_fields or not _asks_custom_fields(rule)
    }


def _reference_shares(settings: Settings, columns: SourceColumns, asked: SourceColumns) -> dict[str, float]:
    """Of each associated metadata field that has values, among those asked, the share of them that name somebody."""
    named_by = {"hris_id", "justworks_id", effective_mapping(settings).get("employee_id", "justworks_id")}
    ids = {name for source in named_by for name in as_text(columns(source)).dropna()}
    references = {
        entry.name: as_text((columns if custom_label(entry.source) is None else asked)(entry.source)).dropna()
        for entry in effective_metadata(settings)
        if entry.type == "associated"
    }
    return {name: float(is_in(values, ids).mean()) for name, values in references.items() if len(values)}


def _asks_custom_fields(rule: Rule) -> bool:
    """Whether the rule needs custom field values: of everybody they are only read when something in force names one."""
    return any(custom_label(condition.field) is not None for condition in rule.conditions)
