"""Columns of Arrow values: what holds for every frame, whatever it is about."""

from datetime import date

import pandas as pd
import pyarrow as pa
import pytest

from hris_pipeline.transform import columns
from hris_pipeline.transform.columns import (
    concat_rows,
    from_arrow,
    is_distinct,
    is_in,
    list_column,
    lookup,
    map_chunks,
    text_series,
    to_arrow,
    to_date,
    to_flag,
)
from hris_pipeline_tests.kit.frames import values


def test_two_nulls_are_the_same_and_different_types_are_compared_as_text() -> None:
    texts = from_arrow(pa.array(["2024-01-01", "2024-01-01", None, None, "x"], pa.string()))
    dates = from_arrow(pa.array([date(2024, 1, 1), date(2024, 1, 2), None, date(2024, 1, 1), None], pa.date32()))
    assert is_distinct(texts, dates).tolist() == [False, True, False, True, True]
    assert is_distinct(texts, texts).tolist() == [False] * 5
    assert is_distinct(dates, dates.shift(1)).tolist() == [True, True, True, True, True]


@pytest.mark.parametrize("length", [0, 1, 2, 3, 4, 5])
def test_rows_in_pieces_are_the_rows(length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "_CHUNK", 2)
    frame = pd.DataFrame({"name": from_arrow(pa.array([f"n{row}" for row in range(length)], pa.string()))})
    assert values(map_chunks(lambda rows: to_arrow(rows["name"]), frame)) == frame["name"].tolist()


def test_whoever_has_no_value_has_an_empty_list() -> None:
    lists = list_column([0, 2, 2], ["a", "b", "c"], 4)
    assert [list(value) for value in lists] == [["a"], [], ["b", "c"], []]


def test_a_null_is_found_nowhere() -> None:
    keys, among = text_series([None, "a", "b"]), text_series([None, "a"])
    assert is_in(keys, among).tolist() == [False, True, False]
    assert values(lookup(keys, among, text_series(["nobody", "A"]))) == [None, "A", None]


@pytest.mark.parametrize("parts", [(2, 0, 0), (0, 1, 2), (0, 0, 0), (1, 1, 1)])
def test_rows_that_are_joined_are_numbered_anew(parts: tuple[int, ...]) -> None:
    frames = [pd.DataFrame({"name": text_series(["x"] * rows, pd.RangeIndex(5, 5 + rows))}) for rows in parts]
    joined = concat_rows(*frames)
    assert (list(joined.columns), joined.index.tolist()) == (["name"], list(range(sum(parts))))


def test_a_day_is_read_with_or_without_a_time_and_nothing_else_is_one() -> None:
    texts = text_series(["2024-02-29", "2024-02-29T10:11:12Z", "2024/2/9", "2023-02-29", "2024-13-45", "3.4.25", None])
    day = date(2024, 2, 29)
    assert values(to_date(texts)) == [day, day, date(2024, 2, 9), None, None, None, None]
    flags = to_flag(text_series(["true", "false", "yes", None]))
    assert values(flags) == values(to_flag(flags)) == [True, False, None, None]
