"""How each integration is doing, and what of it waits for a person: in states and counts, nobody's data."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from hris_pipeline.operations.services import Services
from hris_pipeline.settings.calendar import latest_due, next_due
from hris_pipeline.settings.document import Settings
from hris_pipeline.store.automation import Automation, automations
from hris_pipeline.store.imports import Import, imports_of, open_import
from hris_pipeline.store.integrations import Integration, get_integration, list_integrations
from hris_pipeline.store.settings_versions import current_settings
from hris_pipeline.store.tables import conflicts, connections

__all__ = ["Overview", "Waiting", "overview", "overviews"]


@dataclass(frozen=True)
class Waiting:
    """Something that waits for a person: ``what`` is connection, held, planned, conflicts, quarantine or automatic; how
    many people it is about, where that says something."""

    what: str
    count: int = 0


@dataclass(frozen=True)
class Overview:
    """One integration. ``next_due`` is None unless automatic imports run; ``due_now`` says that a due moment waits
    to be handled; ``last_import`` is the newest of any status, ``open_import`` the one that waits to be saved or
    approved; ``company_name`` is what the source called the company when it was connected."""

    integration: Integration
    settings: Settings
    settings_version: int
    saved: bool
    next_due: datetime | None
    due_now: bool
    last_import: Import | None
    open_import: Import | None
    last_good_at: datetime | None
    company_name: str | None
    waiting: tuple[Waiting, ...]

    @property
    def set_up(self) -> bool:
        """Whether the setup came to its end: connected, a first import saved, and automatic imports decided."""
        return self.integration.connection != "none" and self.saved and self.integration.automatic != "off"


def overviews(services: Services) -> tuple[Overview, ...]:
    """Every integration, by name."""
    now = services.now()
    with services.store.read() as connection:
        states = {state.integration_id: state for state in automations(connection)}
        return tuple(
            _overview(connection, integration, states[integration.integration_id], now)
            for integration in list_integrations(connection)
            if integration.integration_id in states
        )


def overview(services: Services, integration_id: str) -> Overview:
    """One integration.

    Raises:
        UnknownName: there is none of that name, or it has no settings.
    """
    with services.store.read() as connection:
        integration = get_integration(connection, integration_id)
        current_settings(connection, integration_id)
        return _overview(connection, integration, automations(connection, integration_id)[0], services.now())


def _overview(connection: sa.Connection, integration: Integration, state: Automation, now: datetime) -> Overview:
    name = integration.integration_id
    newest = imports_of(connection, name, limit=1)
    waiting_import = open_import(connection, name)
    running = state.automatic == "running"
    return Overview(
        integration=integration,
        settings=state.settings,
        settings_version=current_settings(connection, name).version,
        saved=state.saved,
        next_due=next_due(state.settings, now) if running else None,
        due_now=running and (state.last_due_at is None or state.last_due_at < latest_due(state.settings, now)),
        last_import=newest[0] if newest else None,
        open_import=waiting_import,
        last_good_at=state.last_good_at,
        company_name=connection.execute(
            sa.select(connections.c.company_name).where(connections.c.integration_id == name)
        ).scalar(),
        waiting=_waiting(connection, integration, waiting_import, newest[0] if newest else None),
    )


def _waiting(
    connection: sa.Connection, integration: Integration, waiting_import: Import | None, newest: Import | None
) -> tuple[Waiting, ...]:
    name = integration.integration_id
    mine = sa.and_(conflicts.c.integration_id == name, conflicts.c.status == "open")
    undecided = int(connection.execute(sa.select(sa.func.count()).select_from(conflicts).where(mine)).scalar_one())
    quarantined = newest.counts["quarantined"] if newest else 0
    found = [
        (integration.connection != "connected", Waiting("connection")),
        (
            waiting_import is not None,
            Waiting(waiting_import.status, waiting_import.changes) if waiting_import else None,
        ),
        (undecided > 0, Waiting("conflicts", undecided)),
        (quarantined > 0, Waiting("quarantine", quarantined)),
        (integration.automatic == "paused", Waiting("automatic")),
    ]
    return tuple(waiting for waits, waiting in found if waits and waiting is not None)
