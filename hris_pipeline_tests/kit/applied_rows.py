"""A change set as history keeps it once it was applied, for tests of taking it back."""

import json

import pandas as pd

from hris_pipeline.change_set.undo import UNIQUE, AppliedRow
from hris_pipeline_tests.kit.memory_directory import MemoryDirectory

__all__ = ["applied", "holders", "versions"]


def applied(rows: pd.DataFrame) -> list[AppliedRow]:
    """The rows with the version that each wrote."""
    return [
        AppliedRow(
            row["user_id"],
            None if pd.isna(row["before"]) else json.loads(row["before"]),
            json.loads(row["after"]),
            1 if pd.isna(row["before"]) else row["base_version"] + 1,
        )
        for row in rows.to_dict("records")
    ]


def versions(directory: MemoryDirectory) -> dict[str, int]:
    """The version of each user now."""
    return {key: user["version"] for key, user in directory.by_id.items()}


def holders(directory: MemoryDirectory) -> dict[tuple[str, str], str]:
    """Which user has each unique value now."""
    return {(name, user[name]): key for key, user in directory.by_id.items() for name in UNIQUE if user[name]}
