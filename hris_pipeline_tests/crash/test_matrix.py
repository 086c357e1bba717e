"""A statement cut, killed, frozen, without space, locked out or read-only: told in words, wholly or not at all, and
done again. A statement of each work here, of a save the last; every one in ``python -m benchmarks.soak_matrix``."""

from collections.abc import Callable

import pytest

from hris_pipeline_tests.kit.crash_story import Story
from hris_pipeline_tests.kit.forked_processes import Processes
from hris_pipeline_tests.kit.trouble_matrix import WORKS, statements_of, try_statements
from hris_pipeline_tests.kit.troubles import TROUBLES, Trouble, WorkName


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
    spread = 1 + TROUBLES.index(trouble) * last // len(TROUBLES)
    cell = try_statements(story, killable, work, trouble, [last if work == "save" else spread])
    assert cell.trials == 1
    record_property("troubles at a statement", cell.trials)
