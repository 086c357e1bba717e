"""A company that is judged: a scripted source, a real store and the operations on one side, the oracle's world on the
other; what one does is done to the other."""

import dataclasses
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import cast

import sqlalchemy as sa

from hris_pipeline.operations.decisions import approve_import
from hris_pipeline.operations.services import Services
from hris_pipeline.sandbox import Company, Sandbox
from hris_pipeline.sources.protocol import Source
from hris_pipeline.store.imports import Import
from hris_pipeline_tests.kit.acme import Acme
from hris_pipeline_tests.kit.clock import Clock
from hris_pipeline_tests.kit.observed import observed_import
from hris_pipeline_tests.kit.oracle_store import read_users, set_up_world
from hris_pipeline_tests.kit.scripted_clients import open_client
from hris_pipeline_tests.kit.scripted_source import ScriptedSource
from hris_pipeline_tests.oracle.model import Reading, User, World
from hris_pipeline_tests.oracle.observation import Observed

__all__ = ["Judged", "ScriptedServices", "noon"]


def noon(day: date) -> datetime:
    """A moment of that day in New York, in UTC."""
    return datetime(day.year, day.month, day.day, 15, tzinfo=UTC)


@dataclass(frozen=True)
class ScriptedServices(Services):
    """Services whose sources are real clients, without a log-in and without a ceiling on requests, at one address."""

    address: str = ""

    def open_source(self, connection: sa.Connection, integration_id: str, source: str) -> Source:
        """The client of the integration's kind of source."""
        return open_client(source, self.address, integration_id=integration_id, retries=self.retries)

    @classmethod
    def of(cls, services: Services, address: str) -> "ScriptedServices":
        """The same store and archive, with sources at that address."""
        fields = {item.name: getattr(services, item.name) for item in dataclasses.fields(Services)}
        return cls(**fields, address=address)


@dataclass(frozen=True)
class Judged:
    """One integration with its script; ``acme`` drives it as a person would."""

    acme: Acme
    script: ScriptedSource
    directory: str

    @classmethod
    def set_up(
        cls, services: Services, script: ScriptedSource, clock: Clock, world: World, directory: str = "acme"
    ) -> "Judged":
        """Sets up the world's integration in a directory that holds its users."""
        set_up_world(services, world, directory)
        acme = Acme(services, cast(Sandbox, None), clock, cast(Company, None), world.integration_id)
        return cls(acme, script, directory)

    def preview(self, world: World, reading: Reading) -> tuple[Import, Observed]:
        """What the pipeline makes of what the source says on the world's day."""
        self.script.reading = reading
        self.acme.clock.time = max(self.acme.clock.time, noon(world.today))
        summary = self.acme.preview()
        return summary, observed_import(self.acme.services, summary, world, reading)

    def approve(self, summary: Import) -> None:
        """A person lets the held import through."""
        approve_import(self.acme.services, summary.import_id, summary.digest, "lee", "this is what happened")

    def users(self) -> tuple[User, ...]:
        """The directory as it is stored."""
        return read_users(self.acme.services, self.directory)
