"""What a run is about, read from its tags: for which integration, who or what started it, for which due moment."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import get_args

import dagster as dg

from hris_pipeline.contract import Trigger

__all__ = [
    "ACTOR_TAG",
    "APPLIED_TAG",
    "ATTEMPT_TAG",
    "AUTOMATIC",
    "DUE_KEY_TAG",
    "DUE_TAG",
    "FAILURE_TAG",
    "FROM_HERE",
    "HELD_TAG",
    "IMPORT_USERS",
    "METHOD_TAG",
    "PLANNED_TAG",
    "SKIPPED_TAG",
    "TRIGGER_TAG",
    "RunInfo",
    "current_tags",
    "run_info",
    "tag_run",
]

IMPORT_USERS = "import_users"
"""The one job that applies what it planned itself."""

FROM_HERE = {".dagster/repository": "__repository__@hris_pipeline"}
"""The tag of every run of these definitions, whoever started it; the location's name is workspace.yaml's."""

TRIGGER_TAG = "hris/trigger"
ACTOR_TAG = "hris/actor"
METHOD_TAG = "hris/method"
"""How the actor was authenticated, by whom their decision was written down: the door of `hris ui`, the console or the
command line."""
DUE_TAG = "hris/due"
DUE_KEY_TAG = "hris/due_key"
ATTEMPT_TAG = "hris/attempt"
PLANNED_TAG = "hris/planned"
"""The import that the run planned."""
APPLIED_TAG = "hris/applied"
"""The import that the run applied."""
HELD_TAG = "hris/held"
"""The guards that hold the import the run planned, which is why it ended red."""
FAILURE_TAG = "hris/failure"
"""Why the run failed."""
SKIPPED_TAG = "hris/skipped"
"""Why a run ended without doing anything."""

AUTOMATIC = frozenset({"schedule", "catch_up"})
"""Triggers that a pause stops."""

_PARTITION_TAG = "dagster/partition"
_BACKFILL_TAG = "dagster/backfill"
_UI_USER_TAG = "user"


@dataclass(frozen=True)
class RunInfo:
    """Who or what started a run, for which integration ("" when for none); ``due_at`` and ``attempt`` belong to
    automatic imports."""

    run_id: str
    job: str
    integration_id: str
    trigger: Trigger
    actor: str
    due_at: datetime | None = None
    attempt: int = 0

    @property
    def automatic(self) -> bool:
        """Whether a schedule started it."""
        return self.trigger in AUTOMATIC


def run_info(run: dg.DagsterRun) -> RunInfo:
    """What the run's tags tell; whoever starts one in the UI without saying more is ``dagster``, by hand."""
    tags = run.tags
    default = "backfill" if _BACKFILL_TAG in tags else "manual"
    current_tags = tags.get(TRIGGER_TAG, default)
    trigger: Trigger = next((known for known in get_args(Trigger) if known == current_tags), "manual")
    due = tags.get(DUE_TAG)
    return RunInfo(
        run_id=run.run_id,
        job=run.job_name,
        integration_id=tags.get(_PARTITION_TAG, ""),
        trigger=trigger,
        actor=tags.get(ACTOR_TAG) or tags.get(_UI_USER_TAG) or "dagster",
        due_at=datetime.fromisoformat(due) if due else None,
        attempt=int(tags.get(ATTEMPT_TAG, "0")),
    )


def tag_run(instance: dg.DagsterInstance, run_id: str, tag: str, value: str) -> None:
    """Writes on the run what became of it."""
    instance.add_run_tags(run_id, {tag: value})


def current_tags(instance: dg.DagsterInstance, run_id: str) -> Mapping[str, str]:
    """The run's tags as they are now, with what its steps wrote on it."""
    run = instance.get_run_by_id(run_id)
    return run.tags if run else {}
