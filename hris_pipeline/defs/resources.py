"""What assets and jobs work with: the opened services of a run, and where its progress is told."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import dagster as dg

from hris_pipeline.defs.run_lock import hold_run
from hris_pipeline.operations.services import Services, open_services

__all__ = ["Progress", "ProgressResource", "ServicesResource"]


class ServicesResource(dg.ConfigurableResource[Services]):
    """Opens the services that the environment names for one run or tick, and closes them after it.

    Assets get the plain ``Services``; anything that is one can stand in for this resource.
    """

    def create_resource(self, _context: dg.InitResourceContext) -> Services:
        return open_services()

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[Services]:
        services = self.create_resource(context)
        try:
            with _held(services, context):
                yield services
        finally:
            services.close()


@contextmanager
def _held(services: Services, context: dg.InitResourceContext) -> Iterator[None]:
    """A run holds its lock (``run_lock``) while it works, whatever launched it; a tick has none."""
    if context.run is None:
        yield
        return
    with hold_run(services.store, context.run.run_id):
        yield


@dataclass(frozen=True)
class Progress:
    """Is told how many members were read so far."""

    tell: Callable[[int], None]


class ProgressResource(dg.ConfigurableResource[Progress]):
    """Tells nobody; the command line puts its progress bar here."""

    def create_resource(self, _context: dg.InitResourceContext) -> Progress:
        return Progress(lambda _: None)
