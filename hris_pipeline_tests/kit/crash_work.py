"""What the killed processes do: one import or a part of it, standing still at one boundary if asked to.

A boundary is the moment after a statement, before a commit, after a connection was given back, and after a page of
members; they are numbered from 1 in the order they come.
"""

import sqlalchemy as sa

from hris_pipeline.environment import Environment
from hris_pipeline.operations.decisions import save_import
from hris_pipeline.operations.extraction import extract_members, kept_manifest
from hris_pipeline.operations.services import Services, open_services
from hris_pipeline.sources.protocol import Manifest
from hris_pipeline.store.imports import Import
from hris_pipeline_tests.kit.forked_processes import Parent
from hris_pipeline_tests.kit.planning import plan_extract

__all__ = ["NAME", "NEVER", "extract_and_save", "plan", "planned", "save", "save_when_told"]

NAME = "acme"
NEVER = 0
"""No boundary: the work goes on to its end, and gives how many boundaries there were."""


def save(parent: Parent, environment: Environment, stop: int, import_id: str) -> int:
    """Applies a planned import."""
    services = open_services(environment)
    boundaries = _Boundaries(services, parent, stop)
    save_import(services, NAME, import_id, actor="tester")
    return boundaries.passed


def save_when_told(parent: Parent, environment: Environment, import_id: str, run_id: str, wait_seconds: float) -> str:
    """Applies a planned import once it is let go; gives the import's end."""
    services = open_services(environment)
    parent.tell("ready")
    parent.wait()
    done = save_import(services, NAME, import_id, actor="tester", run_id=run_id, lock_wait_seconds=wait_seconds)
    return done.status


def plan(parent: Parent, environment: Environment, stop: int) -> int:
    """Plans an import from the newest extract."""
    services = open_services(environment)
    boundaries = _Boundaries(services, parent, stop)
    planned(services, kept_manifest(services, NAME))
    return boundaries.passed


def extract_and_save(parent: Parent, environment: Environment, stop: int) -> int:
    """All of it: reads the members, plans, applies."""
    services = open_services(environment)
    boundaries = _Boundaries(services, parent, stop)
    manifest = extract_members(services, NAME, progress=boundaries.passes)
    save_import(services, NAME, planned(services, manifest).import_id, actor="tester")
    return boundaries.passed


def planned(services: Services, manifest: Manifest) -> Import:
    """The import that an extract leads to, staged."""
    return plan_extract(services, manifest, actor="tester")


class _Boundaries:
    """Counts the boundaries that a piece of work passes, says when it starts, and stands still at the one asked for."""

    def __init__(self, services: Services, parent: Parent, stop: int) -> None:
        self.passed = 0
        self._parent, self._stop = parent, stop
        for event in ("after_cursor_execute", "commit", "checkin"):
            sa.event.listen(services.store.engine, event, lambda *_: self.passes())
        parent.tell("started")

    def passes(self, _: int = 0) -> None:
        """One more."""
        self.passed += 1
        if self.passed == self._stop:
            self._parent.tell("here")
            self._parent.stay()
