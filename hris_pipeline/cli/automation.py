"""Automatic imports: pausing and resuming them, and planning many integrations again."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from hris_pipeline.cli.common import IntegrationArgument, Reason, actor, deciding, open_services
from hris_pipeline.cli.printing import CommandResult, cell, error_line, table
from hris_pipeline.errors import HrisError, ImportHeld, UsageError
from hris_pipeline.operations import automation
from hris_pipeline.operations.services import Services
from hris_pipeline.settings.suggestion import suggestion
from hris_pipeline.store.imports import Import
from hris_pipeline.store.integrations import get_integration, list_integrations

__all__ = [
    "backfill",
    "pause",
    "resume",
]


def pause(name: IntegrationArgument, reason: Reason) -> CommandResult:
    """At once: one that is queued ends as skipped, one that runs finishes its transaction or none of it."""
    with open_services() as services:
        with deciding(services, name, "pause", reason=reason):
            automation.pause(services, name, actor(), reason)
        return _state(services, name)


def resume(name: IntegrationArgument, reason: Reason) -> CommandResult:
    """Needs one saved manual import. A due moment that was missed meanwhile is caught up once."""
    with open_services() as services:
        with deciding(services, name, "resume", reason=reason):
            automation.resume(services, name, actor(), reason)
        return _state(services, name)


def _state(services: Services, name: str) -> CommandResult:
    with services.store.read() as connection:
        integration = get_integration(connection, name)
    payload = {
        "integration": name,
        "automatic": integration.automatic,
        "by": integration.automatic_by,
        "reason": integration.automatic_reason,
    }
    return CommandResult(payload, [cell(f"Automatic imports of {name} are {integration.automatic}.")])


COUNTS = ("created", "updated", "archived", "restored")

Made = Import | None


def backfill(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", help="Which integrations; all by default.")
    ] = None,
    asset: Annotated[
        list[str] | None, typer.Option("--asset", help="Only that asset, repeatable; by default all up to the plan.")
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Read the source again instead of the latest kept extract.")
    ] = False,
    apply: Annotated[
        bool, typer.Option("--apply", help="Apply what no guard holds, instead of leaving it for review.")
    ] = False,
) -> CommandResult:
    """After a fix in mapping or normalisation: everything from the employees onwards is made again, one integration
    after the other, and ends in change sets to review. One that fails never stops the others. Exit 1 when any failed,
    3 when any is held.

    With `--asset` only those assets are made, from what was made before, as a backfill in Dagster does.
    """
    make = _maker(asset or [], fresh=fresh, apply=apply)
    with open_services() as services:
        with services.store.read() as connection:
            every_name = [integration.integration_id for integration in list_integrations(connection)]
            for name in names or ():
                get_integration(connection, name)
        if not (names or every_name):
            raise UsageError("There is no integration yet: `hris setup NAME` makes one.")
        outcomes = [_outcome(make, services, name) for name in names or every_name]
    statuses = {outcome["status"] for outcome in outcomes}
    exit_code = 1 if "failed" in statuses else ImportHeld.exit_code if "held" in statuses else 0
    lines = [
        (outcome["integration"], outcome["status"], *(outcome["counts"].get(count, "") for count in COUNTS))
        for outcome in outcomes
    ]
    grid = table(("integration", "outcome", ">new", ">updated", ">archived", ">restored"), lines)
    return CommandResult({"backfill": outcomes}, [grid], exit_code)


def _maker(assets: Sequence[str], *, fresh: bool, apply: bool) -> Callable[[Services, str], Made]:
    """What is done for each integration."""
    from hris_pipeline.cli.jobs import known_assets, run_assets, run_backfill  # noqa: PLC0415 - Dagster, only to run

    if not assets:
        return lambda services, name: run_backfill(services, name, fresh=fresh, apply=apply)
    every_asset = known_assets()
    for asset in assets:
        if asset not in every_asset:
            hint = suggestion(asset, every_asset) or f" There are: {', '.join(every_asset)}."
            raise UsageError(f"There is no asset {asset!r}.{hint}")
    if apply:
        raise UsageError("--apply makes everything: leave out --asset.")
    if fresh and "justworks_members" not in assets:
        raise UsageError(
            "Only justworks_members reads the source: add --asset justworks_members, or leave out --fresh."
        )
    return lambda services, name: run_assets(services, name, assets, fresh=fresh)


def _outcome(make: Callable[[Services, str], Made], services: Services, name: str) -> dict[str, Any]:
    try:
        summary = make(services, name)
    except ImportHeld as error:
        return {"integration": name, "status": "held", "counts": {}, "error": str(error)}
    except HrisError as error:
        error_line(f"{name}: {error}")
        return {"integration": name, "status": "failed", "counts": {}, "error": str(error)}
    if summary is None:
        return {"integration": name, "status": "made", "counts": {}, "error": None}
    return {**summary.document(), "error": None}
