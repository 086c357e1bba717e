"""The processes of a Dagster instance, each in a group of its own, and what they cost."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

__all__ = ["Group", "hear_interrupts", "until"]

TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")

T = TypeVar("T")


def until(find: Callable[[], T], seconds: float = 120, every: float = 0.1, what: str = "it") -> T:
    """What ``find`` gives once it gives something; a loaded machine is given plenty of time."""
    deadline = time.monotonic() + seconds
    while not (value := find()):
        assert time.monotonic() < deadline, f"{what} never came"
        time.sleep(every)
    return value


def hear_interrupts() -> None:
    """What this process starts from now on hears Ctrl-C, also when a shell that started it in the background has it
    ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


class Group:
    """A process with all its children, started in a session of its own; what it prints goes to ``log``."""

    def __init__(
        self, command: list[str], environ: Mapping[str, str], log: Path, *, python: str = sys.executable
    ) -> None:
        self.log = log
        hear_interrupts()
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                [python, "-m", *command],
                env=dict(environ),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The id of the first process of the group."""
        return self._process.pid

    @property
    def output(self) -> str:
        """Everything printed so far."""
        return self.log.read_text(errors="replace")

    @property
    def alive(self) -> bool:
        """Whether the first process of the group runs."""
        return self._process.poll() is None

    def kill(self) -> None:
        """SIGKILL to all of them at once, as when the machine loses power."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self, seconds: float = 60) -> None:
        """Ends it as a service manager does; whatever is left after that is killed."""
        if self.alive:
            self._process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)
        self.kill()

    def pids(self) -> list[int]:
        """The first process and all that descend from it."""
        children: dict[int, list[int]] = {}
        for entry in os.listdir("/proc"):
            if entry.isdigit() and (stat := _stat(int(entry))):
                children.setdefault(int(stat[1]), []).append(int(entry))
        pids, todo = [], [self._process.pid]
        while todo:
            pid = todo.pop()
            pids.append(pid)
            todo += children.get(pid, [])
        return pids

    def part(self, of: str) -> list[int]:
        """The processes whose command line contains that."""
        return [pid for pid in self.pids() if of in _command_line(pid)]

    def memory_mb(self, of: str = "") -> float:
        """Memory of the group, or of a ``part`` of it; pages that processes share are counted once."""
        return sum(_pss_kb(pid) for pid in self.part(of)) / 1024

    def open_files(self, of: str = "") -> int:
        """How many files and sockets the group, or a ``part`` of it, has open."""
        return sum(_open_files(pid) for pid in self.part(of))

    def cpu_seconds(self) -> float:
        """Computing so far, that of ended children included."""
        stats = [stat for pid in self.pids() if (stat := _stat(pid))]
        return sum(int(part) for stat in stats for part in stat[11:15]) / TICKS_A_SECOND


def _stat(pid: int) -> list[str] | None:
    """The fields of ``/proc/PID/stat`` after the name: state, parent …, utime, stime, cutime, cstime at 11 to 14."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return None


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def _open_files(pid: int) -> int:
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return 0


def _pss_kb(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
