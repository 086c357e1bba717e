"""How many examples a law is tried with: few in ``make test``, the same ones each time; many and fresh ones in
``make soak``, by the environment variable LAWS_TIMES. It stands alone because a profile cannot multiply."""

import os
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, settings

__all__ = ["law"]


def law(examples: int) -> Callable[[Any], Any]:
    """The settings of a law that ``make test`` tries with so many examples."""
    times = int(os.environ.get("LAWS_TIMES", "1"))
    return settings(
        max_examples=examples * times,
        deadline=None,
        derandomize=times == 1,
        database=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
