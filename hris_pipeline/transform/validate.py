"""Validate: which employees can be used, and what is wrong with the others; one table of checks for all values."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import msgspec
import pandas as pd
import pandera.pandas as pandera
import pyarrow as pa
import pyarrow.compute as pc

from hris_pipeline.contract import QUARANTINE_COLUMNS
from hris_pipeline.errors import FrameInvalid
from hris_pipeline.settings.fields import EMPLOYEE_FIELDS, EmployeeField
from hris_pipeline.transform.columns import DATE, FLAG, TEXT, as_text, from_arrow, is_in, to_arrow, to_date, to_flag

__all__ = [
    "MISSING",
    "NOT_A_DATE",
    "Check",
    "CheckCount",
    "TooManyBadRows",
    "Validated",
    "check_summary",
    "checks_for",
    "concat_quarantine",
    "employees_schema",
    "quarantine_rows",
    "validate",
]


_TOO_MANY_BAD = (5, 0.2)
"""From this many bad rows, and above this share of all rows, the extract is unusable rather than its rows."""

_EARLIEST, _LATEST = date(1900, 1, 1), date(2100, 12, 31)

_EMPLOYMENT_TYPES = ("employee", "contractor", "international_employee", "employee_eor")


@dataclass(frozen=True)
class Check:
    """A rule about one value: its name, why a value that breaks it cannot be used, and whether each value holds
    (nulls are never asked about)."""

    name: str
    reason: str
    holds: Callable[[pd.Series], pd.Series]


MISSING = Check("missing", "is needed and missing", pd.Series.notna)
NOT_A_DATE = Check("not_a_date", "is no ISO 8601 date", lambda values: to_date(values).notna())


@dataclass(frozen=True)
class Validated:
    """``employees``: the good rows, typed. ``quarantined``: one line a failed check (``QUARANTINE_COLUMNS``, text;
    ``employee_id`` is the justworks_id). ``warnings``: hris_ids by code."""

    employees: pd.DataFrame
    quarantined: pd.DataFrame
    warnings: Mapping[str, tuple[str, ...]]


class TooManyBadRows(FrameInvalid):
    """More than a fifth (and at least 5) of the rows are bad; ``quarantined`` (``QUARANTINE_COLUMNS``) says whose."""

    def __init__(self, message: str, quarantined: pd.DataFrame) -> None:
        super().__init__(message)
        self.quarantined = quarantined


@dataclass(frozen=True)
class CheckCount:
    """How often one check of one field failed and for whom: EmployeeIds, or hris_ids of those who have none."""

    field: str
    check: str
    count: int
    employee_ids: tuple[str, ...]


def checks_for(field: EmployeeField) -> tuple[Check, ...]:
    """Every check of a value of the field, text or already typed; whether it is needed is not among them."""
    limit = (_at_most(field.limit),) if field.limit else ()
    return limit + _CHECKS.get(field.name, ()) + _CHECKS.get(field.kind, ())


def employees_schema() -> pandera.DataFrameSchema:
    """The schema of valid employees: types, order, descriptions, needed columns and every check."""
    return _schema(typed=True)


def validate(frame: pd.DataFrame) -> Validated:
    """Parts the good rows from the bad; a bad row blocks no other and is known by its ids in the quarantine.

    Args:
        frame: what ``normalise`` gives.

    Raises:
        FrameInvalid: no rows, or a needed column empty for everybody.
        TooManyBadRows: more than a fifth of the rows, and at least 5, are bad.
    """
    _require_rows(frame)
    quarantined = _failures(frame)
    bad = frame.index.isin(quarantined.index)
    quarantined = quarantined.reset_index(drop=True)
    least, share = _TOO_MANY_BAD
    if bad.sum() >= least and bad.sum() > share * len(frame):
        checks = ", ".join(f"{one.field} {one.check}: {one.count}" for one in check_summary(quarantined))
        raise TooManyBadRows(
            f"{bad.sum()} of {len(frame)} members fail validation ({checks}), more than {share:.0%}: "
            "look at these fields in the source, then import again.",
            quarantined,
        )
    employees = _typed(frame[~bad].reset_index(drop=True))
    return Validated(employees, quarantined, _warnings(employees))


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
    shown = quarantined.assign(shown=quarantined["employee_id"].fillna(quarantined["hris_id"]))
    return [
        CheckCount(str(field), str(check), len(rows), tuple(rows["shown"].dropna()))
        for (field, check), rows in shown.groupby(["field", "check"], sort=True)
    ]


def _at_most(limit: int) -> Check:
    return Check("too_long", f"is longer than {limit} characters", lambda values: values.str.len() <= limit)


def _matches(pattern: str) -> Callable[[pd.Series], pd.Series]:
    return lambda values: from_arrow(pc.match_substring_regex(to_arrow(values), pattern), values.index)


def _is_custom_fields(values: pd.Series) -> pd.Series:
    decode = msgspec.json.Decoder(dict[str, str | list[str]]).decode

    def holds(value: str) -> bool:
        try:
            decode(value)
        except msgspec.MsgspecError:
            return False
        return True

    return from_arrow(pa.array([holds(value) for value in to_arrow(values).to_pylist()], pa.bool_()), values.index)


def _in_range(values: pd.Series) -> pd.Series:
    dates = to_date(values)
    return dates.between(_EARLIEST, _LATEST).fillna(True)


_EMAIL = Check("not_an_email", "is no email address", _matches(r"^[^@\s]+@[^@\s]+$"))

_CHECKS: Mapping[str, tuple[Check, ...]] = {
    "email": (_EMAIL,),
    "secondary_email": (_EMAIL,),
    "country_code": (Check("not_a_country", "is no ISO 3166-1 alpha-2 code", _matches("^[A-Z]{2}$")),),
    "date": (
        NOT_A_DATE,
        Check("date_out_of_range", f"lies outside {_EARLIEST.year} to {_LATEST.year}", _in_range),
    ),
    "flag": (Check("not_a_flag", "is neither true nor false", lambda values: to_flag(values).notna()),),
    "custom": (Check("not_custom_fields", "is no JSON object of text or lists of text", _is_custom_fields),),
}
"""By the field's name or kind."""


