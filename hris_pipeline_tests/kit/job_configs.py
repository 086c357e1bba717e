"""The run config of jobs that only a person starts, from Dagster's UI."""

from typing import Any

__all__ = ["approval_config", "reason_config"]


def approval_config(import_id: str, digest: str, by: str, reason: str) -> dict[str, Any]:
    """Config of ``approve_import``."""
    return {"ops": {"approve": {"config": {"import_id": import_id, "digest": digest, "by": by, "reason": reason}}}}


def reason_config(job: str, by: str, reason: str) -> dict[str, Any]:
    """Config of ``pause_imports`` and ``resume_imports``."""
    return {"ops": {job.removesuffix("_imports"): {"config": {"by": by, "reason": reason}}}}
