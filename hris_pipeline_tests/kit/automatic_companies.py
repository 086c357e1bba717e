"""Many companies of one sandbox, each an integration of its own in one home, made ready without Dagster."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from hris_pipeline.environment import Environment
from hris_pipeline.operations.automation import resume
from hris_pipeline.operations.connection import connect
from hris_pipeline.operations.decisions import save_import
from hris_pipeline.operations.extraction import extract_members
from hris_pipeline.operations.services import Services, open_services
from hris_pipeline.operations.settings import set_up
from hris_pipeline.sandbox import Company, Sandbox
from hris_pipeline.settings.calendar import latest_due
from hris_pipeline.settings.document import Settings
from hris_pipeline.store.tables import imports, integrations
from hris_pipeline_tests.kit.planning import plan_extract

__all__ = ["BY", "KEY", "Companies", "Found", "automatic_settings", "companies_of", "half_a_day_away"]

BY = "ann"
REDIRECT = "http://127.0.0.1:8765/callback"
KEY = "c3RvcmUtdGVzdC1rZXktc3RvcmUtdGVzdC1rZXktMTI="
PEOPLE = 12


@dataclass(frozen=True)
class Found:
    """An import as the store has it, as far as these tests ask."""

    integration_id: str
    import_id: str
    status: str
    trigger: str
    dagster_run_id: str | None
    extract_id: str | None


def half_a_day_away(now: datetime) -> str:
    """A quarter hour that no test meets."""
    then = now - timedelta(hours=12)
    return f"{then.hour:02}:{then.minute // 15 * 15:02}"


def automatic_settings(**others: object) -> Settings:
    """Daily, at a time whose due moment stays the same while a test runs."""
    return Settings.model_validate({"at": half_a_day_away(datetime.now(UTC)), "time_zone": "UTC", **others})


@dataclass
class Companies:
    """The integrations of one home: made here, and looked at here."""

    sandbox: Sandbox
    environment: Environment
    environ: Mapping[str, str]
    services: Services
    by_name: dict[str, Company] = field(default_factory=dict)

    def add(
        self, name: str, people: int = PEOPLE, *, seed: int = 1, settings: Settings | None = None, saved: bool = True
    ) -> Company:
        """A company connected through its own administrator's log-in; ``saved``: one manual import is saved, automatic
        imports run, and nothing is due."""
        company = Company(people, seed, datetime.now(UTC).date(), display_name=name)
        self.by_name[name] = company
        self.sandbox.add_company(name, company)
        set_up(self.services, name, settings=settings or automatic_settings(), actor=BY, accept=True)
        code = self.sandbox.authorize(redirect_uri=REDIRECT, username=name)
        connect(self.services, name, code, redirect_uri=REDIRECT)
        if saved:
            self.import_(name)
            resume(self.services, name, BY, "go")
        return company

    def import_(self, name: str) -> None:
        """A manual import, saved."""
        plan_extract(self.services, extract_members(self.services, name), actor=BY)
        save_import(self.services, name, actor=BY)

    def make_due(self, *names: str, days: int = 1) -> None:
        """So many days ago the last due moment was handled; every company by default."""
        for name in names or tuple(self.by_name):
            self.set(name, last_due_at=self.due_at(name) - timedelta(days=days))

    def due_at(self, name: str) -> datetime:
        """The latest due moment."""
        from hris_pipeline.store.automation import automation

        with self.services.store.read() as connection:
            return latest_due(automation(connection, name).settings, datetime.now(UTC))

    def set(self, name: str, **values: object) -> None:
        """Moves the clock of one integration: writes what the store knows of its due moments."""
        with self.services.store.begin() as connection:
            connection.execute(sa.update(integrations).where(integrations.c.integration_id == name).values(values))

    def state(self, name: str) -> sa.RowMapping:
        """The integration's row."""
        select = sa.select(integrations).where(integrations.c.integration_id == name)
        with self.services.store.read() as connection:
            return connection.execute(select).mappings().one()

    def imports(self, name: str, *, trigger: str | None = None, status: str | None = None) -> list[Found]:
        """Its imports, oldest first."""
        select = sa.select(*(imports.c[column] for column in Found.__dataclass_fields__))
        select = select.where(imports.c.integration_id == name).order_by(imports.c.planned_at)
        with self.services.store.read() as connection:
            records = [Found(**row) for row in connection.execute(select).mappings()]
        return [record for record in records if trigger in (None, record.trigger) and status in (None, record.status)]

    def automatic_imports(self, name: str) -> list[str]:
        """The ends of its automatic imports, oldest first."""
        return [import_.status for import_ in self.imports(name) if import_.trigger in ("schedule", "catch_up")]


@contextmanager
def companies_of(home: Path, sandbox: Sandbox, **others: str) -> Iterator[Companies]:
    """No companies yet, in a fresh home; ``environ`` is what any process of it needs, ``others`` included. The store is
    on SQLite unless they name one."""
    environ = {
        "PATH": os.environ.get("PATH", ""),
        "HRIS_HOME": str(home),
        "HRIS_SECRET_KEY": KEY,
        "DAGSTER_HOME": str(home / "dagster"),
        **sandbox.environment(),
        **others,
    }
    environment = Environment.read(environ)
    services = open_services(environment, create=True)
    try:
        yield Companies(sandbox, environment, environ, services)
    finally:
        services.close()
