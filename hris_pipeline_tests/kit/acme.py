"""One integration of a test: its company in the sandbox, and the operations as a person would call them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from hris_pipeline.contract import Trigger
from hris_pipeline.operations.connection import connect
from hris_pipeline.operations.decisions import save_import
from hris_pipeline.operations.extraction import extract_members
from hris_pipeline.operations.services import Services
from hris_pipeline.operations.settings import SettingsChange, change_settings, set_up
from hris_pipeline.sandbox import Company, Sandbox
from hris_pipeline.settings.document import Settings
from hris_pipeline.settings.loading import set_values
from hris_pipeline.sources.protocol import Manifest
from hris_pipeline.store.imports import Import
from hris_pipeline.store.integrations import current_settings
from hris_pipeline.store.tables import import_rows, imports, users
from hris_pipeline_tests.kit.clock import Clock
from hris_pipeline_tests.kit.planning import plan_extract

__all__ = ["CALLBACK", "Acme", "MakeAcme"]

CALLBACK = "http://127.0.0.1:8765/callback"


@dataclass(frozen=True)
class Acme:
    """``name`` is the integration and also who logs in to the sandbox for its ``company``."""

    services: Services
    sandbox: Sandbox
    clock: Clock
    company: Company
    name: str = "acme"

    def connect(self) -> None:
        connect(self.services, self.name, self.code(), redirect_uri=CALLBACK)

    def code(self) -> str:
        return self.sandbox.authorize(username=self.name)

    def extract(self) -> Manifest:
        return extract_members(self.services, self.name)

    def plan(self, manifest: Manifest, trigger: Trigger = "manual") -> Import:
        return plan_extract(self.services, manifest, trigger=trigger, actor="dana")

    def preview(self, trigger: Trigger = "manual") -> Import:
        """Reads the source and plans, a minute after whatever came before."""
        self.clock.advance(minutes=1)
        return self.plan(self.extract(), trigger)

    def save(self, import_id: str | None = None) -> Import:
        self.clock.advance(minutes=1)
        return save_import(self.services, self.name, import_id, actor="dana")

    def run(self, trigger: Trigger = "manual") -> Import:
        """A whole import."""
        return self.save(self.preview(trigger).import_id)

    def tomorrow(self) -> None:
        self.clock.advance(days=1)
        self.company.people.today += timedelta(days=1)

    def switch(self, *changes: str) -> SettingsChange:
        """Changes settings as ``key=value``."""
        return self.change(set_values(self.settings(), list(changes)))

    def change(self, settings: Settings) -> SettingsChange:
        return change_settings(self.services, self.name, settings, "dana")

    def settings(self) -> Settings:
        with self.services.store.read() as connection:
            return current_settings(connection, self.name).settings

    def fault(self, kind: str, **options: Any) -> None:
        self.sandbox.fault(kind, username=self.name, **options)

    def users(self) -> dict[str, dict[str, Any]]:
        """Every user of the directory by hris_id (user_id for local ones)."""
        with self.services.store.read() as connection:
            rows = connection.execute(sa.select(users)).mappings().all()
        return {row["hris_id"] or row["user_id"]: dict(row) for row in rows}

    def active(self) -> list[str]:
        """The hris_ids of active managed users whom nobody reports to, in order."""
        managers = {person.manager for person in self.company.persons()}
        active = (row["hris_id"] for row in self.users().values() if row["status"] == "active")
        return sorted(hris_id for hris_id in active if hris_id and hris_id not in managers)

    def archived(self) -> set[str]:
        return {key for key, row in self.users().items() if row["status"] == "archived"}

    def lose(self, hris_ids: Sequence[str]) -> list[Any]:
        """Takes people off the list; gives them, to be brought back."""
        return [self.company.remove(hris_id) for hris_id in hris_ids]

    def bring_back(self, people: Sequence[Any]) -> None:
        for person in people:
            self.company.add(person)

    def edit_user(self, hris_id: str, **values: Any) -> None:
        """Somebody other than an import writes a user, as it should be done."""
        self.write_behind(hris_id, version=users.c.version + 1, **values)

    def write_behind(self, hris_id: str, **values: Any) -> None:
        """Somebody writes a user behind the pipeline's back."""
        with self.services.store.begin() as connection:
            connection.execute(sa.update(users).where(users.c.hris_id == hris_id).values(**values))

    def counted(self) -> tuple[int, int]:
        """How many rows of applied or staged changes, and imports, there are."""
        with self.services.store.read() as connection:
            tables = (import_rows, imports)
            rows, made = (connection.scalar(sa.select(sa.func.count()).select_from(table)) for table in tables)
        return int(rows or 0), int(made or 0)

    def sibling(self, name: str, company: Company, settings: Settings | None = None) -> "Acme":
        """Another connected integration in the same store."""
        self.sandbox.add_company(name, company)
        other = Acme(self.services, self.sandbox, self.clock, company, name)
        set_up(self.services, name, settings=settings, actor="dana", accept=True)
        other.connect()
        return other


MakeAcme = Callable[..., Acme]
"""``make(employees=12, seed=1, company=None, settings=None)``."""
