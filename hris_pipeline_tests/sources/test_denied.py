"""Pay, tax, sex and the like are never kept, wherever they stand."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hris_pipeline.sources.redaction import drop_sensitive_keys, is_denied, members_of

DENIED = ("current_pay", "pay_history", "current_pay_frequency", "sex_assigned_at_birth", "ssn", "bank_account")
KEPT = ("id", "name", "display_name", "employment_type", "class_code", "spay", "sextant_id", "taxonomy", "updated_at")

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from((*DENIED, *KEPT)) | st.text(), inner, max_size=4)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    "key", [*DENIED, "currentPay", "payHistory", "SSN", "Sex", "income", "w4", "encrypted_ssn", "taxId"]
)
def test_a_key_with_a_denied_word_is_denied(key: str) -> None:
    assert is_denied(key)


@pytest.mark.parametrize("key", [*KEPT, "essex", "trace_id", "banker2x", ""])
def test_a_key_that_only_holds_the_letters_is_kept(key: str) -> None:
    assert not is_denied(key)


def test_values_and_labels_are_not_keys() -> None:
    line = b'{"job_title":"Payroll Tax Manager","department":{"name":"Bank"},"values":["sex","pay"]}'
    assert members_of(line).keys() == {"job_title", "department", "values"}
    assert drop_sensitive_keys([line]) == [line]


def test_denied_keys_go_at_any_depth_and_with_any_spelling() -> None:
    line = b'{"a":[{"p\\u0061y":1,"b":{"Sex" : 2,"c":3}}],"x":"\\u00e9"}'
    assert [json.loads(kept or b"") for kept in drop_sensitive_keys([line])] == [{"a": [{"b": {"c": 3}}], "x": "é"}]


def keys_of(value: object) -> list[str]:
    if isinstance(value, dict):
        return [*value, *(key for one in value.values() for key in keys_of(one))]
    return [key for one in value for key in keys_of(one)] if isinstance(value, list) else []


def pruned(value: object) -> object:
    if isinstance(value, dict):
        return {key: pruned(one) for key, one in value.items() if not is_denied(key)}
    return [pruned(one) for one in value] if isinstance(value, list) else value


@given(st.dictionaries(st.sampled_from((*DENIED, *KEPT)) | st.text(), json_values, max_size=6))
def test_no_denied_key_is_left_and_nothing_else_is_lost(member: dict[str, object]) -> None:
    kept = members_of(json.dumps(member).encode())
    (line,) = drop_sensitive_keys([msgspec.json.encode(kept)])
    assert line is not None
    assert json.loads(line) == pruned(member)
    assert not any(map(is_denied, keys_of(json.loads(line))))
