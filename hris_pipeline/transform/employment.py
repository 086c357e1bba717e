"""When somebody is employed: the spell that runs today, among all that the source tells of; and who manages somebody
who is. What an import makes of it, days early for instance, is decided in ``change_set``."""

from datetime import date

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from hris_pipeline.transform.columns import FLAG, from_arrow, is_in, lookup, null_as_false, to_arrow

__all__ = ["employment_columns", "has_left", "is_employed", "is_manager"]


def employment_columns(employees: pd.DataFrame, spells: pd.DataFrame, today: date) -> pd.DataFrame:
    """What planning asks of each employee's spells, of any number of them.

    ``active``; ``termination_date``, null when it belongs to a spell before one that has begun by ``today``;
    ``starts_on``, the earliest start known (null: the person counts as started); ``present_start``, the latest start
    that has come, null where nobody can say that its spell runs and another is to come; ``next_start``, the first start
    that is still to come; ``rehired_on``, the latest re-hire that has come.

    Args:
        employees: the employee columns.
        spells: further spells, as ``normalise`` gives them; hire, latest re-hire and termination tell of some without.
        today: the local date.
    """
    hired, rehired = employees["hire_date"], employees["latest_rehire_date"]
    come, ahead = spells[spells["start"] <= today], spells[spells["start"] > today]
    begun = _latest(_until(hired, today), _until(rehired, today), _last_start(employees, come))
    coming = _earliest(_after(hired, today), _after(rehired, today), _first_start(employees, ahead))
    first = _earliest(hired, rehired.mask(_is_after(rehired, today) & hired.isna()), _first_start(employees, spells))
    earlier = begun.mask(~null_as_false(begun > first)).where(_is_after(rehired, today))
    ended = employees["termination_date"]
    between = _is_between(employees, spells, ended, today) | (
        _has_ended(employees, begun, come, today) & coming.notna()
    )
    earlier_end = null_as_false(ended < begun) | (begun.isna() & _is_after(first, today) & null_as_false(ended < first))
    return pd.DataFrame(
        {
            "active": employees["active"].astype(FLAG),
            "termination_date": ended.mask(earlier_end | _is_between(employees, spells, ended, today)),
            "starts_on": first,
            "present_start": begun.mask(between),
            "next_start": coming,
            "rehired_on": rehired.mask(_is_after(rehired, today), earlier),
        }
    )


def is_employed(employees: pd.DataFrame, spells: pd.DataFrame, today: date) -> pd.Series:
    """Who is employed on the local date, as plain booleans: active, started, and not past the termination date of the
    present spell, whose day counts as worked. Who is not known to be inactive counts as active."""
    columns = employment_columns(employees, spells, today)
    to_come = columns["starts_on"].notna() & columns["present_start"].isna()
    return ~to_come & ~_is_over(columns, today)


def has_left(employees: pd.DataFrame, spells: pd.DataFrame, today: date) -> pd.Series:
    """Who is known to be inactive, or is past the termination date of the present spell, as plain booleans."""
    return _is_over(employment_columns(employees, spells, today), today)


def is_manager(employees: pd.DataFrame, spells: pd.DataFrame, today: date) -> pd.Series:
    """Whether somebody active, and not past the last day, reports to each of the employees."""
    working = null_as_false(employees["active"]) & ~has_left(employees, spells, today)
    supervisors = employees.loc[working, "supervisor_hris_id"].dropna()
    return is_in(employees["hris_id"], supervisors).astype(FLAG)


def _is_over(columns: pd.DataFrame, today: date) -> pd.Series:
    inactive = ~columns["active"].fillna(True).astype(bool)
    return inactive | null_as_false(columns["termination_date"] < today)


def _is_after(days: pd.Series, today: date) -> pd.Series:
    return null_as_false(days > today)


def _until(days: pd.Series, today: date) -> pd.Series:
    return days.mask(_is_after(days, today))


def _after(days: pd.Series, today: date) -> pd.Series:
    return days.where(_is_after(days, today))


def _latest(*starts: pd.Series) -> pd.Series:
    return from_arrow(pc.max_element_wise(*map(to_arrow, starts)).cast(pa.date32()), starts[0].index)


def _earliest(*starts: pd.Series) -> pd.Series:
    return from_arrow(pc.min_element_wise(*map(to_arrow, starts)).cast(pa.date32()), starts[0].index)


def _first_start(employees: pd.DataFrame, spells: pd.DataFrame) -> pd.Series:
    ordered = spells.sort_values("start")
    return lookup(employees["hris_id"], ordered["hris_id"], ordered["start"])


def _last_start(employees: pd.DataFrame, spells: pd.DataFrame) -> pd.Series:
    ordered = spells.sort_values("start", ascending=False)
    return lookup(employees["hris_id"], ordered["hris_id"], ordered["start"])


def _is_between(employees: pd.DataFrame, spells: pd.DataFrame, ended: pd.Series, today: date) -> pd.Series:
    """Whom the source calls active, past a termination date and before a re-hire, without a word about the spells in
    between: whether one of them runs, nobody can say."""
    rehired = employees["latest_rehire_date"]
    untold = null_as_false(employees["active"]) & ~is_in(employees["hris_id"], spells["hris_id"])
    return untold & _is_after(rehired, today) & employees["hire_date"].notna() & null_as_false(ended < today)


def _has_ended(employees: pd.DataFrame, begun: pd.Series, spells: pd.DataFrame, today: date) -> pd.Series:
    """Whose present spell is over by the end that is told of it; one without an end, or with another one, is not."""
    theirs = lookup(spells["hris_id"], employees["hris_id"], begun)
    present = spells[null_as_false(spells["start"] == theirs)]
    runs = present[~null_as_false(present["end"] < today)]
    return is_in(employees["hris_id"], present["hris_id"]) & ~is_in(employees["hris_id"], runs["hris_id"])
