"""One line for each integration: how it is doing, and what is out of date."""

from typing import Annotated, Any

import sqlalchemy as sa
import typer

from hris_pipeline.cli.common import open_services
from hris_pipeline.cli.printing import CommandResult, cell, moment, table
from hris_pipeline.operations.services import Services
from hris_pipeline.settings.calendar import next_due
from hris_pipeline.store.automation import Automation, automations
from hris_pipeline.store.integrations import list_integrations
from hris_pipeline.store.tables import imports, integration_settings

__all__ = [
    "integrations",
]


MADE_FROM_SETTINGS = "mapped_users"
"""The first asset that is made under the settings."""


def integrations(
    assets: Annotated[
        bool,
        typer.Option("--assets", help="Ask Dagster which assets are out of date, for whatever reason; takes longer."),
    ] = False,
) -> CommandResult:
    """Connection, automatic imports, how often, when next, the last import, and what is out of date because settings
    changed since it was made.
    """
    with open_services() as services:
        with services.store.read() as connection:
            integrations_by_name = {
                integration.integration_id: integration for integration in list_integrations(connection)
            }
            states = {state.integration_id: state for state in automations(connection)}
            last = {name: _last_import(connection, name) for name in integrations_by_name}
            changed = _made_under_other_settings(connection)
        stale = (
            _asked_of_dagster(services, list(states)) if assets else {name: [MADE_FROM_SETTINGS] for name in changed}
        )
        now = services.now()
    rows = []
    for name, integration in integrations_by_name.items():
        state: Automation | None = states.get(name)
        due = next_due(state.settings, now) if state and state.automatic == "running" else None
        rows.append(
            {
                "integration": name,
                "display_name": integration.display_name,
                "source": integration.source,
                "connection": integration.connection,
                "automatic": integration.automatic,
                "automatic_by": integration.automatic_by,
                "automatic_reason": integration.automatic_reason,
                "failures": integration.failures,
                "frequency": state.settings.frequency if state else None,
                "next_due": due,
                "last_import": last[name],
                "out_of_date": stale.get(name, []),
            }
        )
    if not rows:
        return CommandResult(
            {"integrations": []}, [cell("No integration yet. To set one up: hris setup NAME; to look: hris demo")]
        )
    columns = ("integration", "connection", "automatic", "frequency", "next due", "last import", "out of date")
    return CommandResult({"integrations": rows}, [table(columns, [_line(row) for row in rows])])


def _line(row: dict[str, Any]) -> tuple[object, ...]:
    why = f" ({row['automatic_reason']})" if row["automatic"] == "paused" else ""
    last = row["last_import"]
    last_words = f"{last['status']} {moment(last['finished_at'] or last['planned_at'])}" if last else "none"
    stale = ", ".join(row["out_of_date"])
    return (
        row["integration"],
        cell(row["connection"], "green" if row["connection"] == "connected" else "red"),
        f"{row['automatic']}{why}",
        row["frequency"],
        moment(row["next_due"]),
        last_words,
        stale,
    )


def _last_import(connection: sa.Connection, name: str) -> dict[str, Any] | None:
    columns = sa.select(imports.c.import_id, imports.c.status, imports.c.planned_at, imports.c.finished_at)
    newest = columns.where(imports.c.integration_id == name).order_by(
        imports.c.planned_at.desc(), imports.c.import_id.desc()
    )
    row = connection.execute(newest.limit(1)).one_or_none()
    return dict(row._mapping) if row else None


def _made_under_other_settings(connection: sa.Connection) -> list[str]:
    """The integrations whose settings changed since the newest plan."""
    versions = sa.select(
        integration_settings.c.integration_id, sa.func.max(integration_settings.c.version).label("version")
    ).group_by(integration_settings.c.integration_id)
    in_force = {row.integration_id: row.version for row in connection.execute(versions)}
    plans = sa.select(imports.c.integration_id, sa.func.max(imports.c.settings_version).label("version")).where(
        imports.c.status != "failed"
    )
    planned = {row.integration_id: row.version for row in connection.execute(plans.group_by(imports.c.integration_id))}
    return [name for name, version in planned.items() if version is not None and version < in_force.get(name, 0)]


def _asked_of_dagster(services: Services, names: list[str]) -> dict[str, list[str]]:
    """What Dagster finds out of date; nothing when there is no instance to ask."""
    if not (services.environment.dagster_home / "dagster.yaml").exists():
        return {}
    from hris_pipeline.cli.dagster_side import out_of_date_assets  # noqa: PLC0415 - Dagster is only loaded to ask it

    return out_of_date_assets(services, names)
