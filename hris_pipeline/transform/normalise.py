"""Normalise: a source's raw columns become the employee columns, cleaned and completed, every one of them still text.

What is wrong with a value is not decided here but in ``validate``; so dates and flags stay as they were received.
"""

from collections.abc import Mapping

import pandas as pd
import pyarrow.compute as pc

from hris_pipeline.settings.fields import EMPLOYEE_COLUMNS
from hris_pipeline.transform.columns import as_text, clean_text, from_arrow, lookup, text_from_source, to_arrow

__all__ = ["normalise"]

_DERIVED = ("supervisor_justworks_id", "is_manager")
_FLAG_TEXT = {True: "true", False: "false"}


def normalise(columns: Mapping[str, list[object]]) -> pd.DataFrame:
    """The employee columns of every member, in catalogue order, one row a person.

    Text is trimmed and freed of control characters, blank is null, the country code upper case, and whatever names a
    contractor is ``contractor``. Dates and flags (``true``, ``false``) stay text until ``validate`` reads them.
    Derived: ``supervisor_justworks_id`` from the manager's own row, and ``is_manager``: an active employee reports to
    this one, also when that employee's row is bad elsewhere.

    Args:
        columns: equally long lists of text or None, as ``Source.columns`` gives them; ``active`` may hold booleans.
            A column that is missing is empty for everybody.
    """
    length = len(next(iter(columns.values()), ()))
    given = {name: columns.get(name, [None] * length) for name in EMPLOYEE_COLUMNS if name not in _DERIVED}
    given["active"] = [_FLAG_TEXT[value] if isinstance(value, bool) else value for value in given["active"]]
    frame = pd.DataFrame({name: clean_text(text_from_source(values)) for name, values in given.items()})
    frame["country_code"] = frame["country_code"].str.upper()
    frame["employment_type"] = _employment_type(frame["employment_type"])
    frame["supervisor_justworks_id"] = lookup(frame["supervisor_hris_id"], frame["hris_id"], frame["justworks_id"])
    frame["is_manager"] = _is_manager(frame)
    return frame[list(EMPLOYEE_COLUMNS)]


def _employment_type(given: pd.Series) -> pd.Series:
    """Sources name contractors in several ways, and rules must recognise them all; every other word stays."""
    contractor = pc.match_substring(to_arrow(given), "contractor", ignore_case=True)
    return from_arrow(pc.if_else(contractor, "contractor", to_arrow(given)))


def _is_manager(frame: pd.DataFrame) -> pd.Series:
    active = pc.equal(to_arrow(frame["active"]), "true")
    supervisors = pc.drop_null(to_arrow(frame["supervisor_hris_id"]).filter(active))
    return as_text(from_arrow(pc.is_in(to_arrow(frame["hris_id"]), value_set=supervisors)))
