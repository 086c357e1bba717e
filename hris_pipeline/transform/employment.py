"""When somebody is employed: the spell that runs today, among all that the source tells of. What an import makes of it,
days early for instance, is decided in ``change_set``."""

from datetime import date

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from hris_pipeline.transform.columns import FLAG, from_arrow, null_as_false, to_arrow

__all__ = ["employment_columns", "has_left", "is_employed"]


def employment_columns(employees: pd.DataFrame, today: date) -> pd.DataFrame:
    """What planning asks of each employee's spells.

    ``active``; ``termination_date``, null when it belongs to a spell before one that has begun by ``today``;
    ``starts_on``, the earliest start known (null: the person counts as started); ``present_start``, the latest start
    that has come; ``rehired_on``, the latest re-hire, which may lie in the future.
    """
    hired, rehired = employees["hire_date"], employees["latest_rehire_date"]
    begun = _latest_until(today, hired, rehired)
    ended = employees["termination_date"]
    return pd.DataFrame(
        {
            "active": employees["active"].astype(FLAG),
            "termination_date": ended.mask(null_as_false(ended < begun)),
            "starts_on": _earliest_start(hired, rehired, today),
            "present_start": begun,
            "rehired_on": rehired,
        }
    )


def is_employed(employees: pd.DataFrame, today: date) -> pd.Series:
    """Who is employed on the local date, as plain booleans: active, started, and not past the termination date of the
    present spell, whose day counts as worked. Who is not known to be inactive counts as active."""
    spells = employment_columns(employees, today)
    to_come = null_as_false(spells["starts_on"] > today) & spells["present_start"].isna()
    return ~to_come & ~_is_over(spells, today)


def has_left(employees: pd.DataFrame, today: date) -> pd.Series:
    """Who is known to be inactive, or is past the termination date of the present spell, as plain booleans."""
    return _is_over(employment_columns(employees, today), today)


def _is_over(spells: pd.DataFrame, today: date) -> pd.Series:
    inactive = ~spells["active"].fillna(True).astype(bool)
    return inactive | null_as_false(spells["termination_date"] < today)


def _latest_until(today: date, *starts: pd.Series) -> pd.Series:
    come = [to_arrow(start.mask(null_as_false(start > today))) for start in starts]
    return from_arrow(pc.max_element_wise(*come), starts[0].index)


def _earliest_start(hired: pd.Series, rehired: pd.Series, today: date) -> pd.Series:
    """A re-hire that is still to come tells nothing of when somebody without a hire date began."""
    come = rehired.mask(null_as_false(rehired > today) & hired.isna())
    return from_arrow(pc.min_element_wise(to_arrow(hired), to_arrow(come)).cast(pa.date32()), hired.index)
