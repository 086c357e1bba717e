"""A statement cut, killed, frozen, without space, locked out or read-only: told in words, wholly or not at all, and
done again. Some statements of each work here, every one in ``python -m benchmarks.soak_matrix``."""

from collections.abc import Callable

import pytest

from hris_pipeline_tests.kit.crash_processes import Processes
from hris_pipeline_tests.kit.crash_story import Story
from hris_pipeline_tests.kit.trouble_matrix import WORKS, statements_of, try_statements
from hris_pipeline_tests.kit.troubles import TROUBLES, Trouble, WorkName

HERE = {"plan": 1, "save": 2, "import": 1}
"""How many statements of each work are tried with each trouble, others with each; of a save the last is one of them."""


@pytest.mark.parametrize("work", WORKS)
@pytest.mark.parametrize("trouble", TROUBLES)
def test_trouble_before_a_statement(
    story: Story,
    killable: Processes,
    work: WorkName,
    trouble: Trouble,
    record_property: Callable[[str, object], None],
) -> None:
    last = statements_of(story, killable, work)
    shift = TROUBLES.index(trouble) * last // (len(TROUBLES) * HERE[work])
    spread = [1 + (shift + step * last // HERE[work]) % last for step in range(HERE[work])]
    chosen = {*spread[1:], last} if work == "save" else set(spread)
    cell = try_statements(story, killable, work, trouble, sorted(chosen))
    assert cell.trials == len(chosen)
    record_property("troubles at a statement", cell.trials)
