"""From raw columns to a plan everything is a matter of columns: how often Python is called for one more person is
counted, and never timed. Stands alone because it goes through two rooms."""

import sys
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any

import pytest

from hris_pipeline.change_set.directory import PlanContext
from hris_pipeline.change_set.plan import Plan, make_plan
from hris_pipeline.settings.document import Settings
from hris_pipeline.transform import validate as validation
from hris_pipeline.transform.map_users import map_users
from hris_pipeline_tests.kit.frames import TODAY, Company, member, validated
from hris_pipeline_tests.kit.memory_directory import MemoryDirectory

ROOMS = ("hris_pipeline/transform/", "hris_pipeline/change_set/", "hris_pipeline/settings/text.py")

FEW, MANY = 40, 240

FINGERPRINT = 2
"""Calls a fingerprint of a row takes: the function, and the generator that asks it."""


def people(number: int, **values: Callable[[int], object]) -> list[dict[str, object]]:
    return [
        member(person, email=f"p{person}@example.org", **{name: make(person) for name, make in values.items()})
        for person in range(number)
    ]


def planned(members: list[dict[str, object]], directory: MemoryDirectory) -> Plan:
    mapped = map_users(validated(*members).people, Settings(), Company(), TODAY)
    return make_plan(mapped.users, directory, PlanContext("acme", TODAY, complete=True), Settings())


def calls(work: Callable[[], Any]) -> int:
    """How many functions of the rooms are called, generators' steps included."""
    number, before = 0, sys.getprofile()

    def count(frame: FrameType, event: str, _: Any) -> None:
        nonlocal number
        number += event == "call" and any(room in frame.f_code.co_filename for room in ROOMS)

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(before)
    return number


def calls_a_person(make: Callable[[int], list[dict[str, object]]], *, imported: bool) -> float:
    numbers = []
    for size in (FEW, MANY):
        members, directory = make(size), MemoryDirectory()
        if imported:
            directory.apply(planned(members, directory).rows)
        numbers.append(calls(partial(planned, members, directory)))
    return (numbers[1] - numbers[0]) / (MANY - FEW)


def test_somebody_who_did_not_change_costs_a_fingerprint() -> None:
    assert calls_a_person(people, imported=True) <= FINGERPRINT


def test_somebody_new_costs_two_fingerprints_and_an_id() -> None:
    assert calls_a_person(people, imported=False) <= 2 * FINGERPRINT + 1


def test_an_odd_text_is_looked_at_once_however_many_people_have_it() -> None:
    def make(number: int) -> list[dict[str, object]]:
        return people(number, job_title=lambda _: "Chargé d\u2019affaires", residence_city=lambda _: "Zürich")

    assert calls_a_person(make, imported=True) <= FINGERPRINT


def test_no_schema_is_run_on_an_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation, "employees_schema", None)
    assert planned(people(3), MemoryDirectory()).counts["created"] == 3
