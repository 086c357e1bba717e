"""Two commands at once on one home, by real processes: each does its work, waits, or says why not. Quick pairs here;
every pair of commands in ``python -m benchmarks.soak_pairs``."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hris_pipeline.sandbox import Sandbox
from hris_pipeline_tests.kit import command_pairs
from hris_pipeline_tests.kit.command_pairs import Home
from hris_pipeline_tests.kit.forked_processes import Processes, processes


@pytest.fixture(scope="module")
def commands() -> Iterator[Processes]:
    """Where processes come from that have all commands imported."""
    with processes(command_pairs.__name__) as started:
        yield started


@pytest.mark.parametrize("pair", [("settings set", "rotate-key"), ("pause", "settings set")], ids=" and ".join)
def test_each_does_its_work_or_says_why_not(
    saved: dict[str, Any], home: Path, sandbox: Sandbox, commands: Processes, pair: tuple[str, str]
) -> None:
    assert saved["status"] == "applied"
    company = Home(home, sandbox, commands, {})
    both = company.run_at_once(*pair)
    assert all(end.is_told for end in both), both
    (verified,) = company.run_at_once("verify")
    assert (verified.exit_code, verified.stderr) == (0, "")
