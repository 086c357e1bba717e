"""The integrations: one line for each, how it is doing and what is out of date; who decided what; pausing and resuming
automatic imports, and planning many integrations again."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import sqlalchemy as sa
import typer

from hris_pipeline.cli.common import IntegrationArgument, Reason, actor, deciding, open_services
from hris_pipeline.cli.printing import CommandResult, cell, error_line, moment, table
from hris_pipeline.contract import APPLIED_COUNTS
from hris_pipeline.errors import HrisError, ImportHeld, UsageError
from hris_pipeline.operations import automation
from hris_pipeline.operations.overview import deleted_integrations
from hris_pipeline.operations.roles import decision_words, decisions_of, method_words, outcome_words
from hris_pipeline.operations.services import Services
from hris_pipeline.settings.calendar import Calendar, next_due
from hris_pipeline.settings.text import nearest_or_all
from hris_pipeline.store.automation import read_calendars
from hris_pipeline.store.imports import Import
from hris_pipeline.store.integrations import Integration, get_integration, list_integrations
from hris_pipeline.store.tables import imports, integration_settings
from hris_pipeline.store.tables import integrations as integrations_table

__all__ = ["backfill", "decisions", "integrations", "pause", "resume"]

MOST_SHOWN = 200
"""So many lines are drawn on a terminal."""

MADE_FROM_SETTINGS = "mapped_users"
"""The first asset that is made under the settings."""


def integrations(
    assets: Annotated[
        bool,
        typer.Option("--assets", help="Ask Dagster which assets are out of date, for whatever reason; takes longer."),
    ] = False,
    deleted: Annotated[
        bool, typer.Option("--deleted", help="Those that were deleted instead; `hris history NAME` has their imports.")
    ] = False,
) -> CommandResult:
    """Connection, automatic imports, how often, when next, the last import, and what is out of date because settings
    changed since it was made.
    """
    if deleted:
        return _list_deleted()
    with open_services() as services:
        with services.store.read() as connection:
            listed = list_integrations(connection)
            due = read_calendars(connection)
            last = _last_imports(connection)
            changed = _made_under_other_settings(connection)
        stale = (
            _asked_of_dagster(services, [integration.integration_id for integration in listed])
            if assets
            else {name: [MADE_FROM_SETTINGS] for name in changed}
        )
        now = services.now()
    rows = [
        _integration_row(
            integration, due.get(integration.integration_id), last.get(integration.integration_id), stale, now
        )
        for integration in listed
    ]
    if not rows:
        return CommandResult(
            {"integrations": []}, [cell("No integration yet. To set one up: hris setup NAME; to look: hris demo")]
        )
    columns = ("integration", "connection", "automatic", "next due", "last import", "out of date")
    lines: list[Any] = [table(columns, [_render_row(row) for row in rows[:MOST_SHOWN]])]
    if len(rows) > MOST_SHOWN:
        lines.append(cell(f"and {len(rows) - MOST_SHOWN} more: `hris integrations --json` tells of all"))
    return CommandResult({"integrations": rows}, lines)


def _list_deleted() -> CommandResult:
    """What is left of the deleted ones."""
    with open_services() as services:
        formers = deleted_integrations(services)
    rows = [
        {
            "integration": former.integration.integration_id,
            "deleted_at": former.integration.deleted_at,
            "imports": former.imports,
            "last_import": former.last_import.import_id if former.last_import else None,
        }
        for former in formers
    ]
    if not rows:
        return CommandResult({"integrations": []}, [cell("No integration was deleted.")])
    whens = (moment(former.integration.deleted_at, "UTC") for former in formers)
    lines = [
        (row["integration"], when, row["imports"], row["last_import"]) for row, when in zip(rows, whens, strict=True)
    ]
    grid = table(("integration", "deleted", ">imports", "!last import"), lines)
    next_line = cell("The imports of one: hris history NAME", "bold")
    return CommandResult({"integrations": rows}, [grid, "", next_line])


def _integration_row(
    integration: Integration,
    calendar: Calendar | None,
    last_import: dict[str, Any] | None,
    stale: Mapping[str, list[str]],
    now: datetime,
) -> dict[str, Any]:
    running = integration.automatic == "running"
    return {
        "integration": integration.integration_id,
        "display_name": integration.display_name,
        "source": integration.source,
        "connection": integration.connection,
        "automatic": integration.automatic,
        "automatic_by": integration.automatic_by,
        "automatic_reason": integration.automatic_reason,
        "failures": integration.failures,
        "frequency": calendar.frequency if calendar else None,
        "time_zone": calendar.time_zone if calendar else None,
        "next_due": next_due(calendar, now) if calendar and running else None,
        "last_import": last_import,
        "out_of_date": stale.get(integration.integration_id, []),
    }


def _render_row(row: dict[str, Any]) -> tuple[object, ...]:
    automatic = {"paused": f"paused ({row['automatic_reason']})", "running": f"running, {row['frequency']}"}
    last = row["last_import"]
    finished = moment(last["finished_at"] or last["planned_at"], row["time_zone"]) if last else ""
    stale = ", ".join(row["out_of_date"])
    return (
        row["integration"],
        cell(row["connection"], "green" if row["connection"] == "connected" else "red"),
        automatic.get(row["automatic"], row["automatic"]),
        moment(row["next_due"], row["time_zone"]),
        f"{last['status']} {finished}" if last else "none",
        stale,
    )


def _last_imports(connection: sa.Connection) -> dict[str, dict[str, Any]]:
    """By integration the newest import of any status; one statement."""
    other = imports.alias()
    newest = (
        sa.select(other.c.import_id)
        .where(other.c.integration_id == integrations_table.c.integration_id)
        .order_by(other.c.planned_at.desc(), other.c.import_id.desc())
        .limit(1)
        .scalar_subquery()
    )
    select = sa.select(
        imports.c.integration_id, imports.c.import_id, imports.c.status, imports.c.planned_at, imports.c.finished_at
    ).join_from(integrations_table, imports, imports.c.import_id == newest)
    names = ("import_id", "status", "planned_at", "finished_at")
    return {row[0]: dict(zip(names, row[1:], strict=True)) for row in connection.execute(select)}


def _made_under_other_settings(connection: sa.Connection) -> list[str]:
    """The integrations whose settings changed since the newest plan; one statement."""
    in_force = sa.select(sa.func.max(integration_settings.c.version)).where(
        integration_settings.c.integration_id == integrations_table.c.integration_id
    )
    plans = sa.select(imports.c.settings_version).where(
        imports.c.integration_id == integrations_table.c.integration_id,
        imports.c.status != "failed",
        imports.c.settings_version.is_not(None),
    )
    newest = plans.order_by(imports.c.planned_at.desc(), imports.c.import_id.desc()).limit(1)
    changed = newest.scalar_subquery() < in_force.scalar_subquery()
    return list(connection.execute(sa.select(integrations_table.c.integration_id).where(changed)).scalars())


def _asked_of_dagster(services: Services, names: list[str]) -> dict[str, list[str]]:
    """What Dagster finds out of date; nothing when there is no instance to ask."""
    if not (services.environment.dagster_home / "dagster.yaml").exists():
        return {}
    from hris_pipeline.cli.jobs import out_of_date_assets  # noqa: PLC0415 - Dagster is only loaded to ask it

    return out_of_date_assets(services, names)


def decisions(
    name: IntegrationArgument, limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 50
) -> CommandResult:
    """Approvals, saved and discarded imports, settings, conflicts and everything else that a person decided, the newest
    first: the name given, the identity that was authenticated, how, from where, and what came of it. Of a deleted
    integration too.
    """
    with open_services() as services:
        with services.store.read() as connection:
            get_integration(connection, name, deleted=True)
        listed = decisions_of(services, name, limit)
        zone = services.time_zone(name)
    lines = [
        (
            moment(decision.decided_at, zone),
            decision_words(decision.action),
            decision.subject or "",
            decision.identity if decision.name == decision.identity else f"{decision.identity} (as {decision.name})",
            ", ".join(filter(None, (method_words(decision.method), decision.address))),
            decision.reason or "",
            outcome_words(decision.outcome),
        )
        for decision in listed
    ]
    payload = {"integration": name, "decisions": [vars(decision) for decision in listed]}
    columns = ("when", "what", "!about", "who", "how", "why", "outcome")
    return CommandResult(payload, [table(columns, lines) if lines else cell("Nobody has decided anything yet.")])


def pause(name: IntegrationArgument, reason: Reason) -> CommandResult:
    """At once: one that is queued ends as skipped, one that runs finishes its transaction or none of it."""
    with open_services() as services:
        with deciding(services, name, "pause", reason=reason):
            automation.pause(services, name, actor(), reason)
        return _automatic_result(services, name)


def resume(name: IntegrationArgument, reason: Reason) -> CommandResult:
    """Needs one saved manual import. A due moment that was missed meanwhile is caught up once."""
    with open_services() as services:
        with deciding(services, name, "resume", reason=reason):
            automation.resume(services, name, actor(), reason)
        return _automatic_result(services, name)


def _automatic_result(services: Services, name: str) -> CommandResult:
    with services.store.read() as connection:
        integration = get_integration(connection, name)
    payload = {
        "integration": name,
        "automatic": integration.automatic,
        "by": integration.automatic_by,
        "reason": integration.automatic_reason,
    }
    return CommandResult(payload, [cell(f"Automatic imports of {name} are {integration.automatic}.")])


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
    make = _choose_maker(asset or [], fresh=fresh, apply=apply)
    with open_services() as services:
        with services.store.read() as connection:
            every_name = [integration.integration_id for integration in list_integrations(connection)]
            for name in names or ():
                get_integration(connection, name)
        if not (names or every_name):
            raise UsageError("There is no integration yet: `hris setup NAME` makes one.")
        outcomes = [_make_for_integration(make, services, name) for name in names or every_name]
    statuses = {outcome["status"] for outcome in outcomes}
    exit_code = 1 if "failed" in statuses else ImportHeld.exit_code if "held" in statuses else 0
    lines = [
        (outcome["integration"], outcome["status"], *(outcome["counts"].get(count, "") for count in APPLIED_COUNTS))
        for outcome in outcomes
    ]
    grid = table(("integration", "outcome", *(f">{count}" for count in APPLIED_COUNTS)), lines)
    return CommandResult({"backfill": outcomes}, [grid], exit_code)


def _choose_maker(assets: Sequence[str], *, fresh: bool, apply: bool) -> Callable[[Services, str], Made]:
    """What is done for each integration."""
    from hris_pipeline.cli.jobs import known_assets, run_assets, run_backfill  # noqa: PLC0415 - Dagster, only to run

    if not assets:
        return lambda services, name: run_backfill(services, name, fresh=fresh, apply=apply)
    every_asset = known_assets()
    for asset in assets:
        if asset not in every_asset:
            raise UsageError(f"There is no asset {asset!r}.{nearest_or_all(asset, every_asset)}")
    if apply:
        raise UsageError("--apply makes everything: leave out --asset.")
    if fresh and "justworks_members" not in assets:
        raise UsageError(
            "Only justworks_members reads the source: add --asset justworks_members, or leave out --fresh."
        )
    return lambda services, name: run_assets(services, name, assets, fresh=fresh)


def _make_for_integration(make: Callable[[Services, str], Made], services: Services, name: str) -> dict[str, Any]:
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