@functools.cache
def _schema(*, typed: bool) -> pandera.DataFrameSchema:
    """For dates and flags as such, or for all columns still as text; built once, because that takes longer than using
    it on a small company."""
    types = {"date": DATE, "flag": FLAG} if typed else {}
    return pandera.DataFrameSchema(
        {
            field.name: pandera.Column(
                types.get(field.kind, TEXT),
                [pandera.Check(check.holds, name=check.name) for check in checks_for(field)],
                nullable=not field.needed,
                title=field.title,
                description=field.description,
            )
            for field in EMPLOYEE_FIELDS
        },
        name="employees",
        strict=True,
        ordered=True,
    )


def _require_rows(frame: pd.DataFrame) -> None:
    if frame.empty:
        raise FrameInvalid("The extract holds no members: check the connection and the company, then import again.")
    empty = [field.name for field in EMPLOYEE_FIELDS if field.needed and frame[field.name].isna().all()]
    if empty:
        raise FrameInvalid(
            f"No member has {', '.join(empty)}, which every one needs: check the permissions given to the connection."
        )


def _failures(frame: pd.DataFrame) -> pd.DataFrame:
    """Quarantine lines of everything wrong in the frame, in its own order; the index is the row's number."""
    try:
        _schema(typed=False).validate(frame, lazy=True)
    except pandera.errors.SchemaErrors as errors:
        cases = errors.failure_cases
    else:
        return concat_quarantine([])
    fields = {field.name: field for field in EMPLOYEE_FIELDS}
    found = []
    for (name, check), failed in cases.groupby(["column", "check"], sort=False):
        by_name = {one.name: one for one in checks_for(fields[name])}
        rows = frame.loc[failed["index"]]
        found.append(quarantine_rows(rows, name, rows["justworks_id"], by_name.get(check, MISSING)))
    return concat_quarantine(found)


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    convert = {"date": to_date, "flag": to_flag}
    return frame.assign(
        **{field.name: convert[field.kind](frame[field.name]) for field in EMPLOYEE_FIELDS if field.kind in convert}
    )


def _warnings(employees: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    kind = employees["employment_type"]
    unknown = kind.notna() & ~is_in(kind.str.lower(), _EMPLOYMENT_TYPES)
    return {"unknown_employment_type": tuple(employees["hris_id"][unknown])} if unknown.any() else {}
