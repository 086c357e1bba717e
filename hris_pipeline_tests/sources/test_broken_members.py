"""Members of any shape, of either source: they give readable columns, whatever they are."""

import json

from hypothesis import given
from hypothesis import strategies as st

from hris_pipeline.settings.fields import RAW_COLUMNS
from hris_pipeline.sources.raw_columns import SPELLS, UNREAD
from hris_pipeline_tests.kit.wire_company import finch_columns, justworks_columns

KEYS = st.sampled_from(
    (
        *("id", "name", "active", "emails", "phones", "addresses", "current_employment", "employment_history"),
        *("department", "office", "manager", "type", "kind", "email", "value", "values", "number", "start_date"),
        *("custom_field_values", "updated_at", "date_of_birth", "given_name", "is_active", "data", "location"),
        *("directory", "individual", "employment", "custom_fields"),
    )
)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=3), inner, max_size=5),
    max_leaves=15,
)


def all_readable(read: dict[str, list[object]], rows: int) -> None:
    assert tuple(read) == (*RAW_COLUMNS, SPELLS, UNREAD)
    assert len({len(column) for column in read.values()}) == 1
    assert 1 <= len(read["hris_id"]) <= rows
    for name in RAW_COLUMNS:
        for value in read[name]:
            assert value is None or isinstance(value, bool if name == "active" else str)
            assert str(value).encode("utf-8", "strict") is not None


@given(st.lists(anything, min_size=1, max_size=4))
def test_no_json_ever_breaks_the_columns(members: list[object]) -> None:
    for ascii_only in (True, False):
        lines = [json.dumps(member, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass") for member in members]
        all_readable(justworks_columns(lines), len(lines))
        all_readable(finch_columns(lines), len(lines))


@given(st.binary(max_size=40))
def test_no_bytes_ever_break_the_columns(line: bytes) -> None:
    all_readable(justworks_columns([line, b'{"id":"m1"}']), 2)


def test_nesting_without_end_breaks_nothing() -> None:
    all_readable(justworks_columns([b'{"id":"m1","name":' + b"[" * 100_000]), 1)
