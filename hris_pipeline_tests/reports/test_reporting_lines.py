"""Reporting lines and headcount."""

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from hris_pipeline.reports.reporting_lines import SMALLEST_GROUP, headcount, reporting_lines, without_small_groups
from hris_pipeline.settings.document import MetadataField, Settings
from hris_pipeline.settings.fields import MetadataName
from hris_pipeline.transform.columns import FLAG, INTEGER, TEXT, TEXTS
from hris_pipeline_tests.kit.frames import text_frame, values

Line = tuple[list[str], bool]


def lines(supervisors: dict[str, str | None], archived: frozenset[str] = frozenset()) -> dict[str, Line]:
    """Chain and cycle of each active user, by EmployeeId."""
    status = ["archived" if supervisor in archived else "active" for supervisor in supervisors]
    frame = reporting_lines(
        text_frame(employee_id=list(supervisors), supervisor_id=list(supervisors.values()), status=status)
    )
    assert values(frame["depth"]) == [len(chain) for chain in values(frame["chain"])]
    chains = ([str(user_id) for user_id in chain] for chain in values(frame["chain"]))
    return dict(zip(values(frame["employee_id"]), zip(chains, values(frame["in_cycle"]), strict=True), strict=True))


def test_a_chain_leads_from_the_supervisor_to_the_top() -> None:
    assert lines({"boss": None, "lead": "boss", "dev": "lead", "solo": None}) == {
        "boss": ([], False),
        "dev": (["lead", "boss"], False),
        "lead": (["boss"], False),
        "solo": ([], False),
    }


def test_a_cycle_is_shown_and_ends() -> None:
    assert lines({"a": "b", "b": "c", "c": "a", "below": "b", "self": "self", "selfs": "self"}) == {
        "a": (["b", "c"], True),
        "b": (["c", "a"], True),
        "c": (["a", "b"], True),
        "below": (["b", "c", "a"], False),
        "self": ([], True),
        "selfs": (["self"], False),
    }


def test_a_supervisor_who_is_no_user_is_the_top() -> None:
    assert lines({"a": "gone", "b": "a"}) == {"a": (["gone"], False), "b": (["a", "gone"], False)}


def test_archived_users_have_no_line_but_stay_in_those_of_others() -> None:
    assert lines({"a": None, "b": "a", "c": "b"}, frozenset("b")) == {"a": ([], False), "c": (["b", "a"], False)}


def test_approvers_are_the_associated_supervisors_in_the_fields_order_each_once() -> None:
    users = text_frame(
        employee_id=["1", "2", "3"],
        supervisor_id=[None, "1", "1"],
        status=["active"] * 3,
        _Buddy=["2", "3", None],
        _Sponsor=["1", "3", None],
    )
    frame = reporting_lines(users, [MetadataName(name) for name in ("Sponsor", "Buddy", "Absent")])
    assert [list(approvers) for approvers in frame["approvers"]] == [["1", "2"], ["3"], []]
    assert dict(frame.dtypes) == {
        "employee_id": TEXT,
        "depth": INTEGER,
        "chain": TEXTS,
        "in_cycle": FLAG,
        "approvers": TEXTS,
    }
    assert dict(reporting_lines(users[:0], [MetadataName("Buddy")]).dtypes) == dict(frame.dtypes)


def walked(supervisors: dict[str, str | None], person: str) -> Line:
    """One chain, step by step."""
    chain: list[str] = []
    current = supervisors[person]
    while current is not None and current != person and current not in chain:
        chain.append(current)
        current = supervisors.get(current)
    return chain, current == person


people = st.integers(1, 12).flatmap(
    lambda size: st.lists(st.one_of(st.none(), st.integers(0, size)), min_size=size, max_size=size)
)


@given(people)
def test_climbing_all_at_once_is_walking_one_by_one(above: list[int | None]) -> None:
    supervisors = {
        f"p{n:02}": None if supervisor is None else f"p{supervisor:02}" for n, supervisor in enumerate(above)
    }
    assert lines(supervisors) == {person: walked(supervisors, person) for person in supervisors}


def test_headcount_counts_active_users_by_department_location_and_role() -> None:
    users = text_frame(
        status=["active", "active", "active", "archived", "active"],
        _Department=["Ops", "Ops", "Art", "Ops", None],
        _EmploymentCity=["Paris", "Paris", None, "Paris", None],
        _EmploymentCountry=["FR", "FR", "DE", "FR", None],
        _JobTitle=["Poet", "Dev", "Dev", "Dev", "Dev"],
    )
    frame = headcount(users, Settings().metadata)
    assert list(zip(*(values(frame[name]) for name in frame), strict=True)) == [
        ("department", "Ops", 2),
        ("department", "Art", 1),
        ("department", None, 1),
        ("location", "Paris, FR", 2),
        ("location", "DE", 1),
        ("location", None, 1),
        ("role", "Dev", 3),
        ("role", "Poet", 1),
    ]
    assert dict(frame.dtypes) == {"dimension": TEXT, "value": TEXT, "active_count": INTEGER}


def test_headcount_asks_by_source_whatever_the_metadata_is_called() -> None:
    users = text_frame(status=["active", "active"], _Team=["Ops", "Art"], _Town=["Paris", "Rome"])
    metadata = metadata_of(("Team", "department", "default"), ("Town", "employment_city", "default"))
    frame = headcount(users, metadata)
    assert values(frame["dimension"]) == ["department", "department", "location", "location"]
    assert set(values(frame["value"])) == {"Ops", "Art", "Paris", "Rome"}


def test_a_dimension_that_nothing_is_fed_from_or_that_is_hidden_is_left_out() -> None:
    users = text_frame(status=["active"], _City=["Paris"], _Secret=["Ops"])
    metadata = metadata_of(("City", "employment_city", "default"), ("Secret", "department", "hidden"))
    assert values(headcount(users, metadata)["dimension"]) == ["location"]
    assert headcount(users, ()).empty


def metadata_of(*entries: tuple[str, str, str]) -> tuple[MetadataField, ...]:
    """Metadata fields of name, source and type."""
    keys = ("name", "source", "type")
    return tuple(MetadataField.model_validate(dict(zip(keys, entry, strict=True))) for entry in entries)


@given(st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.integers(1, 12), max_size=8))
def test_a_count_without_small_groups_tells_of_nobody_alone(groups: dict[str, int]) -> None:
    counts = pd.DataFrame(
        {"dimension": ["role"] * len(groups), "value": list(groups), "active_count": list(groups.values())}
    ).astype({"dimension": TEXT, "value": TEXT, "active_count": INTEGER})
    merged = without_small_groups(counts)
    assert merged.dtypes.to_dict() == counts.dtypes.to_dict()
    rows = dict(zip(values(merged["value"]), values(merged["active_count"]), strict=True))
    other = rows.pop("other", 0)
    assert sum(rows.values()) + other == sum(groups.values())
    assert all(groups[name] == count >= SMALLEST_GROUP for name, count in rows.items())
    assert not rows or not other or (other >= SMALLEST_GROUP and len(groups) - len(rows) > 1)


def test_groups_are_told_as_they_are_when_all_are_large() -> None:
    counts = pd.DataFrame({"dimension": ["role"] * 2, "value": ["a", "b"], "active_count": [9, 5]})
    assert without_small_groups(counts.astype({"dimension": TEXT, "value": TEXT, "active_count": INTEGER})).to_dict(
        "list"
    ) == counts.to_dict("list")
