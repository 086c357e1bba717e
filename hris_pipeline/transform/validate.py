"""Validate: what a value must be, one table for all fields; which employees can be used, what is wrong with the others,
and what is kept of them: the quarantine's lines.

Which mapped rows cannot be used is decided in ``map_users``, by the same table.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd
import pandera.pandas as pandera
import pyarrow as pa
import pyarrow.compute as pc

from hris_pipeline.contract import QUARANTINE_COLUMNS
from hris_pipeline.errors import FrameInvalid
from hris_pipeline.settings.fields import EMPLOYEE_FIELDS, EmployeeField, Kind, TextRule
from hris_pipeline.transform.columns import (
    DATE,
    FLAG,
    TEXT,
    arrow_frame,
    as_mask,
    as_text,
    from_arrow,
    is_in,
    rows_where,
    to_arrow,
    to_date,
    to_flag,
)
from hris_pipeline.transform.eligibility import employment_columns, is_employed, is_manager
from hris_pipeline.transform.normalise import Normalised, without_no_end

__all__ = [
    "MISSING",
    "Check",
    "CheckCount",
    "Employees",
    "TooManyBadRows",
    "Validated",
    "breaks",
    "check_summary",
    "check_words",
    "checks_for",
    "concat_quarantine",
    "employees_schema",
    "limit_bad_rows",
    "quarantine_rows",
    "read_listed",
    "read_typed",
    "validate",
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


def _lift_to_series(holds: Callable[[Any], Any]) -> Callable[[pd.Series], pd.Series]:
    """What asks a column what ``holds`` asks Arrow values."""
    return lambda values: from_arrow(holds(to_arrow(values)), values.index)


def _match_pattern(pattern: str) -> Callable[[pd.Series], pd.Series]:
    return _lift_to_series(lambda texts: pc.match_substring_regex(texts, pattern))


_UNREADABLE_CHARACTER = "\ufffd"

_READABLE = Check(
    "unreadable",
    "holds what could not be read",
    _lift_to_series(lambda texts: pc.invert(pc.match_substring(texts, _UNREADABLE_CHARACTER))),
)

_LEGIBLE = Check(
    "unreadable",
    "could not be read",
    _lift_to_series(lambda texts: pc.not_equal(pc.utf8_trim(texts, _UNREADABLE_CHARACTER), "")),
)

_BY_TEXT: Mapping[TextRule, tuple[Check, ...]] = {
    "free": (_LEGIBLE,),
    "name": (_LEGIBLE,),
    "phone": (_LEGIBLE,),
    "id": (_READABLE,),
    "email": (
        _READABLE,
        Check("not_an_email", "is no email address", _match_pattern(r"^[^@\s]+@[^@\s]+$")),
    ),
    "country": (Check("not_a_country", "is no ISO 3166-1 alpha-2 code", _match_pattern("^[A-Z]{2}$")),),
}

_BY_KIND: Mapping[Kind, tuple[Check, ...]] = {
    "date": (
        Check(
            "date_out_of_range",
            f"lies outside {_EARLIEST.year} to {_LATEST.year}",
            _lift_to_series(lambda dates: pc.and_(pc.greater_equal(dates, _EARLIEST), pc.less_equal(dates, _LATEST))),
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


def breaks(values: pd.Series, check: Check) -> pd.Series:
    """Which of the values that are there break the check, as plain booleans."""
    holds = pc.fill_null(to_arrow(check.holds(values)), False)
    return as_mask(pc.and_not(pc.is_valid(to_arrow(values)), holds), values.index)


def read_typed(values: pd.Series, kind: Kind) -> tuple[pd.Series, Check, pd.Series]:
    """The values in the type of the kind (null: could not be read), the check that unreadable ones fail, and which
    values fail it."""
    if kind not in _UNREADABLE:
        return values, MISSING, pd.Series(False, index=values.index)
    read, check = _UNREADABLE[kind]
    typed = read(values)
    return typed, check, values.notna() & typed.isna()


def quarantine_rows(rows: pd.DataFrame, field: str, employee_id: pd.Series, check: Check) -> pd.DataFrame:
    """One quarantine line for each of ``rows``, on their index: its value of ``field`` fails ``check``."""
    values = {"hris_id": rows["hris_id"], "employee_id": employee_id, "value": rows[field]}
    texts = {name: to_arrow(as_text(column)) for name, column in values.items()}
    reasons = {"field": field, "check": check.name, "reason": check.reason}
    texts |= {name: pa.repeat(text, len(rows)) for name, text in reasons.items()}
    return arrow_frame({name: texts[name] for name in QUARANTINE_COLUMNS}, rows.index)


def concat_quarantine(lines: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """All the quarantine lines in one frame, in the order of their index."""
    if not lines:
        return arrow_frame({name: pa.array([], pa.string()) for name in QUARANTINE_COLUMNS})
    return pd.concat(lines).sort_index(kind="stable")


def check_summary(quarantined: pd.DataFrame) -> list[CheckCount]:
    """The failed checks by field and check: counts and ids, never values."""
    people = quarantined.assign(person=quarantined["employee_id"].fillna(quarantined["hris_id"]))
    return [
        CheckCount(str(field), str(check), len(rows), tuple(rows["person"].dropna()))
        for (field, check), rows in people.groupby(["field", "check"], sort=True)
    ]


def check_words(quarantined: pd.DataFrame) -> str:
    """The failed checks by field, in words, with how many fail each, for messages."""
    by_reason = quarantined.groupby(["field", "reason"], sort=True)
    return ", ".join(f"{field} {reason}: {len(rows)}" for (field, reason), rows in by_reason)


def _at_most(limit: int) -> Check:
    is_short = _lift_to_series(lambda texts: pc.less_equal(pc.utf8_length(texts), limit))
    return Check("too_long", f"is longer than {limit} characters", is_short)


_TOO_MANY_BAD = (5, 0.2)
"""From this many bad rows of employed people, and above this share of them, the extract is unusable rather than its
rows."""

_EMPLOYMENT_TYPES = ("employee", "contractor", "international_employee", "employee_eor")

_EMPLOYMENT = ("active", "hire_date", "latest_rehire_date", "termination_date")


@dataclass(frozen=True)
class Employees:
    """The people of an extract, typed; both frames have the employee columns. ``rows`` passed every check. ``failed``
    did not: the values that failed are null, the others are kept, so that a leaver among them is still seen to have
    left; a failed person who may or may not have left is active, without a termination date. ``unread`` and ``spells``
    are as in ``normalise``."""

    rows: pd.DataFrame
    failed: pd.DataFrame
    unread: pd.DataFrame
    spells: pd.DataFrame


@dataclass(frozen=True)
class Validated:
    """``people``; ``employees`` are the rows of them that passed. ``quarantined``: one line a failed
    check (``QUARANTINE_COLUMNS``, text; ``employee_id`` is the justworks_id). ``warnings``: hris_ids by code."""

    people: Employees
    quarantined: pd.DataFrame
    warnings: Mapping[str, tuple[str, ...]]

    @property
    def employees(self) -> pd.DataFrame:
        """The good rows, typed."""
        return self.people.rows


class TooManyBadRows(FrameInvalid):
    """Too many employed people's rows are bad, or everybody's; ``quarantined`` (``QUARANTINE_COLUMNS``) says whose."""

    def __init__(self, message: str, quarantined: pd.DataFrame) -> None:
        super().__init__(message)
        self.quarantined = quarantined


@functools.cache
def employees_schema() -> pandera.DataFrameSchema:
    """The schema of valid employees: types, order, descriptions, needed columns and every check. It tells others what
    valid rows are; ``validate`` asks the same checks itself, because the first use of a schema alone takes longer than
    the rest of a small company's rows."""
    types = {"date": DATE, "flag": FLAG}
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


