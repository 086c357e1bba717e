"""Stores that can be copied whole in no time, so that every kill starts from the very same one."""

import shutil
import uuid
from pathlib import Path
from typing import Protocol

import sqlalchemy as sa

__all__ = ["Databases", "PostgresDatabases", "SqliteFiles"]


class Databases(Protocol):
    """Where stores are made; a store is known by its address for ``HRIS_STORE_URL``."""

    def new(self, template: str | None = None) -> str:
        """A new store: empty, or a copy of a template that nobody has open."""
        ...

    def drop(self, address: str) -> None:
        """Removes one."""
        ...


class SqliteFiles:
    """SQLite files in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def new(self, template: str | None = None) -> str:
        """A copy of the file."""
        path = self._folder / f"{uuid.uuid4().hex}.db"
        if template is not None:
            shutil.copy(_path(template), path)
        return f"sqlite:///{path}"

    def drop(self, address: str) -> None:
        """Removes the file and those beside it."""
        path = _path(address)
        for file in path.parent.glob(f"{path.name}*"):
            file.unlink()


class PostgresDatabases:
    """Databases of a PostgreSQL server; ``server`` is its own database, as its owner."""

    def __init__(self, server: sa.URL) -> None:
        self._server = server
        self._engine = sa.create_engine(server, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)

    def new(self, template: str | None = None) -> str:
        """A copy of the database."""
        name = f"crash_{uuid.uuid4().hex}"
        self._run(f"CREATE DATABASE {name}" + (f" TEMPLATE {sa.make_url(template).database}" if template else ""))
        return self._server.set(database=name).render_as_string(hide_password=False)

    def drop(self, address: str) -> None:
        """Removes the database, whoever is connected."""
        self._run(f"DROP DATABASE {sa.make_url(address).database} WITH (FORCE)")

    def _run(self, statement: str) -> None:
        with self._engine.connect() as connection:
            connection.exec_driver_sql(statement)


def _path(address: str) -> Path:
    return Path(address.removeprefix("sqlite:///"))
