"""What a value must be, one table for all fields, and what is kept of a value that is not: the quarantine's lines.

Which rows a failed check costs is decided in ``validate`` and ``map_users``."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import pandas as pd
import pyarrow.compute as pc

from hris_pipeline.contract import QUARANTINE_COLUMNS
from hris_pipeline.settings.fields import EmployeeField, Kind, TextRule
from hris_pipeline.transform.columns import TEXT, as_text, from_arrow, to_arrow, to_date, to_flag

__all__ = [
    "MISSING",
    "Check",
    "CheckCount",
    "check_summary",
    "checks_for",
    "concat_quarantine",
    "quarantine_rows",
    "read_typed",
]

_EARLIEST, _LATEST = date(1900, 1, 1), date(2100, 12, 31)


@dataclass(frozen=True)
class Check:
    """A rule about one typed value: its name, why a value that breaks it cannot be used, and whether each value holds
    (nulls are never asked about)."""

    name: str
    reason: str
    holds: Callable[[pd.Series], pd.Series]


@dataclass(frozen=True)
class CheckCount:
    """How often one check of one field failed and for whom: EmployeeIds, or hris_ids of those who have none."""

    field: str
    check: str
    count: int
    employee_ids: tuple[str, ...]


MISSING = Check("missing", "is needed and missing", pd.Series.notna)


def _matches(pattern: str) -> Callable[[pd.Series], pd.Series]:
    return lambda values: from_arrow(pc.match_substring_regex(to_arrow(values), pattern), values.index)


_UNREADABLE_CHARACTER = "\ufffd"
_READABLE = Check(
    "unreadable",
    "holds what could not be read",
    lambda values: ~values.str.contains(_UNREADABLE_CHARACTER, regex=False),
)
_LEGIBLE = Check("unreadable", "could not be read", lambda values: values.str.strip(_UNREADABLE_CHARACTER) != "")

_BY_TEXT: Mapping[TextRule, tuple[Check, ...]] = {
    "free": (_LEGIBLE,),
    "name": (_LEGIBLE,),
    "phone": (_LEGIBLE,),
    "id": (_READABLE,),
    "email": (
        _READABLE,
        Check("not_an_email", "is no email address", _matches(r"^[^@\s]+@[^@\s]+$")),
    ),
    "country": (Check("not_a_country", "is no ISO 3166-1 alpha-2 code", _matches("^[A-Z]{2}$")),),
}
_BY_KIND: Mapping[Kind, tuple[Check, ...]] = {
    "date": (
        Check(
            "date_out_of_range",
            f"lies outside {_EARLIEST.year} to {_LATEST.year}",
            lambda values: values.between(_EARLIEST, _LATEST),
        ),
    ),
}
_UNREADABLE: Mapping[Kind, tuple[Callable[[pd.Series], pd.Series], Check]] = {
    "date": (to_date, Check("not_a_date", "is no date with year, month and day in this order", pd.Series.notna)),
    "flag": (to_flag, Check("not_a_flag", "is neither true nor false", pd.Series.notna)),
}
"""How a text of that kind is read, and the check that fails where it cannot be."""


def checks_for(field: EmployeeField) -> tuple[Check, ...]:
    """Every check of a typed value of the field; whether it is needed, or can be read at all, is not among them."""
    limit = (_at_most(field.limit),) if field.limit else ()
    by_text = _BY_TEXT[field.text] if field.kind == "text" else ()
    return limit + by_text + _BY_KIND.get(field.kind, ())


def read_typed(values: pd.Series, kind: Kind) -> tuple[pd.Series, Check, pd.Series]:
    """The values as what the field is, the check that those fail which could not be read, and which ones do."""
    if kind not in _UNREADABLE:
        return values, MISSING, pd.Series(False, index=values.index)
    read, check = _UNREADABLE[kind]
    typed = read(values)
    return typed, check, values.notna() & typed.isna()


def quarantine_rows(rows: pd.DataFrame, field: str, employee_id: pd.Series, check: Check) -> pd.DataFrame:
    """Quarantine lines, on the index of ``rows``: every one of them fails ``check`` with its value of ``field``."""
    lines = pd.DataFrame({"hris_id": rows["hris_id"], "employee_id": employee_id, "value": as_text(rows[field])})
    return lines.assign(field=field, check=check.name, reason=check.reason).astype(TEXT)[list(QUARANTINE_COLUMNS)]


def concat_quarantine(lines: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """All the quarantine lines in one frame, in the order of their index."""
    none = pd.DataFrame({name: pd.Series([], dtype=TEXT, index=pd.RangeIndex(0)) for name in QUARANTINE_COLUMNS})
    return pd.concat([none, *lines]).sort_index(kind="stable")


def check_summary(quarantined: pd.DataFrame) -> list[CheckCount]:
    """The failed checks by field and check: counts and ids, never values."""
    people = quarantined.assign(person=quarantined["employee_id"].fillna(quarantined["hris_id"]))
    return [
        CheckCount(str(field), str(check), len(rows), tuple(rows["person"].dropna()))
        for (field, check), rows in people.groupby(["field", "check"], sort=True)
    ]


def _at_most(limit: int) -> Check:
    return Check("too_long", f"is longer than {limit} characters", lambda values: values.str.len() <= limit)