def validate(members: Normalised, today: date) -> Validated:
    """Types the rows and separates those that pass every check from those that do not, which go to the quarantine.
    Derived: ``is_manager``; reports whose own rows failed count for it too.

    Args:
        members: what ``normalise`` gives.
        today: the local date, which says who is employed.

    Raises:
        FrameInvalid: no rows.
        TooManyBadRows: a needed column is empty for everybody, or more than a fifth of the employed people's rows, and
            at least 5, are bad.
    """
    _require_rows(members.rows)
    typed, quarantined = _type_rows(members.rows)
    typed["termination_date"] = typed["termination_date"].mask(_is_doubtful(typed, quarantined))
    employment = employment_columns(typed, members.spells, members.unread, today)
    typed["is_manager"] = is_manager(typed, employment, today)
    bad = pd.Series(typed.index.isin(quarantined.index), index=typed.index)
    quarantined = quarantined.reset_index(drop=True)
    failed = rows_where(typed, bad)
    failed = failed.assign(active=failed["active"].fillna(True))
    if len(failed):
        broken = int(is_employed(employment_columns(failed, members.spells, members.unread, today), today).sum())
        employed = broken + int(is_employed(employment, today)[~bad].sum())
        limit_bad_rows(broken, employed, quarantined)
    rows = rows_where(typed, ~bad).reset_index(drop=True)
    people = Employees(rows, failed.reset_index(drop=True), members.unread, members.spells)
    return Validated(people, quarantined, _collect_warnings(rows))


