"""The oracle is held to its own laws over made-up years."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ..applying import apply
from ..company import Person, crowd, partner_member, reading_of, works
from ..laws import (
    again_is_nothing,
    all_breaches,
    check,
    employee_ids_stay_unique,
    facts,
    no_address_is_given_twice,
    nobody_certain_to_have_left_stays,
    nobody_employed_archived,
)
from ..mapping import employment
from ..model import Source
from ..observation import Observed, ObservedRow, observed_of
from ..people_strategies import persons
from ..plan import expect
from ..strategies import MONDAY, Story, after_decisions, after_edits, stories
from ..wire import partner_employee
from .kit import imported, user

FEW = settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)


@FEW
@given(st.one_of(stories(max_people=12), stories("finch", max_people=12)))
def test_oracle_keeps_the_laws(story: Story) -> None:
    world = story.world
    for week in story.weeks:
        world = after_decisions(after_edits(world, week), week)
        expectation = expect(world, week.reading)
        assert all_breaches(world, week.reading, observed_of(expectation)) == []
        listed = {person.hris_id: person for person in week.people if person.listed}
        for row in expectation.rows_of("archive"):
            if row.hris_id not in {entry.hris_id for entry in expectation.excluded} and row.hris_id in listed:
                assert not works(listed[row.hris_id], week.today)
        after = apply(world, expectation, approved=week.approve)
        assert employee_ids_stay_unique(after.users) == []
        assert no_address_is_given_twice(world, after.users) == []
        if expectation.status == "planned":
            again = expect(after, week.reading)
            if again.guards and not again.guards["identity_change"].tripped:
                assert again_is_nothing(observed_of(expectation), observed_of(again)) == []
        world = after


@FEW
@given(stories(max_people=8, max_weeks=2))
def test_order_of_the_list_does_not_matter(story: Story) -> None:
    for week in story.weeks:
        turned = replace(week.reading, members=tuple(reversed(week.reading.members)))
        assert expect(story.world, week.reading) == expect(story.world, turned)


@FEW
@given(st.integers(1, 9).flatmap(persons))
def test_employment_from_the_wire_is_the_truth(person: Person) -> None:
    employee = partner_employee(partner_member(person))
    assert (employment(employee, MONDAY) == "employed") is works(person, MONDAY)


@pytest.mark.parametrize("source", ["justworks", "finch"])
def test_laws_find_what_is_wrong(source: Source) -> None:
    people = crowd(20)
    world = imported(people, source=source)
    reading = reading_of(source, [replace(people[0], active=False), *people[1:]])
    evidence = facts(world, reading)
    first, second = user(world, "m1").user_id, user(world, "m2").user_id
    wrong = Observed(rows=(ObservedRow("archive", second, "m2"),))
    assert nobody_employed_archived(world, evidence, wrong.rows) != []
    assert nobody_certain_to_have_left_stays(world, evidence, wrong) != []
    right = Observed(rows=(ObservedRow("archive", first, "m1"),))
    assert nobody_employed_archived(world, evidence, right.rows) == []
    assert nobody_certain_to_have_left_stays(world, evidence, right) == []
    assert check(world, reading, observed_of(expect(world, reading))) == []
    assert check(world, reading, wrong) != []
