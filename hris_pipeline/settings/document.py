"""The settings document: everything an administrator decides about one integration, the limits of the guards included.

The fields of ``Settings`` are the one table of settings: name, type, default and meaning of each. The command line's
help, the reference page and the JSON Schema are made from it. A guard's limits are one entry of ``GuardLimits`` and
a class of its own, because each has its own defaults. ``incomplete_extract`` has no limit and so no entry: an
incomplete extract always holds its change set. A percentage counts only from ``min_people`` affected on, and is of
the users whom the change set could affect.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import AfterValidator, Field, model_validator

from hris_pipeline.settings.fields import (
    DEFAULT_METADATA,
    EMPLOYEE_FIELDS_BY_NAME,
    USER_FIELD_NAMES,
    USER_FIELDS,
    USER_FIELDS_BY_NAME,
    sources_without,
)
from hris_pipeline.settings.text import nearest_or_all
from hris_pipeline.settings.values import (
    AppriseUrl,
    CallingCountry,
    Condition,
    EmployeeId,
    Label,
    MetadataLabel,
    OnOff,
    Operator,
    QuarterHour,
    Rule,
    Slug,
    SourceName,
    StrictModel,
    UserFieldName,
    ZoneName,
    list_of,
    source_kind,
)

__all__ = [
    "NOT_IN_PLAN",
    "ArchiveLimit",
    "Condition",
    "CreateLimit",
    "EmailChangeLimit",
    "EmployeeIdMismatch",
    "Event",
    "FieldWipe",
    "GuardLimits",
    "IdentityChange",
    "Inconsistency",
    "InconsistencyError",
    "MetadataField",
    "MetadataType",
    "Notify",
    "Operator",
    "QuarantineGrowth",
    "Rule",
    "Settings",
    "SlowBleed",
    "UnreadField",
    "document_digest",
    "named_sources",
]

Percent = Annotated[float, Field(ge=0, le=100), AfterValidator(abs)]  # -0.0 is 0

People = Annotated[int, Field(ge=1)]


class ArchiveLimit(StrictModel):
    """Holds when one change set archives too many."""

    percent: Percent = Field(10.0, description="Trips above this share of managed active users.")
    min_people: People = Field(5, description="Below so many archives, `percent` is ignored.")
    people: People = Field(100, description="Trips above so many archives, or `people_percent` when that is more.")
    people_percent: Percent = Field(3.0, description="Raises `people` to this share of managed active users.")
    small_people: People = Field(2, description="Below so many archives, `small_percent` is ignored.")
    small_percent: Percent = Field(50.0, description="Trips from this share on: for companies too small for `percent`.")


class SlowBleed(StrictModel):
    """Holds when many small imports add up to too many archives."""

    days: int = Field(7, ge=1, le=90, description="How many days back archives count together.")
    percent: Percent = Field(20.0, description="Trips above this share of managed active users and those archived.")
    min_people: People = Field(5, description="Below so many archives, `percent` is ignored.")


class CreateLimit(StrictModel):
    """Holds when one change set creates too many; not on a first import."""

    percent: Percent = Field(50.0, description="Trips above this share of managed users and local ones linked.")
    min_people: People = Field(25, description="Below so many creates, `percent` is ignored.")


class EmployeeIdMismatch(StrictModel):
    """Holds when people who are known would carry another EmployeeId than stored."""

    percent: Percent = Field(5.0, description="Trips above this share of the people matched.")
    min_people: People = Field(5, description="Below so many people, `percent` is ignored.")


class EmailChangeLimit(StrictModel):
    """Holds when too many emails change."""

    percent: Percent = Field(20.0, description="Trips above this share of managed users and local ones linked.")
    min_people: People = Field(5, description="Below so many changes, `percent` is ignored.")


class IdentityChange(StrictModel):
    """Holds when too many people come back under other member ids; then none of them is re-linked unasked."""

    percent: Percent = Field(5.0, description="Trips above this share of managed active users.")
    min_people: People = Field(5, description="Below so many people, `percent` is ignored.")


class QuarantineGrowth(StrictModel):
    """Holds when too many users are quarantined who were not at the last applied import."""

    percent: Percent = Field(5.0, description="Trips above this share of managed active users.")
    min_people: People = Field(5, description="Below so many users, `percent` is ignored.")


class UnreadField(StrictModel):
    """Holds when a field is sent, but in a shape that nothing can be read from, by too many."""

    percent: Percent = Field(50.0, description="Trips above this share of the members who send the field.")
    min_people: People = Field(5, description="Below so many members, `percent` is ignored.")


class FieldWipe(StrictModel):
    """Holds when one field becomes empty for too many."""

    percent: Percent = Field(30.0, description="Trips above this share of the users who have the field.")
    min_people: People = Field(5, description="Below so many users, `percent` is ignored.")


class GuardLimits(StrictModel):
    """The limits of every guard that has some."""

    archive_limit: ArchiveLimit = Field(ArchiveLimit(), description="Archives of one change set.")
    slow_bleed: SlowBleed = Field(SlowBleed(), description="Archives of the last days, approved imports left out.")
    create_limit: CreateLimit = Field(CreateLimit(), description="Creates of one change set; not on a first import.")
    employee_id_mismatch: EmployeeIdMismatch = Field(
        EmployeeIdMismatch(), description="Known people who would carry another EmployeeId than stored."
    )
    email_change_limit: EmailChangeLimit = Field(EmailChangeLimit(), description="Changed emails of one change set.")
    identity_change: IdentityChange = Field(
        IdentityChange(), description="People who come back under other member ids."
    )
    quarantine_growth: QuarantineGrowth = Field(
        QuarantineGrowth(), description="Users quarantined who were not at the last applied import."
    )
    unread_field: UnreadField = Field(
        UnreadField(), description="Members of whom a field is sent, but nothing can be read."
    )
    field_wipe: FieldWipe = Field(FieldWipe(), description="Users for whom one field would become empty.")


MetadataType = Literal["default", "associated", "hidden"]

Event = Literal["done", "held", "failed", "paused", "stalled", "conflict", "expiring"]

NOT_IN_PLAN = frozenset(
    {"display_name", "notify", "frequency", "at", "weekday", "day_of_month", "start_automatic_imports"}
)
"""The settings that make no difference to what a change set holds."""


class Inconsistency(NamedTuple):
    """A setting that is possible by itself but not in this document; ``other_setting`` is the one it contradicts."""

    path: tuple[str | int, ...]
    message: str
    other_setting: str = ""


class InconsistencyError(ValueError):
    """Settings that are each possible but not together."""

    def __init__(self, clashes: Iterable[Inconsistency]) -> None:
        self.clashes = tuple(clashes)
        super().__init__("; ".join(f"{'.'.join(map(str, path))}: {message}" for path, message, _ in self.clashes))


class MetadataField(StrictModel):
    """A field of a user beyond the core ones."""

    name: MetadataLabel = Field(
        description="Display name, the key under which the value is stored; renaming migrates it."
    )
    source: SourceName = Field(description="An employee column, or a custom field as custom:Label.")
    type: MetadataType = Field(
        "default",
        description="associated: the EmployeeId of a further supervisor; hidden: stored, never shown or exported.",
    )


class Notify(StrictModel):
    """Who is told about what."""

    to: AppriseUrl = Field(description="An apprise URL: mail, chat, webhook.", repr=False)
    on: Annotated[tuple[Event, ...], *list_of] = Field(
        ("done", "held", "failed", "paused", "stalled", "conflict", "expiring"),
        min_length=1,
        description="Told about: an import done, held or failed; automatic imports paused or stalled; a conflict or "
        "growing quarantine; a connection expiring.",
    )


class Settings(StrictModel):
    """The whole settings document of one integration. Everything has a default: an empty document is valid."""

    display_name: Label | None = Field(None, description="The company's name on screen; without it, the integration's.")
    source: Literal["justworks", "finch"] = Field(
        "justworks", description="justworks: the Partner API (OAuth); finch: an HRIS aggregator (credentials)."
    )
    directory: Slug | None = Field(
        None, description="The set of users this integration feeds; without it, one of its own."
    )
    archive_employees: OnOff = Field(
        True, description="Archive a user whose employee is inactive or confirmed missing; off: they stay as they are."
    )
    override_emails: OnOff = Field(
        False,
        description="Replace an email the user entered in their profile; off: it stays. A blank is always filled.",
    )
    hire_date_priority: Literal["original", "latest"] = Field(
        "original", description="Which date is the hire date: the original, or the latest re-hire where there is one."
    )
    override_hire_date: OnOff = Field(
        False,
        description="Let any other difference replace a stored hire date; off: written only where none is stored.",
    )
    default_calling_country: CallingCountry | None = Field(
        None,
        description="Country whose national numbers are completed to international form; none: numbers stay as sent.",
    )
    add_plus_to_phone_numbers: OnOff = Field(False, description='Put "+" before phone numbers that have none.')
    employee_ids: Literal["justworks", "generated"] = Field(
        "justworks",
        description="generated: the store gives EmployeeIds at creation; cannot be switched once users exist.",
    )
    do_not_import: Annotated[tuple[Rule, ...], *list_of] = Field(
        (), description="Rules over employee columns and custom fields; who matches one is left out."
    )
    do_not_archive: Annotated[tuple[EmployeeId, ...], *list_of] = Field(
        (), description="EmployeeIds an import never archives; leading zeros count."
    )
    exclude_fields: Annotated[tuple[Label, ...], *list_of] = Field(
        (), description="User fields (not employee_id) or metadata names never written; a stored value stays."
    )
    import_days_before_start: int = Field(
        0, ge=0, le=90, description="How many days before its start date a hire or re-hire is imported."
    )
    frequency: Literal["daily", "weekly", "monthly"] = Field("daily", description="How often automatic imports run.")
    at: QuarterHour = Field("04:00", description="Local time of automatic imports, a quarter hour as HH:MM.")
    weekday: Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"] = Field(
        "monday", description="The day of weekly imports."
    )
    day_of_month: int = Field(
        1, ge=1, le=31, description="The day of monthly imports; past the month's end, its last day."
    )
    time_zone: ZoneName = Field(
        "America/New_York", description="IANA name; decides due times and which day it is for hires and terminations."
    )
    start_automatic_imports: OnOff = Field(
        False, description="Whether automatic imports start running after the first saved import; off: paused."
    )
    mapping: Mapping[UserFieldName, SourceName] = Field(
        default_factory=dict,
        description="User field: employee column or custom:Label; fields not given keep theirs.",
        json_schema_extra={"propertyNames": {"enum": list(USER_FIELD_NAMES)}},
    )
    metadata: Annotated[tuple[MetadataField, ...], *list_of] = Field(
        tuple(MetadataField(name=name, source=source) for name, source in DEFAULT_METADATA),
        description="Further fields of a user; giving a list replaces the whole default list.",
    )
    guards: GuardLimits = Field(
        GuardLimits(), description="Limits beyond which a change set is held until a person approves it."
    )
    notify: Annotated[tuple[Notify, ...], *list_of] = Field((), description="Who is told about what.")

    def document(self) -> dict[str, Any]:
        """The whole document as JSON values, defaults filled in: what the store keeps."""
        return self.model_dump(mode="json")

    def digest(self) -> str:
        """SHA-256 (hex) of the whole document; equal documents have equal digests however they were written."""
        return document_digest(self.document())

    def plan_digest(self) -> str:
        """SHA-256 (hex) of the settings that matter to a change set: all but ``NOT_IN_PLAN``."""
        return document_digest(self.model_dump(mode="json", exclude=set(NOT_IN_PLAN)))

    @model_validator(mode="after")
    def _check_consistency(self) -> Self:
        if "metadata" not in self.model_fields_set:  # what the source never sends is no default of it
            available = tuple(entry for entry in self.metadata if self.source not in sources_without(entry.source))
            object.__setattr__(self, "metadata", available)
        clashes = [
            *_unavailable_sources(self),
            *_date_targets(self),
            *_repeated_names(self),
            *_core_names(self),
            *_unknown_exclusions(self),
        ]
        if clashes:
            raise InconsistencyError(clashes)
        return self


def document_digest(document: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of a document of JSON values, whatever the order of its keys."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def named_sources(settings: Settings) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Every source the document names, and where: in the mapping, the metadata and the rules."""
    for target, source in settings.mapping.items():
        yield ("mapping", target), source
    for index, entry in enumerate(settings.metadata):
        yield ("metadata", index, "source"), entry.source
    for index, rule in enumerate(settings.do_not_import):
        for place, condition in enumerate(rule.conditions):
            yield ("do_not_import", index, "all" if rule.all else "any", place, "field"), condition.field


