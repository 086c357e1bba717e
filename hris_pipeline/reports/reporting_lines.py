"""Reporting lines for approvals, and headcount for budgets."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from hris_pipeline.settings.document import MetadataField
from hris_pipeline.settings.fields import MetadataName
from hris_pipeline.transform.columns import (
    FLAG,
    INTEGER,
    TEXT,
    column_or_nulls,
    from_arrow,
    index_in,
    list_column,
    to_arrow,
)

__all__ = ["DIMENSIONS", "SMALLEST_GROUP", "headcount", "reporting_lines", "without_small_groups"]

SMALLEST_GROUP = 5
"""Fewer people than this are told together with others, where a count must tell of nobody alone."""

DIMENSIONS: dict[str, tuple[str, ...]] = {
    "department": ("department",),
    "location": ("employment_city", "employment_country"),
    "role": ("job_title",),
}
"""What active users are counted by, and the sources each is made of, whatever metadata fed from them is called."""

_NOBODY = -1

OTHER = "other"

Rows = npt.NDArray[np.int64]


def reporting_lines(users: pd.DataFrame, associated: Sequence[MetadataName] = ()) -> pd.DataFrame:
    """Whom each active user reports to, up to the top.

    ``employee_id``; ``depth``, the number of people above; ``chain``, their EmployeeIds from the supervisor upwards;
    ``in_cycle``, whether the user is their own supervisor, perhaps through others; ``approvers``, the EmployeeIds of
    the associated supervisors in the order of the fields. Nobody stands twice in a chain: one that runs into a cycle
    ends when it has been round. A supervisor who is not among the users is the top of the chain.

    Args:
        users: ``employee_id``, ``supervisor_id``, ``status`` and the associated fields as ``#Name``.
        associated: the names of the associated metadata fields.
    """
    users = users[users["employee_id"].notna()].reset_index(drop=True)
    ids, supervisors = _known_people(users)
    cyclic = _on_cycle(supervisors)
    rows, above = _walk_chains(supervisors, cyclic, len(users))
    lines = pd.DataFrame(
        {
            "employee_id": users["employee_id"],
            "depth": pd.Series(np.bincount(rows, minlength=len(users)), dtype=INTEGER),
            "chain": list_column(rows, to_arrow(ids).take(pa.array(above)), len(users)),
            "in_cycle": pd.Series(cyclic[: len(users)], dtype=FLAG),
            "approvers": _collect_approvers(users, associated),
        }
    )
    return lines[users["status"] == "active"].sort_values("employee_id", ignore_index=True)


def headcount(users: pd.DataFrame, metadata: Sequence[MetadataField]) -> pd.DataFrame:
    """Active users by department, location (city and country of employment) and role, the largest first.

    ``dimension``, ``value`` (null for those who have none), ``active_count``. A dimension that no metadata is fed from
    is left out, and so is one of which all is hidden.

    Args:
        users: ``status`` and the metadata as ``#Name``.
        metadata: the metadata fields in force.
    """
    columns = {entry.source: entry.name.column for entry in reversed(metadata) if entry.type != "hidden"}
    active = users[users["status"] == "active"]
    types = {"dimension": TEXT, "value": TEXT, "active_count": INTEGER}
    counts = [pd.DataFrame(columns=list(types)).astype(types)]
    for dimension, sources in DIMENSIONS.items():
        parts = [to_arrow(active[columns[source]]) for source in sources if source in columns]
        if parts:
            # Not null_handling="skip": it loses the rows in which every part is null.
            value = from_arrow(pc.coalesce(pc.binary_join_element_wise(*parts, ", "), *parts))
            count = value.groupby(value, dropna=False).size()
            lines = pd.DataFrame({"dimension": dimension, "value": count.index, "active_count": count.to_numpy()})
            counts.append(lines.astype(types).sort_values(["active_count", "value"], ascending=[False, True]))
    return pd.concat(counts, ignore_index=True)


def without_small_groups(counts: pd.DataFrame) -> pd.DataFrame:
    """The headcount with all groups of fewer than ``SMALLEST_GROUP`` of a dimension as one called ``other``. Where that
    is still too small, or one group alone would be hidden and could be told from the sum, the smallest of the others
    goes into it.

    Args:
        counts: as ``headcount`` gives it.
    """
    merged = [counts.iloc[:0]]
    for dimension, groups in counts.groupby("dimension", sort=False):
        ordered = groups.sort_values("active_count", ascending=False, kind="stable")
        sizes = ordered["active_count"].to_numpy()
        kept = int((sizes >= SMALLEST_GROUP).sum())
        while 0 < kept < len(sizes) and (len(sizes) - kept < 2 or sizes[kept:].sum() < SMALLEST_GROUP):
            kept -= 1
        merged.append(ordered.iloc[:kept])
        if kept < len(sizes):
            other = {"dimension": dimension, "value": OTHER, "active_count": int(sizes[kept:].sum())}
            merged.append(pd.DataFrame([other]).astype(dict(counts.dtypes)))
    return pd.concat(merged, ignore_index=True)


def _known_people(users: pd.DataFrame) -> tuple[pd.Series, Rows]:
    """The EmployeeIds of the users and then of supervisors who are none; and for each where their supervisor stands."""
    ids, named = users["employee_id"], users["supervisor_id"]
    outsiders = named[named.notna() & index_in(named, ids).isna()].drop_duplicates()
    people = pd.concat([ids, outsiders], ignore_index=True)
    positions = index_in(named, people).fillna(_NOBODY).to_numpy(np.int64)
    return people, np.concatenate([positions, np.full(len(outsiders), _NOBODY)])


def _on_cycle(supervisors: Rows) -> npt.NDArray[np.bool_]:
    """Who is on a cycle: who remains when people nobody reports to are taken away, level by level."""
    remaining = np.ones(len(supervisors), dtype=bool)
    reports = np.bincount(supervisors[supervisors != _NOBODY], minlength=len(supervisors))
    removable = np.flatnonzero(reports == 0)
    while removable.size:
        remaining[removable] = False
        above = supervisors[removable]
        np.subtract.at(reports, above[above != _NOBODY], 1)
        candidates = np.unique(above[above != _NOBODY])
        removable = candidates[(reports[candidates] == 0) & remaining[candidates]]
    return remaining


def _walk_chains(supervisors: Rows, cyclic: npt.NDArray[np.bool_], length: int) -> tuple[Rows, Rows]:
    """Pairs of a person and somebody above, by person and upwards; all persons climb one level at a time."""
    rows = np.arange(length)
    current = rows
    # Where a chain entered a cycle: meeting that person again is the end of it.
    entry = np.where(cyclic[:length], rows, _NOBODY)
    levels: list[tuple[Rows, Rows]] = []
    while rows.size:
        current = supervisors[current]
        climbs = (current != _NOBODY) & (current != entry)
        rows, current, entry = rows[climbs], current[climbs], entry[climbs]
        entry = np.where((entry == _NOBODY) & cyclic[current], current, entry)
        levels.append((rows, current))
    if not levels:
        return rows, rows
    people, above = (np.concatenate(part) for part in zip(*levels, strict=True))
    order = np.argsort(people, kind="stable")
    return people[order], above[order]


def _collect_approvers(users: pd.DataFrame, associated: Sequence[MetadataName]) -> pd.Series:
    columns: list[Any] = [to_arrow(column_or_nulls(users, name.column)) for name in associated]
    rows = np.tile(np.arange(len(users)), len(columns))
    pairs = pd.DataFrame({"row": rows, "approver": pd.Series(pa.chunked_array(columns, pa.string()), dtype=TEXT)})
    pairs = pairs.dropna().drop_duplicates().sort_values("row", kind="stable")
    return list_column(pairs["row"].to_numpy(), to_arrow(pairs["approver"]), len(users))
