"""No answer archives: whatever a source says, asked through the real clients, nobody who works is taken for gone, and
whoever is certain to have left is found.

The bulk is asked in the process, some hundreds over real sockets; ``benchmarks/soak_answers.py`` asks the rest.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from hris_pipeline_tests.kit.answer_trials import Trial, list_trials, lookup_trials, oversized_trial, proof_trials
from hris_pipeline_tests.kit.scripted_http import answered_in_process, serving
from hris_pipeline_tests.oracle.model import Source

SOURCES: tuple[Source, ...] = ("justworks", "finch")
SEED = 20260615

RecordProperty = Callable[[str, object], None]


def held(trials: list[Trial], record_property: RecordProperty) -> None:
    """Every trial keeps the law; how many there were is told at the end of the run."""
    record_property("answers tried", len(trials))
    assert [trial for trial in trials if trial.breach] == []


@pytest.mark.parametrize("source", SOURCES)
def test_a_single_answer_confirms_only_what_it_says(source: Source, record_property: RecordProperty) -> None:
    held(list(lookup_trials(source, answered_in_process, seed=SEED, count=1_500)), record_property)


@pytest.mark.parametrize("source", SOURCES)
def test_without_proof_of_the_question_nobody_is_gone(
    source: Source, tmp_path: Path, record_property: RecordProperty
) -> None:
    held(list(proof_trials(source, answered_in_process, tmp_path, seed=SEED, count=50)), record_property)


@pytest.mark.parametrize("source", SOURCES)
def test_whatever_the_list_says_nobody_who_works_is_gone(
    source: Source, tmp_path: Path, record_property: RecordProperty
) -> None:
    held(list(list_trials(source, answered_in_process, tmp_path, seed=SEED, count=50)), record_property)


@pytest.mark.parametrize("source", SOURCES)
def test_answers_over_real_sockets(source: Source, tmp_path: Path, record_property: RecordProperty) -> None:
    singles = lookup_trials(source, serving, seed=SEED + 1, count=40)
    held([*singles, *list_trials(source, serving, tmp_path, seed=SEED + 1, count=10)], record_property)


@pytest.mark.parametrize("source", SOURCES)
def test_an_answer_that_unpacks_without_end_confirms_nothing(source: Source) -> None:
    assert oversized_trial(source, answered_in_process, 64 << 20).breach == ""