def _unavailable_sources(settings: Settings) -> Iterator[Inconsistency]:
    for path, source in named_sources(settings):
        if settings.source in sources_without(source):
            title = EMPLOYEE_FIELDS_BY_NAME[source].title
            message = f"{title} ({source}) is not available with source: {settings.source}; remove it"
            yield Inconsistency(path, message, "source")


def _date_targets(settings: Settings) -> Iterator[Inconsistency]:
    for target, source in settings.mapping.items():
        is_date = USER_FIELDS_BY_NAME[target].kind == "date"
        if is_date and source_kind(source) not in ("date", "custom"):
            message = f"{target} is a date, {source} is not; use a date column or a custom field"
            yield Inconsistency(("mapping", target), message)


def _repeated_names(settings: Settings) -> Iterator[Inconsistency]:
    names: dict[str, Sequence[str]] = {
        "metadata": [entry.name for entry in settings.metadata],
        "do_not_import": [rule.name for rule in settings.do_not_import],
    }
    for key, names_given in names.items():
        keys = [name.casefold() for name in names_given]
        for index, name in enumerate(names_given):
            if keys[index] in keys[:index]:
                message = f"{name!r} is given twice; names must differ, letter case ignored"
                yield Inconsistency((key, index, "name"), message)


def _core_names(settings: Settings) -> Iterator[Inconsistency]:
    headers = {_without_blanks(field.header) for field in USER_FIELDS if field.header}
    for index, entry in enumerate(settings.metadata):
        if _without_blanks(entry.name) in headers:
            message = f"{entry.name!r} is a core field of the user file; choose another name"
            yield Inconsistency(("metadata", index, "name"), message)


def _unknown_exclusions(settings: Settings) -> Iterator[Inconsistency]:
    fields = (*USER_FIELD_NAMES, *(entry.name for entry in settings.metadata))
    for index, name in enumerate(settings.exclude_fields):
        path = ("exclude_fields", index)
        if name == "employee_id":
            yield Inconsistency(path, "employee_id cannot be excluded: it is what names the user")
        elif name not in fields:
            message = f"{name!r} is neither a user field nor a metadata name.{nearest_or_all(name, fields)}"
            yield Inconsistency(path, message, "metadata")


def _without_blanks(name: str) -> str:
    return "".join(name.split()).casefold()
