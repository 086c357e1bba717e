"""JSON written by columns is the text that msgspec writes row by row."""

from typing import Any

import msgspec
import pandas as pd
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from hris_pipeline.change_set.directory import (
    decode_metadata,
    encode_metadata,
    json_literals,
    json_objects,
    json_strings,
    merge_metadata,
    metadata_column,
    state_json,
)
from hris_pipeline.settings.fields import USER_STATE
from hris_pipeline.transform.columns import text_series
from hris_pipeline_tests.kit.plans import company

texts = st.none() | st.text(st.characters(codec="utf-8"))
rows = st.lists(st.tuples(texts, texts, st.none() | st.booleans()), min_size=1)
encode = msgspec.json.Encoder(order="sorted").encode


def columns(people: list[tuple[str | None, str | None, bool | None]], names: tuple[str, str, str]) -> dict[str, object]:
    first, second, flag = zip(*people, strict=True)
    written = (json_strings(pa.array(first, pa.string())), json_strings(pa.array(second, pa.string())))
    return dict(zip(names, (*written, json_literals(pa.array(flag, pa.bool_()))), strict=True))


@given(rows)
def test_objects_with_nulls(people: list[tuple[str | None, str | None, bool | None]]) -> None:
    names = ("last_name", "first_name", "active")
    texts = json_objects(columns(people, names), len(people), nulls=True)
    assert texts.to_pylist() == [encode(dict(zip(names, person, strict=True))).decode() for person in people]


@given(rows)
def test_objects_without_nulls(people: list[tuple[str | None, str | None, bool | None]]) -> None:
    names = ('a "quoted" name', "Ärger", "Buddy")
    texts = json_objects(columns(people, names), len(people), nulls=False)
    filled = [{key: value for key, value in zip(names, person, strict=True) if value is not None} for person in people]
    assert texts.to_pylist() == [encode(person).decode() for person in filled]


def test_no_columns_make_empty_objects() -> None:
    assert json_objects({}, 2, nulls=False).to_pylist() == ["{}", "{}"]


def test_metadata_that_is_no_text_is_no_text_of_the_source() -> None:
    stored: list[dict[str, Any]] = [{"Team": 5}, {"Team": "5"}, {"Team": ["5"]}, {"Team": None}, {}]
    index = pd.RangeIndex(len(stored))
    column = metadata_column(stored, "Team", index)
    assert column.isna().tolist() == [False, False, False, True, True]
    assert (column == "5").fillna(False).tolist() == [False, True, False, False, False]
    texts = text_series(["5"] * len(stored), index)
    assert merge_metadata(stored, {"Team": texts}, index).tolist() == ['{"Team":"5"}'] * len(stored)
    unchanged = ['{"Team":5}', '{"Team":"5"}', '{"Team":["5"]}', '{"Team":null}', "{}"]
    assert merge_metadata(stored, {"Team": column}, index).tolist() == unchanged


def test_metadata_that_another_application_wrote_and_that_is_no_object_holds_nothing() -> None:
    stored = text_series([None, "", "no JSON", "[1]", "5", '{"Team":"Red"}', ' {"Team":1}'])
    assert decode_metadata(stored) == [{}, {}, {}, {}, {}, {"Team": "Red"}, {"Team": 1}]


def test_a_null_is_no_metadata() -> None:
    index = pd.RangeIndex(2)
    assert encode_metadata({"Team": text_series([None, "Red"])}, index).tolist() == ["{}", '{"Team":"Red"}']


def test_a_state_names_all_it_has_and_what_is_empty() -> None:
    _, directory = company(1)
    users = directory.users(directory.snapshot()["user_id"])
    state = msgspec.json.decode(state_json(users)[0])
    assert set(state) == set(USER_STATE)
    assert state["phone_number"] is None
