"""Members that look as documented are read by a shorter way; in all that can be seen it is the tolerant way's twin."""

import sys
from copy import deepcopy
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hris_pipeline.sandbox import Company as SandboxCompany
from hris_pipeline.sandbox import Sandbox
from hris_pipeline.sandbox.wire import profile
from hris_pipeline.sources.documented import DocumentedReader
from hris_pipeline.sources.justworks_wire import Reception, read_company
from hris_pipeline.sources.partner_api import PartnerApi
from hris_pipeline.sources.protocol import Record
from hris_pipeline.sources.raw_columns import ColumnBuilder
from hris_pipeline_tests.kit.wire_company import COMPANY

CALLS = 35
"""The most calls of Python functions that a documented member may take, its row in the columns included."""

DOCUMENTED: dict[str, Any] = {
    "id": "m1",
    "company_id": "c",
    "work_id": "0042",
    "name": {"given_name": "Ada", "family_name": "Lovelace", "full_preferred_name": "Ada L"},
    "active": True,
    "addresses": [{"type": "home", "line1": "1 St", "city": "Reno", "state": "NV", "country": "US"}],
    "emails": [{"type": "personal", "email": "ada@home.example"}, {"type": "work", "email": "ada@acme.example"}],
    "phones": [{"type": "work", "number": "1"}, {"type": "mobile", "number": "2"}],
    "current_employment": {"CA": {"employment_type": "full_time", "start_date": "2021-02-01"}},
    "employment_history": [{"start_date": "2019-01-07", "end_date": "2020-12-31"}, {"start_date": "2021-02-01"}],
    "date_of_birth": "1990-01-01",
    "department": {"id": "d", "name": "Engines"},
    "office": {"id": "o1", "name": "HQ"},
    "manager": {"id": "m0", "work_id": "0001"},
    "employment_start_date": "2019-01-07",
    "job_title": "Analyst",
    "type": "employee",
    "custom_field_values": [
        {"id": "f1", "values": ["a"]},
        {"id": "f2", "values": ["a", "b"]},
        {"id": "f3", "values": []},
    ],
    "current_pay": {"amount": 1},
    "updated_at": "2026-01-01T00:00:00Z",
}

ODD: tuple[object, ...] = (
    *(None, "", " ", "x", 0, 7, 1.5, True, False, [], {}, [None], [[]], [{}], {"id": ""}, {"id": "x", "name": None}),
    *("\ufffd", "No Department", "mobile_phone", {"US": {}}, {"US": None}, [{"type": "home"}], {"mail": "x"}, "\u200b"),
)
odd = st.sampled_from(ODD)
KEYS = (
    *(
        "type",
        "kind",
        "email",
        "address",
        "value",
        "number",
        "country_code",
        "calling_code",
        "city",
        "state",
        "country",
    ),
    *("id", "member_id", "work_id", "name", "given_name", "start_date", "effective_date", "employment_type", "values"),
    *("US", "CA", "line1", "addresses", "label", "ssn", "o2", "postal_code", "unread", "text", "end_date", "active"),
)


@st.composite
def members(draw: st.DrawFn) -> dict[str, Any]:
    """A documented member of which some places, at whatever depth, are gone, added or odd."""
    member = deepcopy(DOCUMENTED)
    for _ in range(draw(st.integers(0, 3))):
        place: Any = member
        while True:
            keys = [*place] if isinstance(place, dict) else list(range(len(place)))
            key = draw(st.sampled_from(keys)) if keys else None
            inner = place[key] if key is not None else None
            if isinstance(inner, dict | list) and draw(st.booleans()):
                place = inner
                continue
            break
        action = draw(st.sampled_from(("drop", "odd", "add", "twice")))
        if isinstance(place, list):
            if action in ("add", "twice") and place:
                place.append(deepcopy(draw(odd) if action == "add" else place[0]))
            elif key is not None and action == "drop":
                place.pop(key)
            elif key is not None:
                place[key] = deepcopy(draw(odd))
        elif action == "drop" and key is not None:
            place.pop(key)
        elif action == "odd" and key is not None:
            place[key] = deepcopy(draw(odd))
        else:
            place[draw(st.sampled_from(KEYS))] = deepcopy(draw(odd))
    return member


def seen(record: Record) -> tuple[object, ...]:
    return (record.hris_id, record.updated_at, record.line, record.active, record.row, sorted(record.unread))


def frame(records: list[Record]) -> Any:
    builder = ColumnBuilder()
    builder.extend(records)
    return builder.finish()


def both_ways(*members: Any) -> tuple[tuple[object, ...], tuple[object, ...]]:
    """Everything that can be seen of taking members in, the archived bytes and the frame too: by the reception as it
    is, and by its tolerant way alone."""
    reception, tolerant = Reception(COMPANY), Reception(COMPANY)
    quick = [record for record in reception.records(members) if record is not None]
    slow = [tolerant._read_tolerantly(member) for member in members]
    quick_seen, slow_seen = ([seen(record) for record in records] for records in (quick, slow))
    return (quick_seen, frame(quick), reception.report()), (slow_seen, frame(slow), tolerant.report())


@given(st.lists(members(), min_size=1, max_size=3))
def test_both_ways_read_keep_and_count_the_same(members: list[dict[str, Any]]) -> None:
    quick, slow = both_ways(*members)
    assert quick == slow


def test_a_documented_member_needs_no_tolerance(monkeypatch: pytest.MonkeyPatch) -> None:
    quick, slow = both_ways(DOCUMENTED)
    assert quick == slow
    monkeypatch.setattr(Reception, "_read_tolerantly", lambda *_: pytest.fail("read the long way"))
    Reception(COMPANY).record(DOCUMENTED)


def test_taking_in_a_member_takes_few_calls_of_python() -> None:
    company = SandboxCompany(500, seed=3)
    members = [msgspec.json.decode(company.encoded(member_id)) for member_id in company.member_ids]
    reception = Reception(read_company(profile("c", "Acme")))
    frame([reception.record(members[0])])
    pages = [members[first : first + 100] for first in range(0, len(members), 100)]
    calls = 0

    def count(_: object, event: str, __: object) -> None:
        nonlocal calls
        calls += event == "call"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        frame([record for page in pages for record in reception.records(page) if record is not None])
        reception.report()
    finally:
        sys.setprofile(before)
    assert calls / len(members) < CALLS, calls / len(members)


def test_nearly_everybody_in_the_sandbox_is_read_the_short_way(
    sandbox: Sandbox, justworks: PartnerApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    readings: list[bool] = []
    read = DocumentedReader.read

    def noting(self: DocumentedReader, members: Any) -> Any:
        page = read(self, members)
        readings.extend(reading is not None for reading in page)
        return page

    monkeypatch.setattr(DocumentedReader, "read", noting)
    records = sum(len(page.records) for page in justworks.pages(custom_fields=False))
    assert len(readings) == records
    assert sum(readings) > 0.9 * records
    assert msgspec.json.encode(justworks.shape_report())
