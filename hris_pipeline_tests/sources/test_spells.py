"""A member's history: what counts as a start, and what makes it unread."""

from typing import Any

import pytest

from hris_pipeline.sources.justworks_wire import Reception
from hris_pipeline.sources.protocol import Company
from hris_pipeline.sources.raw_columns import SPELLS, UNREAD
from hris_pipeline_tests.kit.wire_company import justworks_columns

COMPANY = Company("c", "Acme")
FIRST = {"start_date": "2018-01-01", "end_date": "2020-05-01"}


def received(history: object) -> dict[str, Any]:
    """The raw columns of a member with this history, who began in 2018."""
    member = {"id": "m1", "employment_start_date": "2018-01-01", "employment_history": history}
    record = Reception(COMPANY).record(member)
    return {name: values[0] for name, values in justworks_columns([record.line], COMPANY).items()}


@pytest.mark.parametrize(
    "later",
    [
        {"start_date": ""},
        {"start_date": None, "end_date": None},
        {"end_date": "2024-01-01"},
        {"from": "2023-01-01"},
        {"start_date": "2019-01-01", "effective_date": "soon"},
        {"start_date": {"on": "2019-01-01"}, "effective_date": "2023-01-01"},
    ],
)
def test_a_spell_whose_start_is_not_told_makes_the_history_unread(later: dict[str, object]) -> None:
    read = received([FIRST, later])
    assert (read[UNREAD], read["latest_rehire_date"]) == (["latest_rehire_date"], None)


def test_the_starts_that_can_be_read_of_an_unread_history_count() -> None:
    read = received([{"start_date": "2023-01-01"}, {"from": "2024-01-01"}])
    assert (read["latest_rehire_date"], read[SPELLS]) == (None, "2023-01-01/")


@pytest.mark.parametrize("nothing", [[], [{}], [None, {}], [{"start_date": "", "end_date": None}], {}])
def test_a_history_that_holds_nothing_is_none(nothing: object) -> None:
    read = received(nothing)
    assert (read[UNREAD], read["latest_rehire_date"], read[SPELLS]) == ([], None, None)


def test_what_holds_nothing_at_all_is_no_spell() -> None:
    assert received([FIRST, None, {}])[UNREAD] == []


def test_a_later_start_told_beside_the_first_is_no_rehire_but_a_start() -> None:
    read = received([{"start_date": "2018-01-01", "effective_date": "2023-01-01"}])
    assert (read[UNREAD], read["latest_rehire_date"], read[SPELLS]) == ([], None, "2018-01-01/ 2023-01-01/")
    earlier = received([{"start_date": "2018-01-01", "effective_date": "2017-01-01"}])
    assert (earlier["latest_rehire_date"], earlier[SPELLS]) == (None, None)
    alone = received([FIRST, {"start_date": "", "effective_date": "2023-01-01"}])
    assert alone["latest_rehire_date"] == "2023-01-01"


def test_a_single_value_that_is_unread_is_counted_of_all_who_send_it() -> None:
    """As documented or not: 2 of the 6 who send a title, and of the 5 who send an end."""
    people: list[dict[str, Any]] = [{"id": f"m{number}", "job_title": "Chief", "phones": ["1"]} for number in range(2)]
    people += [
        {"id": f"m{number}", "job_title": "Chief", "employment_termination_date": "2030-01-01"} for number in (3, 4)
    ]
    people += [{"id": f"m{number}", "job_title": {"is": 1}, "employment_termination_date": ["x"]} for number in (5, 6)]
    reception = Reception(COMPANY)
    for member in [*people, {"id": "m7", "job_title": "", "employment_termination_date": "2030-01-01"}]:
        reception.record(member)
    unread = reception.report().unread
    assert [(unread[name].count, unread[name].of) for name in ("job_title", "termination_date")] == [(2, 6), (2, 5)]
