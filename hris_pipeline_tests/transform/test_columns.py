"""Columns of Arrow values: what holds for every frame, whatever it is about."""

from datetime import date

import pandas as pd
import pyarrow as pa
import pytest

from hris_pipeline.transform import columns
from hris_pipeline.transform.columns import from_arrow, is_distinct, list_column, map_chunks, to_arrow
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
