"""A change set as history keeps it once it was applied, for tests of taking it back."""

import json
from datetime import date
from typing import Any

import pandas as pd

from hris_pipeline.change_set.undo import AppliedRow, CurrentUser, unique_values
from hris_pipeline.settings.fields import USER_STATE
from hris_pipeline_tests.kit.memory_directory import MemoryDirectory

__all__ = ["applied", "current", "owners"]


def applied(rows: pd.DataFrame) -> list[AppliedRow]:
    """The rows as they were applied."""
    return [
        AppliedRow(
            row["user_id"], None if pd.isna(row["before"]) else json.loads(row["before"]), json.loads(row["after"])
        )
        for row in rows.to_dict("records")
    ]


def current(directory: MemoryDirectory) -> dict[str, CurrentUser]:
    """Every user now."""
    users = directory.by_id.items()
    return {key: CurrentUser(_state(user), user["version"], bool(user["protected"])) for key, user in users}


def owners(directory: MemoryDirectory) -> dict[tuple[str, ...], str]:
    """Which user has each unique value now."""
    return {value: key for key, user in directory.by_id.items() for _, value in unique_values(user)}


def _state(user: dict[str, Any]) -> dict[str, Any]:
    values = {name: user[name] for name in USER_STATE}
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in values.items()}
