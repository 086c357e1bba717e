"""What each matched employee's user should hold, where that depends on what the store holds already: EmployeeIds,
supervisors, emails and hire dates; and who gets a value that only one user may hold."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from hris_pipeline.change_set.supervisors import PersonLookup, in_cycle
from hris_pipeline.settings.document import Settings
from hris_pipeline.settings.fields import EMPLOYEE_FIELDS
from hris_pipeline.settings.mapping import effective_mapping, effective_metadata
from hris_pipeline.transform.columns import (
    casefold_key,
    column_or_nulls,
    is_distinct,
    is_in,
    null_as_false,
    text_series,
)

__all__ = [
    "DesiredState",
    "hire_dates",
    "rejected_claims",
    "resolve_desired_state",
]


_REFERENCE = {field.name: field.reference for field in EMPLOYEE_FIELDS}


@dataclass(frozen=True)
class DesiredState:
    """``rows``: what users should hold. ``taken``: rows left out of them because somebody else keeps the EmployeeId
    they come with. ``forbidden``: per target row, whether protection alone keeps an EmployeeId or email. ``warnings``:
    hris_ids by code."""

    rows: pd.DataFrame
    taken: pd.Index
    forbidden: pd.Series
    warnings: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class _Claimed:
    """Final values, whose claim was ``lost``, and where protection alone decided."""

    values: pd.Series
    lost: pd.Series
    forbidden: pd.Series


def resolve_desired_state(
    going: pd.DataFrame, everybody: pd.DataFrame, snapshot: pd.DataFrame, settings: Settings, integration_id: str
) -> DesiredState:
    """Resolves EmployeeIds, references to people, emails and hire dates.

    A linked user whose new EmployeeId is free, or given up in the same plan, gets it, so swaps work; one whose new
    EmployeeId somebody keeps is left out whole. A new email that somebody keeps leaves the user with the one stored.

    Args:
        going: Mapped rows of people who will be active users: ``user_id`` (null for new ones) and ``stored_…`` columns
            beside the mapped ones.
        everybody: The whole mapped frame, for ``justworks_id`` and ``hris_id``.
        snapshot: The directory before the import.
        settings: The settings in force.
        integration_id: The integration.
    """
    ids = _employee_ids(going, snapshot, settings)
    rows = going.assign(employee_id=ids.values)[~ids.lost]
    forbidden = ids.forbidden[~ids.lost]
    people = _people(rows, everybody, snapshot, settings, integration_id)
    rows, warnings = _resolve_references(rows, people, settings)
    if "email" in rows:
        emails = _emails(rows, snapshot, settings)
        replaced = is_distinct(emails.values, rows["stored_email"])
        rows["email"] = emails.values
        rows["email_edited_by_user"] = rows["stored_email_edited_by_user"].mask(replaced, False)
        warnings["email_taken"] = tuple(rows.loc[emails.lost, "hris_id"])
        forbidden |= emails.forbidden
    if "hire_date" in rows:
        rows["hire_date"] = hire_dates(rows, settings)
    return DesiredState(rows, going.index[ids.lost], forbidden, {code: hit for code, hit in warnings.items() if hit})


def hire_dates(rows: pd.DataFrame, settings: Settings) -> pd.Series:
    """The hire date each user should hold: a stored one gives way only to override_hire_date, or with the priority
    ``latest`` to a later re-hire date."""
    stored, source = rows["stored_hire_date"], rows["hire_date"]
    if settings.override_hire_date:
        return source
    replaces = stored.isna()
    if settings.hire_date_priority == "latest":
        replaces |= null_as_false(rows["rehired_on"] > stored)
    return stored.mask(replaces, source)


def _employee_ids(rows: pd.DataFrame, snapshot: pd.DataFrame, settings: Settings) -> _Claimed:
    held = rows["stored_employee_id"]
    if settings.employee_ids == "generated":
        nobody = pd.Series(False, index=rows.index)
        return _Claimed(held.fillna(_generated(rows, snapshot)), nobody, nobody)
    return _claim(rows, rows["employee_id"], held, snapshot, "employee_id")


def _generated(rows: pd.DataFrame, snapshot: pd.DataFrame) -> pd.Series:
    """Numbers that count on from the largest in the directory, in order of hris_id, for whoever has no EmployeeId."""
    taken = snapshot["employee_id"].dropna()
    numbers = taken[taken.str.fullmatch(r"[0-9]{1,15}").astype(bool)].astype("int64[pyarrow]")
    first = int(numbers.max()) + 1 if len(numbers) else 1
    new = rows.loc[rows["stored_employee_id"].isna(), "hris_id"].sort_values()
    ids = text_series((f"{first + offset:06d}" for offset in range(len(new))), new.index)
    return ids.reindex(rows.index)


def _emails(rows: pd.DataFrame, snapshot: pd.DataFrame, settings: Settings) -> _Claimed:
    """An email the user entered stays unless ``override_emails``; with it, the source's also clears one (absent means
    empty)."""
    stored = rows["stored_email"]
    entered = null_as_false(rows["stored_email_edited_by_user"]) & stored.notna()
    wanted = rows["email"] if settings.override_emails else rows["email"].mask(entered, stored)
    return _claim(rows, wanted, stored, snapshot, "email")


def _claim(rows: pd.DataFrame, wanted: pd.Series, stored: pd.Series, snapshot: pd.DataFrame, name: str) -> _Claimed:
    """Settles who gets the unique values wanted; a protected user keeps what is stored, as does whose claim is lost."""
    safe = null_as_false(rows["stored_protected"])
    forbidden = safe & is_distinct(wanted, stored)
    wanted = wanted.mask(safe, stored)
    key = casefold_key if name == "email" else pd.Series.copy
    claims = pd.DataFrame({"wanted": key(wanted), "held": key(stored), "order": rows["hris_id"]})
    rest = snapshot[~is_in(snapshot["user_id"], rows["user_id"])]
    lost = rejected_claims(claims, rest["email_key" if name == "email" else name])
    return _Claimed(wanted.mask(lost, stored), lost, forbidden)


def _people(
    rows: pd.DataFrame, everybody: pd.DataFrame, snapshot: pd.DataFrame, settings: Settings, integration_id: str
) -> PersonLookup:
    rest = snapshot[~is_in(snapshot["user_id"], rows["user_id"])]
    ours = null_as_false(rest["integration_id"] == integration_id)
    rest = rest[["hris_id", "employee_id"]].assign(hris_id=rest["hris_id"].where(ours))
    return PersonLookup(
        pd.concat([rows[["hris_id", "employee_id"]], rest], ignore_index=True),
        everybody[["justworks_id", "hris_id"]],
        named_by_justworks=effective_mapping(settings).get("employee_id") == "justworks_id",
    )


def _resolve_references(
    rows: pd.DataFrame, people: PersonLookup, settings: Settings
) -> tuple[pd.DataFrame, dict[str, tuple[str, ...]]]:
    warnings: dict[str, tuple[str, ...]] = {}
    for name, source in _references(rows, settings).items():
        resolved = people.resolve(rows[name], _REFERENCE.get(source))
        unknown = rows.loc[rows[name].notna() & resolved.isna(), "hris_id"]
        code = "supervisor_unknown" if name == "supervisor_id" else "associated_unknown"
        warnings[code] = tuple(dict.fromkeys((*warnings.get(code, ()), *unknown)))
        rows = rows.assign(**{name: resolved})
    cycle = in_cycle(rows["employee_id"], column_or_nulls(rows, "supervisor_id"))
    warnings["supervisor_cycle"] = tuple(rows.loc[cycle, "hris_id"])
    return rows, warnings


def _references(rows: pd.DataFrame, settings: Settings) -> dict[str, str]:
    """Columns that name another person, with the source that feeds each."""
    named = {item.name.column: item.source for item in effective_metadata(settings) if item.type == "associated"}
    named["supervisor_id"] = effective_mapping(settings).get("supervisor_id", "")
    return {name: source for name, source in named.items() if name in rows.columns}


def rejected_claims(claims: pd.DataFrame, others: pd.Series) -> pd.Series:
    """Which claims on unique values must fail, whatever the order of the rows.

    Whoever has a value keeps it, unless they move to another one themselves; a claim that fails falls back to what
    the claimant has, which can make another claim fail in turn. Among newcomers the smallest ``order`` wins.

    Args:
        claims: ``wanted`` (null: wants none), ``held`` (null: has none; unique) and ``order`` (text, unique), one row
            a person.
        others: Values held by people who claim nothing.

    Returns:
        A boolean Series on the index of ``claims``.
    """
    failed = pd.Series(False, index=claims.index)
    while True:
        final = claims["wanted"].mask(failed, claims["held"])
        contested = final.notna() & (final.duplicated(keep=False) | is_in(final, others))
        if not contested.any():
            return failed
        group = claims[contested].assign(
            final=final[contested], keeps=null_as_false(final == claims["held"])[contested]
        )
        group = group.sort_values(["keeps", "order"], ascending=[False, True])
        losing = ~group["keeps"] & (group["final"].duplicated() | is_in(group["final"], others))
        if not losing.any():
            return failed
        failed.loc[group.index[losing]] = True
