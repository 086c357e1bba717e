"""Automatic imports: stopping and starting them, and planning many integrations at once."""

from typing import Annotated, Any

import typer

from hris_pipeline.cli.common import Name, Reason, actor, opened
from hris_pipeline.cli.printing import Answer, complain, table, text
from hris_pipeline.errors import HrisError, ImportHeld, UsageError
from hris_pipeline.operations import automatic
from hris_pipeline.operations.services import Services
from hris_pipeline.store.registry import get_integration, list_integrations

__all__ = ["backfill", "pause", "resume"]


def pause(name: Name, reason: Reason) -> Answer:
    """At once: one that is queued ends as skipped, one that runs finishes its transaction or none of it."""
    with opened() as services:
        automatic.pause(services, name, actor(), reason)
        return _state(services, name)


def resume(name: Name, reason: Reason) -> Answer:
    """Needs one saved manual import. A due moment that was missed meanwhile is caught up once."""
    with opened() as services:
        automatic.resume(services, name, actor(), reason)
        return _state(services, name)


def _state(services: Services, name: str) -> Answer:
    with services.store.read() as connection:
        found = get_integration(connection, name)
    told = {
        "integration": name,
        "automatic": found.automatic,
        "by": found.automatic_by,
        "reason": found.automatic_reason,
    }
    return Answer(told, [text(f"Automatic imports of {name} are {found.automatic}.")])


def backfill(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Which integrations; all by default.")
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Read the source again instead of the latest kept extract.")
    ] = False,
    apply: Annotated[
        bool, typer.Option("--apply", help="Apply what no guard holds, instead of leaving it for review.")
    ] = False,
) -> Answer:
    """After a fix in mapping or normalisation: everything from the employees onwards is made again, one integration
    after the other. One that fails never stops the others. Exit 1 when any failed, 3 when any is held.
    """
    from hris_pipeline.cli.jobs import run_backfill  # noqa: PLC0415 - Dagster is only loaded to run

    with opened() as services:
        with services.store.read() as connection:
            known = [one.integration_id for one in list_integrations(connection)]
            for name in names or ():
                get_integration(connection, name)
        if not (names or known):
            raise UsageError("There is no integration yet: `hris setup NAME` makes one.")
        outcomes: list[dict[str, Any]] = []
        for name in names or known:
            try:
                summary = run_backfill(services, name, fresh=fresh, apply=apply)
                outcomes.append({**summary.document(), "error": None})
            except ImportHeld as error:
                outcomes.append({"integration": name, "status": "held", "counts": {}, "error": str(error)})
            except HrisError as error:
                complain(f"{name}: {error}")
                outcomes.append({"integration": name, "status": "failed", "counts": {}, "error": str(error)})
    statuses = {outcome["status"] for outcome in outcomes}
    exit_code = 1 if "failed" in statuses else ImportHeld.exit_code if "held" in statuses else 0
    counts = ("created", "updated", "archived", "restored")
    lines = [
        (one["integration"], one["status"], *(one["counts"].get(count, "") for count in counts)) for one in outcomes
    ]
    shown = table(("integration", "outcome", ">new", ">updated", ">archived", ">restored"), lines)
    return Answer({"backfill": outcomes}, [shown], exit_code)
