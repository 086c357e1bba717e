"""One line for each integration: how it is doing, and which assets are out of date."""

from typing import Any

import sqlalchemy as sa

from hris_pipeline.cli.common import open_services
from hris_pipeline.cli.printing import CommandResult, cell, moment, table
from hris_pipeline.environment import Environment
from hris_pipeline.operations.services import Services
from hris_pipeline.settings.calendar import next_due
from hris_pipeline.store.automation import Automation, automations
from hris_pipeline.store.integrations import list_integrations
from hris_pipeline.store.tables import imports

__all__ = [
    "integrations",
]


def integrations() -> CommandResult:
    """Connection, automatic imports, how often, when next, the last import, and the assets that are out of date because
    settings or data changed since they were made.
    """
    with open_services() as services:
        with services.store.read() as connection:
            names = {one.integration_id: one for one in list_integrations(connection)}
            known = {one.integration_id: one for one in automations(connection)}
            last = {name: _last_import(connection, name) for name in names}
        stale = _out_of_date(services, list(known))
        now = services.now()
    rows = []
    for name, one in names.items():
        state: Automation | None = known.get(name)
        due = next_due(state.settings, now) if state and state.automatic == "running" else None
        rows.append(
            {
                "integration": name,
                "display_name": one.display_name,
                "source": one.source,
                "connection": one.connection,
                "automatic": one.automatic,
                "automatic_by": one.automatic_by,
                "automatic_reason": one.automatic_reason,
                "failures": one.failures,
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
    shown = f"{last['status']} {moment(last['finished_at'] or last['planned_at'])}" if last else "none"
    stale = ", ".join(row["out_of_date"])
    return (
        row["integration"],
        cell(row["connection"], "green" if row["connection"] == "connected" else "red"),
        f"{row['automatic']}{why}",
        row["frequency"],
        moment(row["next_due"]),
        shown,
        stale,
    )


def _last_import(connection: sa.Connection, name: str) -> dict[str, Any] | None:
    chosen = sa.select(imports.c.import_id, imports.c.status, imports.c.planned_at, imports.c.finished_at)
    newest = chosen.where(imports.c.integration_id == name).order_by(
        imports.c.planned_at.desc(), imports.c.import_id.desc()
    )
    found = connection.execute(newest.limit(1)).one_or_none()
    return dict(found._mapping) if found else None


def _out_of_date(services: Services, names: list[str]) -> dict[str, list[str]]:
    """What Dagster finds out of date; nothing when there is no instance to ask."""
    if not _has_instance(services.environment):
        return {}
    from hris_pipeline.cli.dagster_side import out_of_date_assets  # noqa: PLC0415 - Dagster is only loaded to ask it

    return out_of_date_assets(services, names)


def _has_instance(environment: Environment) -> bool:
    return (environment.dagster_home / "dagster.yaml").exists()
