"""The one exception tree. Every message names what was tried, on what, and the remedy; none carries a person's data.

HrisError                    exit 1
├── UsageError               exit 2: the call is wrong: a name, an option, a setting, an environment variable
│   ├── EnvironmentInvalid   a missing or wrong environment variable
│   ├── UnknownName          no integration, import, user or extract of that name
│   └── SettingsInvalid      a settings document with problems, all of them listed
├── SourceError              the source could not be read
│   ├── SourceUnavailable    transient: running again can help
│   ├── SourceNotReady       the source has no data yet: running later helps
│   ├── SourceRefused        permanent: somebody must change something
│   └── ConnectionInvalid    the connection is dead: a person must connect again
├── FrameInvalid             an extract so broken that nothing of it can be used
├── StoreError               the store could not be used
│   ├── StoreNotReady        tables are missing, or older or newer than this code
│   ├── Tampered             what was reviewed or stored was changed behind the pipeline's back
│   └── ImportRunning        another import of the integration holds the lock
├── ImportHeld               exit 3: a guard holds the change set until a person approves it
├── MachineError             this machine lacks something: disk, memory, rights, a library
└── ImportStale              exit 4: the change set no longer fits the store

RunInterrupted               no error: somebody stopped the run (Ctrl-C, SIGTERM); nothing goes on after it
"""

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = [
    "ConnectionInvalid",
    "EnvironmentInvalid",
    "FrameInvalid",
    "HrisError",
    "ImportHeld",
    "ImportRunning",
    "ImportStale",
    "MachineError",
    "Problem",
    "RunInterrupted",
    "RunReplaced",
    "SettingsInvalid",
    "SourceError",
    "SourceNotReady",
    "SourceRefused",
    "SourceUnavailable",
    "StoreError",
    "StoreNotReady",
    "Tampered",
    "UnknownName",
    "UsageError",
]


class HrisError(Exception):
    """What went wrong, on what, and what to do next, in one line; safe to print and to log."""

    exit_code = 1


class UsageError(HrisError):
    """The call itself is wrong; the same call fails again."""

    exit_code = 2


class EnvironmentInvalid(UsageError):
    """An environment variable is missing or has an unusable value."""


class UnknownName(UsageError):
    """No integration, import, user, conflict or extract of the given name."""


@dataclass(frozen=True)
class Problem:
    """One thing wrong in a settings document: where (dotted key), its line (from 1, if known), what, and the remedy."""

    where: str
    message: str
    line: int | None = None

    def __str__(self) -> str:
        place = f"line {self.line}: " if self.line is not None else ""
        return f"{place}{self.where}: {self.message}" if self.where else f"{place}{self.message}"


class SettingsInvalid(UsageError):
    """A settings document with problems; nothing of it was stored."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(str(problem) for problem in self.problems))


class SourceError(HrisError):
    """The source could not be read."""


class SourceUnavailable(SourceError):
    """A transient failure that outlasted the retries; running again can help."""


class SourceNotReady(SourceError):
    """The source said that its data is not ready; never an extract."""


class SourceRefused(SourceError):
    """A permanent failure; running again does not help until somebody changes something."""


class ConnectionInvalid(SourceError):
    """The connection is missing, expired or revoked; a person must connect again."""


class FrameInvalid(HrisError):
    """A whole extract fails validation: a needed column missing, no rows, or too many bad rows."""


class StoreError(HrisError):
    """The store could not be used."""


class StoreNotReady(StoreError):
    """Tables are missing, or older or newer than this code."""


class Tampered(StoreError):
    """What was planned, approved or stored is not what is there now; nothing of it was used."""


class ImportRunning(StoreError):
    """Another process holds the integration's lock."""


class MachineError(HrisError):
    """This machine lacks something that is needed: space, rights, open files, a library."""


class ImportHeld(HrisError):
    """A guard holds the change set; nothing was applied."""

    exit_code = 3


class RunReplaced(HrisError):
    """The run was taken for dead, and another one does its work; nothing was applied."""


class RunInterrupted(BaseException):
    """Somebody stopped the run; the text says what of it was done."""


class ImportStale(HrisError):
    """The change set no longer fits the store or the settings; nothing was applied."""

    exit_code = 4
