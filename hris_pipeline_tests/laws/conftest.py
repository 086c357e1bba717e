"""Stores on both databases for the laws; every example has a directory and names of its own in them."""

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import count

import pytest

from hris_pipeline.environment import Environment
from hris_pipeline.operations.services import Services, open_services
from hris_pipeline.sources.pacing import Retries
from hris_pipeline_tests.kit.clock import Clock
from hris_pipeline_tests.kit.judged import Judged, ScriptedServices
from hris_pipeline_tests.kit.scripted_http import answered_in_process
from hris_pipeline_tests.kit.scripted_source import ScriptedSource
from hris_pipeline_tests.kit.story_player import named_apart
from hris_pipeline_tests.oracle.model import Reading, World

Stage = Callable[[World], AbstractContextManager[tuple[Judged, World]]]
"""Sets up a world in a store; gives the integration and the world with names of its own."""

QUICK = Retries(attempts=2, first=0.0)


@pytest.fixture
def services(environment: Environment) -> Iterator[Services]:
    """The operations' surroundings, on SQLite and on PostgreSQL in turn."""
    opened = open_services(environment)
    yield opened
    opened.close()


def staged(services: Services) -> Stage:
    names = (f"law-{number}" for number in count())

    @contextmanager
    def stage(world: World) -> Iterator[tuple[Judged, World]]:
        clock, world = Clock(), named_apart(world, next(names))
        script = ScriptedSource(world.source, Reading(()))
        with answered_in_process(script) as address:
            scripted = ScriptedServices.of(dataclasses.replace(services, now=clock, retries=QUICK), address)
            yield Judged.set_up(scripted, script, clock, world, world.integration_id), world

    return stage


@pytest.fixture
def stage(services: Services) -> Stage:
    """Sets up worlds of the oracle, on both databases."""
    return staged(services)


@pytest.fixture
def lite_stage(sqlite_environment: Environment) -> Iterator[Stage]:
    """The same on SQLite alone."""
    opened = open_services(sqlite_environment)
    yield staged(opened)
    opened.close()
