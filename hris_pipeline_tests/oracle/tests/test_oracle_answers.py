"""The generator of answers, and the verdict on each of them."""

import pytest

from ..answers import all_single_cases, oversized, single_cases
from ..list_answers import list_cases
from ..model import Source
from ..reading import verdict

SOURCES: tuple[Source, ...] = ("justworks", "finch")


@pytest.mark.parametrize("source", SOURCES)
def test_verdict_on_thousands_of_answers(source: Source) -> None:
    for case in single_cases(source, "m1", seed=1, count=4_000):
        if case.timing in ("prompt", "slow"):
            assert verdict(source, "m1", case.answer) in case.allowed, case.kind


@pytest.mark.parametrize("source", SOURCES)
def test_every_verdict_occurs(source: Source) -> None:
    cases = list(single_cases(source, "m1", seed=2, count=2_000))
    assert {says for case in cases for says in case.allowed} == {"gone", "active", "hole", "stopped"}
    assert {case.proves_the_question for case in cases} == {True, False, None}
    assert any(case.may_archive for case in cases)


@pytest.mark.parametrize("source", SOURCES)
def test_cases_are_the_same_for_one_seed(source: Source) -> None:
    def kinds(seed: int) -> list[str]:
        return [case.kind for case in single_cases(source, "m1", seed=seed, count=50)]

    assert kinds(3) == kinds(3) != kinds(4)
    assert list(list_cases(source, seed=3, count=20)) == list(list_cases(source, seed=3, count=20))


@pytest.mark.parametrize("source", SOURCES)
def test_list_cases_cover_every_verdict(source: Source) -> None:
    cases = list(list_cases(source, seed=5, count=300))
    assert {case.kind.split("-")[0] for case in cases} >= {"good", "status", "broken", "timing", "not", "short"}
    assert any(case.nobody_may_be_archived_unasked for case in cases)
    assert all(case.listed <= case.everybody for case in cases)


def test_no_case_that_cannot_confirm_is_mistaken_for_one_that_can() -> None:
    assert next(iter(all_single_cases("justworks", "m1"))).kind == "200/inactive/plain/prompt"
    assert oversized("justworks", "m1", 1_000_000).may_archive is False
