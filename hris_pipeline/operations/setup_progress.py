"""Which questions of the guided setup were answered: an answer that is the default leaves no other trace. Kept on this
machine, for the command line and the console alike, so that either goes on where the other stopped."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from hris_pipeline.operations.services import Services

__all__ = ["QUESTIONS", "SetupProgress"]

QUESTIONS = ("archive", "emails", "schedule")
"""Every question whose answer may be the default, in the order in which they are asked."""


@dataclass(frozen=True)
class SetupProgress:
    """The answered questions of one integration's setup."""

    services: Services
    integration_id: str

    @property
    def _path(self) -> Path:
        return self.services.environment.home / "setup" / f"{self.integration_id}.json"

    def answered(self) -> list[str]:
        """The questions that were answered, in the order of answering."""
        try:
            noted = json.loads(self._path.read_text())
        except (OSError, ValueError):
            return []
        return [str(question) for question in noted] if isinstance(noted, list) else []

    def note(self, question: str) -> None:
        """Remembers that the question was answered."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        draft.write_text(json.dumps([*dict.fromkeys([*self.answered(), question])]))
        draft.replace(self._path)

    def forget(self) -> None:
        """Forgets what was answered: of an earlier integration of that name, or because all is done."""
        self._path.unlink(missing_ok=True)
