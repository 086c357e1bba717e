"""Reading the directory as it stands, as frames, for planning. Nothing is written here."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import sqlalchemy as sa

from hris_pipeline.change_set.directory import SLIM_COLUMNS
from hris_pipeline.store.bulk import read_frame
from hris_pipeline.store.in_values import in_values
from hris_pipeline.store.tables import imports, integrations, users

__all__ = [
    "NAME_COLUMNS",
    "StoredDirectory",
    "expected_hris_ids",
    "filled_fields",
    "holds_users_of_others_alone",
    "last_applied_extract",
    "read_names",
    "read_snapshot",
    "read_users",
]

NAME_COLUMNS: tuple[str, ...] = ("user_id", "first_name", "last_name", "birth_date")


def read_snapshot(connection: sa.Connection, directory_id: str) -> pd.DataFrame:
    """One row a user of the directory, archived and local ones too, with ``SLIM_COLUMNS``."""
    return _read(connection, directory_id, SLIM_COLUMNS)


def holds_users_of_others_alone(connection: sa.Connection, integration_id: str, directory_id: str) -> bool:
    """Whether the directory has users, and the integration manages none of them yet."""
    there = sa.select(users.c.user_id).where(users.c.directory_id == directory_id)
    managed = sa.select(users.c.user_id).where(users.c.integration_id == integration_id)
    return bool(connection.scalar(sa.select(sa.and_(there.exists(), ~managed.exists()))))


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


def filled_fields(
    connection: sa.Connection, integration_id: str, fields: Collection[str], also: pd.Series | None = None
) -> dict[str, int]:
    """How many users have a non-empty value in each of ``fields`` (metadata is named ``#Name``), of the active ones
    that the integration manages and those whose user_id is in ``also``."""
    counted = sa.and_(users.c.integration_id == integration_id, users.c.status == "active")
    if also is not None and len(also):
        counted = sa.or_(counted, in_values(connection, users.c.user_id, also.tolist()))
    plain = [users.c[name] for name in fields if not name.startswith("#")]
    counts = sa.select(*(sa.func.count(column).label(column.name) for column in plain)).where(counted)
    filled: dict[str, int] = dict(connection.execute(counts).one()._mapping) if plain else {}
    if len(plain) < len(fields):
        filled |= _filled_metadata(connection, counted)
    return {name: filled.get(name, 0) for name in fields}


def _filled_metadata(connection: sa.Connection, counted: sa.ColumnElement[bool]) -> dict[str, int]:
    postgresql = connection.dialect.name == "postgresql"
    entry = (sa.func.jsonb_each_text if postgresql else sa.func.json_each)(_metadata_object(connection)).table_valued(
        "key", "value"
    )
    has_value = sa.and_(counted, entry.c.value.is_not(None), entry.c.value != "")
    by_name = (
        sa.select(entry.c.key, sa.func.count())
        .select_from(users.join(entry, sa.true()))
        .where(has_value)
        .group_by(entry.c.key)
    )
    return {f"#{name}": count for name, count in connection.execute(by_name)}


def _metadata_object(connection: sa.Connection) -> sa.ColumnElement[Any]:
    """The metadata, or an empty object where another application wrote something else."""
    if connection.dialect.name != "postgresql":
        return users.c.metadata
    is_object = sa.func.jsonb_typeof(users.c.metadata) == "object"
    return sa.case((is_object, users.c.metadata), else_=sa.literal_column("'{}'::jsonb"))


def last_applied_extract(connection: sa.Connection, integration_id: str) -> tuple[bool, str | None]:
    """Whether any import was applied in this life of the integration, and the extract of the last one that is no
    undo."""
    applied = (
        sa.select(imports.c.extract_id)
        .join(integrations, integrations.c.integration_id == imports.c.integration_id)
        .where(
            imports.c.integration_id == integration_id,
            imports.c.life == integrations.c.life,
            imports.c.status == "applied",
            imports.c.trigger != "undo",
        )
        .order_by(imports.c.finished_at.desc(), imports.c.import_id.desc())
        .limit(1)
    )
    last = connection.execute(applied).one_or_none()
    return last is not None, last.extract_id if last is not None else None


def expected_hris_ids(connection: sa.Connection, integration_id: str) -> set[str]:
    """The hris_ids of the active users that the integration manages: who of them is not in a list is asked for."""
    managed = sa.and_(users.c.integration_id == integration_id, users.c.status == "active")
    return set(connection.execute(sa.select(users.c.hris_id).where(managed)).scalars())


@dataclass(frozen=True)
class StoredDirectory:
    """What planning asks of the store (``change_set.directory.Directory``), over one open transaction."""

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

    def filled(self, fields: Collection[str], also: pd.Series) -> Mapping[str, int]:
        """``filled_fields``."""
        return filled_fields(self.connection, self.integration_id, fields, also)


def _read(connection: sa.Connection, directory_id: str, names: tuple[str, ...]) -> pd.DataFrame:
    return read_frame(
        connection, sa.select(*(users.c[name] for name in names)).where(users.c.directory_id == directory_id)
    )