def read_listed(holes: Normalised) -> Employees:
    """The list's records of holes, typed, all of them as ``failed``: what fails a check is null."""
    typed, _ = _type_rows(holes.rows)
    return Employees(typed.iloc[:0], typed, holes.unread, holes.spells)


def limit_bad_rows(bad: int, employed: int, quarantined: pd.DataFrame, earlier: int = 0) -> None:
    """Refuses an extract of which too many employed people's rows are bad; ``earlier``: how many rows were bad before,
    for reasons that ``quarantined`` does not hold.

    Raises:
        TooManyBadRows: with the reasons by field and check.
    """
    least, share = _TOO_MANY_BAD
    if bad >= least and bad > share * employed:
        checks = check_words(quarantined) + (f", bad before the mapping: {earlier}" if earlier else "")
        raise TooManyBadRows(
            f"The rows of {bad} of {employed} employed members cannot be used, more than {share:.0%}. All bad rows by "
            f"field and check, where a row can fail several and those of people who left are counted too: {checks}. "
            "Look at these fields in the source and in the mapping, then import again.",
            quarantined,
        )


def _require_rows(frame: pd.DataFrame) -> None:
    if frame.empty:
        raise FrameInvalid("The extract holds no members: check the connection and the company, then import again.")
    empty = [field.name for field in EMPLOYEE_FIELDS if field.needed and frame[field.name].isna().all()]
    if empty:
        reasons = ", ".join(f"{name} {MISSING.reason}: {len(frame)}" for name in empty)
        raise TooManyBadRows(
            f"No member has {', '.join(empty)} as it can be used, and every one needs it ({reasons}): check the "
            "permissions given to the connection, and what the source sends there.",
            concat_quarantine([quarantine_rows(frame, name, frame["justworks_id"], MISSING) for name in empty]),
        )


def _type_rows(frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows typed, null where a value fails a check; and the quarantine lines, on the index of the rows."""
    typed, failures = {}, []
    for field in EMPLOYEE_FIELDS:
        values, unreadable, broken = read_typed(frame[field.name], field.kind)
        if field.name == "termination_date":
            values = without_no_end(values)
        typed[field.name] = values
        if broken.any():
            failures.append((field.name, unreadable, frame.index[broken]))
    rows = arrow_frame({name: to_arrow(values) for name, values in typed.items()}, frame.index)
    failures += _find_failures(rows, frame)
    lines = []
    for name, check, index in failures:
        failing = frame.loc[index, list(dict.fromkeys(("hris_id", "justworks_id", name)))]
        lines.append(quarantine_rows(failing, name, failing["justworks_id"], check))
        rows.loc[index, name] = None
    return rows, concat_quarantine(lines)


def _find_failures(rows: pd.DataFrame, frame: pd.DataFrame) -> list[tuple[str, Check, pd.Index]]:
    """Field, check and rows that fail it, for every check of the typed ``rows``. A needed value that ``frame``, the
    text before, has but that could not be read is not missing."""
    failures = []
    for field in EMPLOYEE_FIELDS:
        values = rows[field.name]
        broken = [(check, breaks(values, check)) for check in checks_for(field)]
        if field.needed:
            broken.insert(0, (MISSING, values.isna() & frame[field.name].isna()))
        failures += [(field.name, check, rows.index[whose]) for check, whose in broken if whose.any()]
    return failures


def _is_doubtful(typed: pd.DataFrame, quarantined: pd.DataFrame) -> pd.Series:
    """Whose termination date does not count: where ``active`` or any date of the employment failed a check, the rest of
    the employment may be wrong too, and nobody is archived because of a value that could not be read."""
    failing = quarantined.index[quarantined["field"].isin(_EMPLOYMENT)]
    return pd.Series(typed.index.isin(failing), index=typed.index)


def _collect_warnings(employees: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    kind = employees["employment_type"]
    unknown = kind.notna() & ~is_in(kind.str.lower(), _EMPLOYMENT_TYPES)
    return {"unknown_employment_type": tuple(employees["hris_id"][unknown])} if unknown.any() else {}
