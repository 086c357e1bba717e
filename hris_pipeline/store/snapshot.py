"""Reading the directory as it stands, as frames, for planning. Nothing is written here."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import pandas as pd
import sqlalchemy as sa

from hris_pipeline.change_set.directory import SLIM_COLUMNS
from hris_pipeline.store.bulk import in_values, read_frame
from hris_pipeline.store.tables import users

__all__ = [
    "NAME_COLUMNS",
    "StoredDirectory",
    "expected_hris_ids",
    "filled_fields",
    "read_names",
    "read_snapshot",
    "read_users",
]

NAME_COLUMNS: tuple[str, ...] = ("user_id", "first_name", "last_name", "birth_date")


def read_snapshot(connection: sa.Connection, directory_id: str) -> pd.DataFrame:
    """One row a user of the directory, archived and local ones too, with ``SLIM_COLUMNS``."""
    return _read(connection, directory_id, SLIM_COLUMNS)


def read_names(connection: sa.Connection, directory_id: str) -> pd.DataFrame:
    """One row a user of the directory with ``NAME_COLUMNS``."""
    return _read(connection, directory_id, NAME_COLUMNS)


def read_users(connection: sa.Connection, user_ids: pd.Series | None, directory_id: str) -> pd.DataFrame:
    """Every column of the given users of the directory (None: of all), in no particular order; ``metadata`` is JSON
    text. One statement, however many users."""
    select = sa.select(users).where(users.c.directory_id == directory_id)
    if user_ids is not None:
        select = select.where(in_values(connection, users.c.user_id, user_ids.tolist()))
    return read_frame(connection, select)


def filled_fields(connection: sa.Connection, integration_id: str, fields: Collection[str]) -> dict[str, int]:
    """How many active managed users have a non-empty value in each of ``fields``; metadata is named ``#Name``."""
    managed = sa.and_(users.c.integration_id == integration_id, users.c.status == "active")
    plain = [users.c[name] for name in fields if not name.startswith("#")]
    counts = sa.select(*(sa.func.count(column).label(column.name) for column in plain)).where(managed)
    found: dict[str, int] = dict(connection.execute(counts).one()._mapping) if plain else {}
    if len(plain) < len(fields):
        each = sa.func.jsonb_each_text if connection.dialect.name == "postgresql" else sa.func.json_each
        entry = each(users.c.metadata).table_valued("key", "value")
        filled = sa.and_(managed, entry.c.value.is_not(None), entry.c.value != "")
        by_name = (
            sa.select(entry.c.key, sa.func.count())
            .select_from(users.join(entry, sa.true()))
            .where(filled)
            .group_by(entry.c.key)
        )
        found |= {f"#{name}": count for name, count in connection.execute(by_name)}
    return {name: found.get(name, 0) for name in fields}


def expected_hris_ids(connection: sa.Connection, integration_id: str) -> set[str]:
    """The hris_ids of the active users that the integration manages: who of them is not in a list is asked for."""
    managed = sa.and_(users.c.integration_id == integration_id, users.c.status == "active")
    return set(connection.execute(sa.select(users.c.hris_id).where(managed)).scalars())


@dataclass(frozen=True)
class StoredDirectory:
    """What planning asks of the store (``frames.directory.Directory``), over one open transaction."""

    connection: sa.Connection
    directory_id: str
    integration_id: str

    def snapshot(self) -> pd.DataFrame:
        """``read_snapshot``."""
        return read_snapshot(self.connection, self.directory_id)

    def names(self) -> pd.DataFrame:
        """``read_names``."""
        return read_names(self.connection, self.directory_id)

    def users(self, user_ids: pd.Series) -> pd.DataFrame:
        """``read_users``."""
        return read_users(self.connection, user_ids, self.directory_id)

    def filled(self, fields: Collection[str]) -> Mapping[str, int]:
        """``filled_fields``."""
        return filled_fields(self.connection, self.integration_id, fields)


def _read(connection: sa.Connection, directory_id: str, names: tuple[str, ...]) -> pd.DataFrame:
    return read_frame(
        connection, sa.select(*(users.c[name] for name in names)).where(users.c.directory_id == directory_id)
    )
