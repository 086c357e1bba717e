"""Of a member only what a mapping can read is kept, at every depth; of everything else only names are counted."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hris_pipeline.sources import finch_wire, justworks_wire
from hris_pipeline.sources.protocol import Company
from hris_pipeline.sources.records import ANY, Pruner, Shape

CANARY = "078-05-1120"

NEVER = (
    *(
        "current_pay",
        "pay_history",
        "sex_assigned_at_birth",
        "ssn",
        "socialSecurityNumber",
        "payrate",
        "account_number",
    ),
    *("bankAccount", "tax_withholding", "salary", "gender", "ethnicity", "income", "partner_settings", "line1"),
)
KEPT = (
    *("id", "name", "emails", "phones", "addresses", "department", "office", "manager", "current_employment", "US"),
    *("employment_history", "custom_field_values", "type", "value", "values", "email", "number", "city", "given_name"),
    *("active", "date_of_birth", "job_title", "label", "start_date", "address", "unread"),
)

values = st.recursive(
    st.just(CANARY) | st.integers() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from((*NEVER, *KEPT)), inner, max_size=5),
    max_leaves=20,
)
members = st.dictionaries(st.sampled_from((*NEVER, *KEPT)), values, max_size=8)


def keys_of(value: object) -> set[str]:
    if isinstance(value, dict):
        return {*value, *(key for item in value.values() for key in keys_of(item))}
    return {key for item in value for key in keys_of(item)} if isinstance(value, list) else set()


@given(members)
def test_no_other_key_is_left_at_any_depth(member: dict[str, Any]) -> None:
    record = justworks_wire.Reception(Company("c", "Acme")).record(member)
    assert not keys_of(json.loads(record.line)) & set(NEVER)


@given(members, members, members)
def test_nor_of_the_aggregators_people(directory: Any, individual: Any, employment: Any) -> None:
    employment.pop("custom_fields", None)  # whose values are anything
    record = finch_wire.Reception().record("a", directory, individual, employment)
    assert not keys_of(json.loads(record.line)) & set(NEVER)


@pytest.mark.parametrize("key", ["current_employment", "employment_history"])
@pytest.mark.parametrize(
    "value", [CANARY, [CANARY], {"US": CANARY}, {"US": [CANARY, {"pay": CANARY}]}, {"SSN": CANARY}]
)
def test_a_country_keeps_nothing_but_what_is_read_in_its_objects(key: str, value: object) -> None:
    member = {"id": "a", key: {"SSN": value, "ssn": value, "US": {"CA": value}}}
    assert CANARY.encode() not in justworks_wire.Reception(Company("c", "Acme")).record(member).line


def keys_in(shape: Shape) -> set[str]:
    inner = (kind for kind in shape.keys.values() if isinstance(kind, Shape))
    return {*shape.keys, *(key for kind in inner for key in keys_in(kind))}


def test_the_allow_list_has_no_word_of_pay_tax_sex_or_bank() -> None:
    words = ("pay", "salary", "wage", "tax", "ssn", "sex", "gender", "ethni", "bank", "account", "income", "line1")
    for shape in (justworks_wire.SHAPE, finch_wire.SHAPE):
        assert not [key for key in keys_in(shape) if any(word in key for word in words)]


def test_keys_are_counted_by_name_and_place() -> None:
    reception = justworks_wire.Reception(Company("c", "Acme"))
    for member in (
        {"id": "a", "emails": [{"type": "work", "address": "x", "verified": True}], "SSN": 1},
        {"id": "b", "emails": [{"kind": "work", "email": "y"}], "current_employment": {"US": {"type": "x", "rate": 1}}},
        {"id": "c", "Ada Lovelace <ada@home.example>": 1},
    ):
        reception.record(member)
    report = reception.report()
    assert report.spellings["emails"] == {"type": 1, "address": 1, "kind": 1, "email": 1}
    assert report.spellings["member"] == {"id": 3, "emails": 2, "current_employment": 1}
    assert report.other_keys == {"emails.verified": 1, "SSN": 1, "current_employment.rate": 1, "(unusual)": 1}


def test_names_that_never_end_are_bounded() -> None:
    pruner, shape = Pruner(), Shape("member", {"id": None, "any": ANY})
    for number in range(5000):
        assert pruner.prune({"id": number, f"key_{number}": 1}, shape) == {"id": number}
    read, other = pruner.counted()
    assert read == {"member": {"id": 5000}}
    assert len(other) <= 302
    assert sum(other.values()) == 5000


@pytest.mark.parametrize("item", [7, None, "text", [], [{"id": "a"}], True])
def test_what_is_no_object_is_a_record_without_an_id(item: object) -> None:
    record = justworks_wire.Reception(Company("c", "Acme")).record(item)
    assert (record.hris_id, record.line, record.active) == ("", b"{}", False)
