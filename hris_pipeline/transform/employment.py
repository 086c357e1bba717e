"""Who is employed when: the spell that runs on a day, among all that the source tells of, and of whom nobody can say
whether they have left, because what says so could not be read.

Whom rules leave out is ``eligibility``'s; what an import makes of it, days early for instance, is decided in
``change_set``.
"""

from datetime import date
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from hris_pipeline.transform.columns import FLAG, from_arrow, is_in, lookup, null_as_false, to_arrow

__all__ = ["employment_columns", "has_left", "is_employed", "is_manager"]


def employment_columns(
    employees: pd.DataFrame, spells: pd.DataFrame, unread: pd.DataFrame, today: date
) -> pd.DataFrame:
    """What planning asks of each employee's spells, of any number of them.

    ``active``; ``termination_date``, null when it belongs to a spell before one that has begun by ``today``, as it also
    does on the very day of a re-hire; ``starts_on``, the earliest start known (null: the person counts as started);
    ``present_start``, the latest start that has come, null where nobody can say that its spell runs and another is to
    come; ``next_start``, the first start that is still to come; ``rehired_on``, the latest re-hire that has come;
    ``may_have_left``, whether a start or an end that nobody could read may have ended the employment: its
    ``termination_date`` is null then.

    Args:
        employees: the employee columns.
        spells: further spells, as ``normalise`` gives them; hire, latest re-hire and termination tell of some without.
        unread: ``hris_id`` and employee ``column`` of what nobody could read, as ``normalise`` gives them.
        today: the local date.
    """
    hired, rehired, ended = (to_arrow(employees[name]) for name in ("hire_date", "latest_rehire_date", _END))
    come, ahead = spells[spells["start"] <= today], spells[spells["start"] > today]
    hire_ahead, rehire_ahead = _is_true(pc.greater(hired, today)), _is_true(pc.greater(rehired, today))
    rehire_alone = pc.and_(rehire_ahead, pc.is_null(hired))
    begun = _latest(_without(hired, hire_ahead), _without(rehired, rehire_ahead), _last_start(employees, come))
    coming = _earliest(
        _without(hired, pc.invert(hire_ahead)),
        _without(rehired, pc.invert(rehire_ahead)),
        _first_start(employees, ahead),
    )
    first = _earliest(hired, _without(rehired, rehire_alone), _first_start(employees, spells))
    earlier = _without(begun, pc.invert(_is_true(pc.greater(begun, first))))
    untold = _is_untold(employees, spells, today, rehire_ahead)
    over = _has_ended(employees, begun, come, today)
    between = pc.or_(untold, pc.and_(over, pc.is_valid(coming)))
    unbegun = pc.and_(pc.is_null(begun), _is_true(pc.greater(first, today)))
    same_day = pc.and_(_is_true(pc.equal(ended, begun)), pc.and_(_is_true(pc.greater(begun, first)), pc.invert(over)))
    earlier_end = pc.or_(_is_true(pc.less(ended, begun)), pc.and_(unbegun, _is_true(pc.less(ended, first))))
    ended = _without(ended, pc.or_(pc.or_(earlier_end, same_day), untold))
    doubtful = _is_doubtful(employees, ended, unread, today)
    columns = {
        "active": to_arrow(employees["active"]).cast(pa.bool_()),
        "termination_date": _without(ended, doubtful),
        "starts_on": first,
        "present_start": _without(begun, between),
        "next_start": coming,
        "rehired_on": pc.if_else(rehire_ahead, earlier, rehired),
        "may_have_left": doubtful,
    }
    return pd.DataFrame({name: from_arrow(column, employees.index) for name, column in columns.items()})


def is_employed(employment: pd.DataFrame, today: date) -> pd.Series:
    """Who is employed on the local date, as plain booleans: active, started, and not past the termination date of the
    present spell, whose day counts as worked. Who is not known to be inactive counts as active.

    Args:
        employment: the ``employment_columns`` of that day.
        today: the local date.
    """
    to_come = employment["starts_on"].notna() & employment["present_start"].isna()
    return ~to_come & ~has_left(employment, today)


