"""What a measurement is, and how a process measures itself: wall and CPU of each step, and its own peak of memory."""

import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

__all__ = ["Measured", "Meter", "Step", "measured"]

_STATUS = Path("/proc/self/status")


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
        sys.stdout.write(msgspec.json.encode(Measured(self._steps, _peak_mb(), dict(counts or {}))).decode() + "\n")


def _peak_mb() -> float:
    """The most this process has had in memory. Linux counts what it was forked from into ``ru_maxrss``."""
    if _STATUS.exists():
        return next(int(line.split()[1]) * 1024 for line in _STATUS.open() if line.startswith("VmHWM")) / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def measured(module: str, *arguments: str, environ: Mapping[str, str]) -> Measured:
    """Runs a module of this package in a process of its own, and gives what it measured."""
    command = [sys.executable, "-m", f"benchmarks.{module}", *arguments]
    done = subprocess.run(command, env=dict(environ), stdout=subprocess.PIPE, check=True)
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=Measured)
