"""What planning asks of the store: the directory as it stands, read lazily, because most imports need a slim part."""

from collections.abc import Collection, Mapping
from typing import Protocol

import pandas as pd

__all__ = ["SLIM_COLUMNS", "Directory"]

SLIM_COLUMNS: tuple[str, ...] = (
    "user_id",
    "integration_id",
    "hris_id",
    "employee_id",
    "email",
    "email_key",
    "email_edited_by_user",
    "hire_date",
    "status",
    "archived_by",
    "protected",
    "version",
    "synced_version",
    "source_hash",
    "former_source",
    "former_hris_id",
)


class Directory(Protocol):
    """All users of one directory, in any order; every frame has Arrow dtypes."""

    def snapshot(self) -> pd.DataFrame:
        """One row a user, with ``SLIM_COLUMNS``."""
        ...

    def names(self) -> pd.DataFrame:
        """One row a user: ``user_id``, ``first_name``, ``last_name``, ``birth_date``."""
        ...

    def users(self, user_ids: pd.Series) -> pd.DataFrame:
        """Every column of the given users; ``metadata`` is JSON text."""
        ...

    def filled(self, fields: Collection[str], also: pd.Series) -> Mapping[str, int]:
        """How many users have each field (a metadata field is named ``#Name``), of those a plan touches: the
        integration's active users, and the users whose user_id is in ``also``."""
        ...