def has_left(employment: pd.DataFrame, today: date) -> pd.Series:
    """Who is known to be inactive, or is past the termination date of the present spell, as plain booleans; ``Args`` as
    of ``is_employed``."""
    inactive = ~employment["active"].fillna(True).astype(bool)
    return inactive | null_as_false(employment["termination_date"] < today)


def is_manager(employees: pd.DataFrame, employment: pd.DataFrame, today: date) -> pd.Series:
    """Whether somebody active, and not past the last day, reports to each of the employees."""
    working = null_as_false(employees["active"]) & ~has_left(employment, today)
    supervisors = employees.loc[working, "supervisor_hris_id"].dropna()
    return is_in(employees["hris_id"], supervisors).astype(FLAG)


_END = "termination_date"

_STARTS = ("hire_date", "latest_rehire_date")


def _is_true(mask: Any) -> Any:
    return pc.fill_null(mask, False)


def _without(days: Any, where: Any) -> Any:
    """The dates, null where the mask holds."""
    return pc.if_else(where, None, days)


def _latest(*starts: Any) -> Any:
    return pc.max_element_wise(*starts).cast(pa.date32())


def _earliest(*starts: Any) -> Any:
    return pc.min_element_wise(*starts).cast(pa.date32())


def _first_start(employees: pd.DataFrame, spells: pd.DataFrame) -> Any:
    ordered = spells.sort_values("start")
    return to_arrow(lookup(employees["hris_id"], ordered["hris_id"], ordered["start"]))


def _last_start(employees: pd.DataFrame, spells: pd.DataFrame) -> Any:
    ordered = spells.sort_values("start", ascending=False)
    return to_arrow(lookup(employees["hris_id"], ordered["hris_id"], ordered["start"]))


def _is_untold(employees: pd.DataFrame, spells: pd.DataFrame, today: date, rehire_ahead: Any) -> Any:
    """Whom the source calls active, past a termination date and before a re-hire, without a word about the spells in
    between: whether one of them runs, nobody can say."""
    past = _is_true(pc.less(to_arrow(employees[_END]), today))
    resting = pc.and_(past, pc.and_(rehire_ahead, pc.is_valid(to_arrow(employees["hire_date"]))))
    active = _is_true(to_arrow(employees["active"]).cast(pa.bool_()))
    has_spells = pa.array(is_in(employees["hris_id"], spells["hris_id"]))
    return pc.and_(pc.and_(active, resting), pc.invert(has_spells))


def _is_doubtful(employees: pd.DataFrame, ended: Any, unread: pd.DataFrame, today: date) -> Any:
    """Who is not known to be inactive, and is past an end that may belong to a spell before a start that nobody could
    read, or has an end that nobody could read."""

    def whose(*columns: str) -> Any:
        return pa.array(is_in(employees["hris_id"], unread.loc[unread["column"].isin(columns), "hris_id"]))

    past = pc.and_(whose(*_STARTS), _is_true(pc.less(ended, today)))
    inactive = pc.fill_null(pc.invert(to_arrow(employees["active"]).cast(pa.bool_())), False)
    return pc.and_(pc.or_(past, whose(_END)), pc.invert(inactive))


def _has_ended(employees: pd.DataFrame, begun: Any, spells: pd.DataFrame, today: date) -> Any:
    """Whose present spell is over by the end that is told of it; one without an end, or with another one, is not."""
    theirs = lookup(spells["hris_id"], employees["hris_id"], from_arrow(begun))
    present = spells[null_as_false(spells["start"] == theirs)]
    runs = present[~null_as_false(present["end"] < today)]
    return pa.array(is_in(employees["hris_id"], present["hris_id"]) & ~is_in(employees["hris_id"], runs["hris_id"]))
