"""What a measurement is, and how a process measures itself: wall and CPU of each step, and its own peak of memory."""

import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import msgspec

__all__ = ["Measured", "Meter", "Step", "measured"]

RSS_UNIT = 1 if sys.platform == "darwin" else 1024
"""Of ``ru_maxrss``, in bytes."""


class Step(msgspec.Struct, frozen=True):
    """Seconds on the clock, and seconds of this process's own work, all threads together."""

    wall: float
    cpu: float


class Measured(msgspec.Struct, frozen=True):
    """What one process measured of itself; ``peak_mb`` is its largest resident size, imports included."""

    steps: dict[str, Step]
    peak_mb: float
    counts: dict[str, int] = {}

    @property
    def wall(self) -> float:
        """All steps together; start-up is none of them."""
        return sum(step.wall for step in self.steps.values())

    @property
    def cpu(self) -> float:
        """All steps together."""
        return sum(step.cpu for step in self.steps.values())


class Meter:
    """Measures named steps, one after the other."""

    def __init__(self) -> None:
        self._steps: dict[str, Step] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measures the block."""
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self._steps[name] = Step(time.perf_counter() - wall, time.process_time() - cpu)

    def tell(self, counts: Mapping[str, int] | None = None) -> None:
        """Prints what was measured, for ``measured`` to read."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_UNIT / 1e6
        sys.stdout.write(msgspec.json.encode(Measured(self._steps, peak, dict(counts or {}))).decode() + "\n")


def measured(module: str, *arguments: str, environ: Mapping[str, str]) -> Measured:
    """Runs a module of this package in a process of its own, and gives what it measured."""
    command = [sys.executable, "-m", f"benchmarks.{module}", *arguments]
    done = subprocess.run(command, env=dict(environ), stdout=subprocess.PIPE, check=True)
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=Measured)
