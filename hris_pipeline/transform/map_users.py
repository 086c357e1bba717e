"""Map: settings and mapping turn employees into users, as far as one extract tells; the store is not asked here.

Who is left out stays in the frame with the reason in ``exclusion``, because being left out is not being absent.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import msgspec
import pandas as pd
import pyarrow.compute as pc

from hris_pipeline.settings.document import Settings
from hris_pipeline.settings.fields import EMPLOYEE_FIELDS, USER_FIELDS
from hris_pipeline.settings.mapping import effective_mapping, effective_metadata
from hris_pipeline.settings.rules import match_rules
from hris_pipeline.settings.values import custom_label
from hris_pipeline.transform.columns import (
    FLAG,
    TEXT,
    TEXTS,
    as_text,
    clean_text,
    from_arrow,
    is_in,
    null_as_false,
    text_from_source,
    to_arrow,
    to_date,
)
from hris_pipeline.transform.phones import is_international, with_plus
from hris_pipeline.transform.validate import MISSING, Check, checks_for, concat_quarantine, quarantine_rows

__all__ = ["SERVICE_ACCOUNT", "CompanyLike", "CustomFieldLike", "Mapped", "SourceColumns", "map_users"]

SERVICE_ACCOUNT = "service_account"
"""The ``exclusion`` of the third-party Admin or Accountant that the connection adds."""

EMPLOYEE_ID_MISSING = Check("employee_id_missing", "is blank, so nobody can be known by it", pd.Series.notna)
EMPLOYEE_ID_SHARED = Check(
    "employee_id_shared", "is the EmployeeId of several people", lambda values: ~values.duplicated(keep=False)
)

_SERVICE_MARKER = r"\bservice account\b|\b(?:3rd|third)[ -]party[ -](?:admin|accountant)\b"
_RESIDENCE = ("residence_city", "residence_state", "residence_country")
_NEEDED = (MISSING, EMPLOYEE_ID_MISSING)
_CATALOGUE = {field.name: field for field in EMPLOYEE_FIELDS}


class CustomFieldLike(Protocol):
    """The definition of a custom field: the id its values are keyed by, the label people know it by."""

    @property
    def id(self) -> str: ...

    @property
    def label(self) -> str: ...


class CompanyLike(Protocol):
    """A company, as far as mapping needs it."""

    @property
    def custom_fields(self) -> Sequence[CustomFieldLike]: ...


@dataclass(frozen=True)
class Mapped:
    """``users``, one row a person who can be told apart: ``hris_id``, ``justworks_id``, each mapped user field,
    ``#Name`` of each metadata field (text), ``active``, ``termination_date``, ``starts_on`` (the earlier of hire and
    re-hire), ``rehired_on``, ``exclusion`` (null, ``rule:<name>`` or ``service_account``) and ``archive_existing``.
    ``supervisor_id`` and associated metadata still hold the source's reference. ``leaver_only`` marks the row of
    somebody whose row failed a check: nothing of it may be written, and only ``hris_id``, ``active``,
    ``termination_date``, ``starts_on`` and ``rehired_on`` are to be believed, so that whoever has left is seen to have
    left; such a person counts as quarantined too.

    ``quarantined``: one line a failed check, as in ``validate``. ``warnings``: hris_ids by code.
    """

    users: pd.DataFrame
    quarantined: pd.DataFrame
    warnings: Mapping[str, tuple[str, ...]]


class SourceColumns:
    """The column behind any source that a mapping, a metadata field or a rule may name; called with its name.

    A custom field is text, several values joined with ", "; two definitions with one label are one field, the first
    that has a value counts. A label nobody defined is empty for everybody.
    """

    def __init__(self, employees: pd.DataFrame, company: CompanyLike) -> None:
        self._employees = employees
        self._company = company

    def __call__(self, source: str) -> pd.Series:
        label = custom_label(source)
        if label is None:
            return self._employees[source]
        values = self._by_label.get(label, [None] * len(self._employees))
        return clean_text(text_from_source(values)).set_axis(self._employees.index)

    @cached_property
    def _by_label(self) -> dict[str, list[object]]:
        labels = {field.id: field.label for field in self._company.custom_fields}
        decode = msgspec.json.Decoder(dict[str, str | list[str]]).decode
        columns: dict[str, list[object]] = {label: [None] * len(self._employees) for label in labels.values()}
        for row, custom_fields in enumerate(to_arrow(self._employees["custom_fields"]).to_pylist()):
            for field_id, value in decode(custom_fields).items() if custom_fields else ():
                if field_id in labels:
                    column = columns[labels[field_id]]
                    column[row] = column[row] or (value if isinstance(value, str) else ", ".join(value))
        return columns


def map_users(employees: pd.DataFrame, settings: Settings, company: CompanyLike) -> Mapped:
    """Users as the settings in force make them from valid employees.

    A re-mapped field is held to the checks of the field it replaces. A blank EmployeeId quarantines its row, a shared
    one every row that has it. People left out are not quarantined, except for a shared EmployeeId.
    """
    source = SourceColumns(employees, company)
    fields = _core_fields(source, settings)
    metadata = {entry.name.column: as_text(source(entry.source)) for entry in effective_metadata(settings)}
    exclusion = _exclusion(source, settings)
    quarantined = _quarantined(employees, fields, effective_mapping(settings), exclusion["exclusion"])
    users = pd.concat(
        [
            employees[["hris_id", "justworks_id"]],
            _typed(fields, employees["latest_rehire_date"], settings),
            pd.DataFrame(metadata, index=employees.index),
            _employment(employees),
            exclusion,
        ],
        axis="columns",
    )
    users = users[~users.index.isin(quarantined.index)].reset_index(drop=True)
    users = users.assign(
        leaver_only=pd.Series(False, index=users.index, dtype=FLAG),
        unread=pd.Series(None, index=users.index, dtype=TEXTS),
    )
    return Mapped(users, quarantined.reset_index(drop=True), _warnings(users))


def _core_fields(source: SourceColumns, settings: Settings) -> pd.DataFrame:
    """The mapped user fields, all still text."""
    fields = pd.DataFrame({name: as_text(source(column)) for name, column in effective_mapping(settings).items()})
    if "country_code" in fields:
        fields["country_code"] = fields["country_code"].str.upper()
    if "phone_number" in fields and settings.add_plus_to_phone_numbers:
        fields["phone_number"] = with_plus(fields["phone_number"])
    return fields


def _typed(fields: pd.DataFrame, rehired_on: pd.Series, settings: Settings) -> pd.DataFrame:
    dates = [field.name for field in USER_FIELDS if field.kind == "date" and field.name in fields]
    typed = fields.assign(**{name: to_date(fields[name]) for name in dates})
    if "hire_date" in typed and settings.hire_date_priority == "latest":
        typed["hire_date"] = from_arrow(pc.coalesce(to_arrow(rehired_on), to_arrow(typed["hire_date"])), typed.index)
    return typed


def _employment(employees: pd.DataFrame) -> pd.DataFrame:
    hired, rehired = to_arrow(employees["hire_date"]), to_arrow(employees["latest_rehire_date"])
    return pd.DataFrame(
        {
            "active": employees["active"],
            "termination_date": employees["termination_date"],
            "starts_on": from_arrow(pc.min_element_wise(hired, rehired), employees.index),
            "rehired_on": employees["latest_rehire_date"],
        }
    )


def _exclusion(source: SourceColumns, settings: Settings) -> pd.DataFrame:
    """Who is left out and why; that somebody is a service account comes before any rule."""
    rule = match_rules(settings.do_not_import, source)
    archiving = is_in(rule, [one.name for one in settings.do_not_import if one.archive_existing])
    service = _is_service_account(source)
    return pd.DataFrame(
        {
            "exclusion": ("rule:" + rule).mask(service, SERVICE_ACCOUNT).astype(TEXT),
            "archive_existing": (archiving & ~service).astype(FLAG),
        }
    )


def _is_service_account(source: SourceColumns) -> pd.Series:
    name = pc.binary_join_element_wise(to_arrow(source("first_name")), to_arrow(source("last_name")), " ")
    marked = [
        pc.fill_null(pc.match_substring_regex(text, _SERVICE_MARKER, ignore_case=True), False)
        for text in (to_arrow(source("job_title")), name)
    ]
    marker = from_arrow(pc.or_(*marked), source("job_title").index)
    empty = pd.concat([source(column).isna() for column in ("birth_date", *_RESIDENCE)], axis="columns")
    return null_as_false(marker) & empty.all(axis="columns")


def _quarantined(
    employees: pd.DataFrame, fields: pd.DataFrame, mapping: Mapping[str, str], exclusion: pd.Series
) -> pd.DataFrame:
    """Quarantine lines of everything wrong in the mapped fields; the index is the row's own."""
    rows = fields.assign(hris_id=employees["hris_id"])
    known_by = employees["justworks_id"]
    if "employee_id" in fields:
        known_by = fields["employee_id"].fillna(known_by)
    included = exclusion.isna()
    lines = []
    for field, check in _checks(mapping):
        values = fields[field]
        asked = values.isna() if check in _NEEDED else values.notna()
        broken = asked & ~null_as_false(check.holds(values))
        broken &= included if check is not EMPLOYEE_ID_SHARED else True
        lines.append(quarantine_rows(rows[broken], field, known_by[broken], check))
    return concat_quarantine(lines)


def _checks(mapping: Mapping[str, str]) -> Iterator[tuple[str, Check]]:
    """Every check that mapping makes necessary, with the user field it is made of."""
    if "employee_id" in mapping:
        yield "employee_id", EMPLOYEE_ID_MISSING
        yield "employee_id", EMPLOYEE_ID_SHARED
    for field in USER_FIELDS:
        if mapping.get(field.name, field.source) != field.source:
            replaced = _CATALOGUE[field.source]
            yield from ((field.name, check) for check in checks_for(replaced))
            if replaced.needed:
                yield field.name, MISSING


def _warnings(users: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    if "phone_number" not in users:
        return {}
    numbers = users["phone_number"][users["exclusion"].isna()]
    unusable = numbers[numbers.notna() & ~null_as_false(is_international(numbers))]
    ids = users["hris_id"].loc[unusable.index]
    return {"phone_not_international": tuple(ids)} if len(ids) else {}
