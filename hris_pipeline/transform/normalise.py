"""Normalise: a source's raw columns become the employee columns, cleaned and completed, every one of them still text.

What is wrong with a value is not decided here but in ``validate``; so dates and flags stay as they were received.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from hris_pipeline.settings.fields import EMPLOYEE_COLUMNS, EMPLOYEE_FIELDS, RAW_COLUMNS, EmployeeField
from hris_pipeline.transform.columns import (
    TEXT,
    clean_text,
    from_arrow,
    lookup,
    null_as_false,
    text_from_source,
    to_arrow,
    to_date,
)
from hris_pipeline.transform.countries import to_alpha2

__all__ = ["Normalised", "normalise"]

_FLAG_TEXT = {True: "true", False: "false"}
_FIELDS = {field.name: field for field in EMPLOYEE_FIELDS}


@dataclass(frozen=True)
class Normalised:
    """``rows``: the employee columns as text, in catalogue order, one row a member. ``unread``: what the source sent
    though nobody could read it, one line an ``hris_id`` and employee ``column``; such a column is null in ``rows``
    without being empty. ``spells``: what the source tells of employments beside the columns, one line a spell:
    ``hris_id``, ``start`` and ``end`` (dates; null: no end is told)."""

    rows: pd.DataFrame
    unread: pd.DataFrame
    spells: pd.DataFrame


def normalise(columns: "Mapping[str, Sequence[object] | pa.Array]") -> Normalised:
    """The employee columns of every member.

    Text is cleaned by its rule in the catalogue, blank is null, country codes are alpha-2 in upper case, and whatever
    names a contractor is ``contractor``. Dates and flags (``true``, ``false``) stay text until ``validate`` reads them.
    A member whose id is another's once both are cleaned is that other: the newest ``updated_at`` counts; among
    equally new ones an active one, or else the last.
    Derived: ``supervisor_justworks_id`` from the manager's own row; ``is_manager`` waits for ``validate``, which knows
    the day.

    Args:
        columns: equally long, Arrow as a source gives them, or lists of text or None; ``active`` may hold booleans. A
            column that is missing is empty for everybody. Beside the raw columns: ``unread`` lists the employee columns
            that could not be read, ``spells`` is text, ISO dates ``start/end``
            with blanks between, ``updated_at`` ISO 8601 text.
    """
    length = len(next(iter(columns.values()), ()))
    sent = {name: columns.get(name, [None] * length) for name in RAW_COLUMNS}
    sent["active"] = _flag_text(sent["active"])
    frame = pd.DataFrame({name: _cleaned(_FIELDS[name], text_from_source(sent[name])) for name in RAW_COLUMNS})
    newest = _newest(frame["hris_id"], columns.get("updated_at"), frame["active"] == "true")
    unread = _unread(frame["hris_id"], columns.get("unread", [()] * length), newest)
    spells = _spells(frame["hris_id"], columns.get("spells", [None] * length), newest)
    frame = frame[newest].reset_index(drop=True)
    frame["country_code"] = to_alpha2(frame["country_code"])
    frame["employment_type"] = _employment_type(frame["employment_type"])
    frame["supervisor_justworks_id"] = lookup(frame["supervisor_hris_id"], frame["hris_id"], frame["justworks_id"])
    frame["is_manager"] = from_arrow(pa.nulls(len(frame), pa.string()), frame.index)
    return Normalised(frame[list(EMPLOYEE_COLUMNS)], unread, spells)


def _flag_text(values: "Sequence[object] | pa.Array") -> "Sequence[object] | pa.Array":
    if isinstance(values, pa.Array):
        return values.cast(pa.string())
    return [_FLAG_TEXT[value] if isinstance(value, bool) else value for value in values]


def _cleaned(field: EmployeeField, texts: pd.Series) -> pd.Series:
    """By its rule; dates and flags like ids. Custom fields are JSON that a wire wrote: their texts are cleaned when
    they are taken out of it."""
    if field.kind == "custom":
        return texts
    return clean_text(texts, field.text if field.kind == "text" else "id")


def _newest(hris_ids: pd.Series, updated_at: Sequence[object] | None, active: pd.Series) -> pd.Series:
    """Which rows count: of those with one hris_id the newest, among equals an active one, or else the last, so that
    nobody leaves by rows that contradict each other; without an id each for itself."""
    repeated = hris_ids.notna() & hris_ids.duplicated(keep=False)
    if not repeated.any():
        return ~repeated
    stamps = text_from_source(updated_at) if updated_at is not None else hris_ids.mask(hris_ids.notna())
    moments = pd.to_datetime(stamps.astype(object), utc=True, errors="coerce", format="ISO8601")
    moments = moments.where(moments.notna(), pd.Timestamp.min.tz_localize("UTC"))
    newness = pd.DataFrame({"moment": moments, "active": null_as_false(active)})
    order = newness.sort_values(["moment", "active"], kind="stable").index
    last = ~hris_ids.reindex(order).duplicated(keep="last").reindex(hris_ids.index)
    return last | ~repeated


def _spells(hris_ids: pd.Series, spells: "Sequence[object] | pa.Array", newest: pd.Series) -> pd.DataFrame:
    texts = text_from_source(spells)
    counts = (texts.notna() & newest & hris_ids.notna()).to_numpy().nonzero()[0]
    lines = [
        (hris_id, *spell.split("/"))
        for hris_id, text in zip(hris_ids.iloc[counts], texts.iloc[counts], strict=True)
        for spell in text.split()
    ]
    ids, starts, ends = zip(*lines, strict=True) if lines else ((), (), ())
    dates = {"start": to_date(text_from_source(starts)), "end": to_date(text_from_source(ends))}
    return pd.DataFrame({"hris_id": pd.Series(ids, dtype=TEXT), **dates})


def _unread(hris_ids: pd.Series, names: "Sequence[object] | pa.Array", newest: pd.Series) -> pd.DataFrame:
    lists = names if isinstance(names, pa.Array) else pa.array(names, pa.list_(pa.string()))
    rows = pc.list_parent_indices(lists)
    ids = to_arrow(hris_ids).take(rows)
    counts = pc.and_(pc.is_valid(ids), pa.array(newest.to_numpy()).take(rows))
    columns = pc.list_flatten(lists).filter(counts)
    return pd.DataFrame({"hris_id": from_arrow(ids.filter(counts)), "column": from_arrow(columns)})


def _employment_type(sent: pd.Series) -> pd.Series:
    """Sources name contractors in several ways, and rules must recognise them all; every other word stays."""
    contractor = pc.match_substring(to_arrow(sent), "contractor", ignore_case=True)
    return from_arrow(pc.if_else(contractor, "contractor", to_arrow(sent)))
