"""One company in three weeks, as far as each kill needs it: imported, extracted again, planned; and how it must end."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import sqlalchemy as sa

from hris_pipeline.environment import Environment
from hris_pipeline.operations.connection import connect
from hris_pipeline.operations.decisions import save_import
from hris_pipeline.operations.extraction import extract_members, kept_manifest
from hris_pipeline.operations.services import Services, open_services
from hris_pipeline.operations.settings import set_up
from hris_pipeline.sandbox import Sandbox
from hris_pipeline.store.engine import Store, upgrade_store
from hris_pipeline.store.imports import Import
from hris_pipeline.store.tables import users
from hris_pipeline_tests.kit.crash_databases import Databases, SqliteFiles
from hris_pipeline_tests.kit.crash_work import NAME, planned

__all__ = ["People", "Story", "by_hris_id", "people", "tell_story"]

CALLBACK = "http://127.0.0.1:8765/callback"
KEY = "c3RvcmUtdGVzdC1rZXktc3RvcmUtdGVzdC1rZXktMTI="
TIMES = ("created_at", "updated_at")

People = dict[str, dict[str, Any]]
"""Every column of every user but its times, by user_id."""


@dataclass(frozen=True, eq=False)
class Story:
    """``extracted``: a store after the first import, with last week's import still open and this week's extract kept.
    ``planned``: the same with this week's import staged as ``staged``. ``before`` are the users in both, ``after`` what
    an uninterrupted save makes of them. ``files`` are the extracts."""

    databases: Databases
    files: Path
    sandbox: Sandbox
    extracted: str
    planned: str
    staged: Import
    before: People
    after: People

    @property
    def databases_are_files(self) -> bool:
        """Whether this is the story on SQLite."""
        return isinstance(self.databases, SqliteFiles)

    @contextmanager
    def copy(self, template: str) -> Iterator[Services]:
        """A copy of one of the stores and of the files, open, in a home of its own."""
        address = self.databases.new(template)
        with TemporaryDirectory(prefix="hris-crash-") as home:
            shutil.copytree(self.files, Path(home) / "files")
            services = open_services(_environment(self.sandbox, Path(home), address))
            try:
                yield services
            finally:
                services.close()
                self.databases.drop(address)


def tell_story(databases: Databases, home: Path, sandbox: Sandbox) -> Story:
    """Lives through the three weeks; ``home`` keeps the extracts."""
    first = databases.new()
    upgrade_store(_environment(sandbox, home, first))
    with _services(sandbox, home, first) as services:
        set_up(services, NAME, actor="tester", accept=True)
        connect(services, NAME, sandbox.authorize(redirect_uri=CALLBACK), redirect_uri=CALLBACK)
        save_import(services, NAME, planned(services, extract_members(services, NAME)).import_id, actor="tester")
        sandbox.week_passes()
        planned(services, extract_members(services, NAME))
        sandbox.week_passes()
        extract_members(services, NAME)
        before = people(services.store)
    second = databases.new(first)
    with _services(sandbox, home, second) as services:
        staged = planned(services, kept_manifest(services, NAME))
    third = databases.new(second)
    with _services(sandbox, home, third) as services:
        save_import(services, NAME, staged.import_id, actor="tester")
        after = people(services.store)
    databases.drop(third)
    return Story(databases, home / "files", sandbox, first, second, staged, before, after)


def people(store: Store) -> People:
    """The users as they are."""
    with store.read() as connection:
        rows = connection.execute(sa.select(*(column for column in users.c if column.name not in TIMES))).mappings()
        return {row["user_id"]: dict(row) for row in rows}


def by_hris_id(people: People) -> People:
    """The same without the user_ids, which every plan makes up anew."""
    return {user["hris_id"]: user | {"user_id": None} for user in people.values()}


@contextmanager
def _services(sandbox: Sandbox, home: Path, store_url: str) -> Iterator[Services]:
    services = open_services(_environment(sandbox, home, store_url))
    try:
        yield services
    finally:
        services.close()


def _environment(sandbox: Sandbox, home: Path, store_url: str) -> Environment:
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    environ = {"HRIS_HOME": str(home), "HRIS_STORE_URL": store_url, "HRIS_SECRET_KEY": KEY}
    return Environment.read(environ | sandbox.environment())
