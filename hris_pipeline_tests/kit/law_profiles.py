"""How many examples a law is tried with: few in ``make test``, the same ones each time; many and fresh ones in
``make soak``, by the environment variable LAWS_TIMES. It stands alone because a profile cannot multiply."""

import os
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, settings

__all__ = ["TIMES", "law", "load_profile"]

TIMES = int(os.environ.get("LAWS_TIMES", "1"))

EXAMPLES = 25
"""Of a property that says nothing else."""


def load_profile() -> None:
    """What holds for every property, unless it says otherwise."""
    settings.register_profile(
        "project", max_examples=EXAMPLES * TIMES, deadline=None, derandomize=TIMES == 1, database=None
    )
    settings.load_profile("project")


def law(examples: int) -> Callable[[Any], Any]:
    """The settings of a law that ``make test`` tries with so many examples."""
    return settings(
        max_examples=examples * TIMES,
        deadline=None,
        derandomize=TIMES == 1,
        database=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
