"""How each integration is doing, its imports, and what waits for a person: in states and counts, nobody's data."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from hris_pipeline.contract import PAGE_SIZE, is_made_up
from hris_pipeline.operations.services import Services
from hris_pipeline.settings.calendar import latest_due, next_due
from hris_pipeline.settings.document import Settings
from hris_pipeline.store.automation import Automation, read_automations
from hris_pipeline.store.imports import Import, count_imports, get_import, imports_of
from hris_pipeline.store.integrations import Integration, current_settings, get_integration, list_integrations
from hris_pipeline.store.overviews import (
    IntegrationCounts,
    IntegrationFacts,
    company_names,
    count_integrations,
    integration_names,
    integrations_named,
    newest_imports,
    newest_readings,
    open_conflicts,
    open_imports,
)

__all__ = [
    "DeletedIntegration",
    "Overview",
    "OverviewPage",
    "Waiting",
    "deleted_integrations",
    "history",
    "history_length",
    "imports_of_run",
    "overview",
    "overview_page",
    "read_import",
]

FEW = 20


@dataclass(frozen=True)
class Waiting:
    """Something that waits for a person: ``what`` is connection, held, planned, conflicts, quarantine or automatic; how
    many people it is about, where that says something."""

    what: str
    count: int = 0


@dataclass(frozen=True)
class Overview:
    """One integration. ``next_due`` is None unless automatic imports run; ``due_now`` says that a due moment waits
    to be handled; ``last_import`` is the newest of any status, ``last_reading`` the newest that read the source,
    ``open_import`` the one that waits to be saved or approved; ``company_name`` is what the source called the company
    when it was connected."""

    integration: Integration
    settings: Settings
    settings_version: int
    saved: bool
    next_due: datetime | None
    due_now: bool
    last_import: Import | None
    last_reading: Import | None
    open_import: Import | None
    last_good_at: datetime | None
    company_name: str | None
    waiting: tuple[Waiting, ...]

    @property
    def set_up(self) -> bool:
        """Whether the setup came to its end: connected, a first import saved, and automatic imports decided, which
        nobody is asked about a made-up company."""
        is_decided = self.integration.automatic != "off" or is_made_up(self.integration.display_name)
        return self.integration.connection != "none" and self.saved and is_decided


@dataclass(frozen=True)
class OverviewPage:
    """Some of the integrations, in order of name; ``page`` of ``pages`` is counted from 1."""

    overviews: tuple[Overview, ...]
    counts: IntegrationCounts
    page: int
    pages: int


@dataclass(frozen=True)
class DeletedIntegration:
    """An integration that was deleted, whose imports are there to be looked at: how many, and the newest."""

    integration: Integration
    imports: int
    last_import: Import | None


def overview_page(services: Services, *, search: str = "", only_waiting: bool = False, page: int = 1) -> OverviewPage:
    """One page of the integrations whose name contains ``search``, by name; with ``only_waiting`` of those that wait
    for a person. Page 1 stands for one that is not there. The same few statements, however many there are."""
    with services.store.read() as connection:
        counts = count_integrations(connection, search)
        pages = max(1, -(-(counts.waiting if only_waiting else counts.matching) // PAGE_SIZE))
        page = page if 1 <= page <= pages else 1
        offset = (page - 1) * PAGE_SIZE
        names = integration_names(connection, search, only_waiting=only_waiting, offset=offset, limit=PAGE_SIZE)
        overviews = _read_overviews(connection, names, services.now())
    return OverviewPage(overviews, counts, page, pages)


def overview(services: Services, integration_id: str) -> Overview:
    """One integration.

    Raises:
        UnknownName: there is none of that name, or it has no settings.
    """
    with services.store.read() as connection:
        get_integration(connection, integration_id)
        current_settings(connection, integration_id)
        return _read_overviews(connection, (integration_id,), services.now())[0]


def _read_overviews(connection: sa.Connection, names: Sequence[str], now: datetime) -> tuple[Overview, ...]:
    states = {state.integration_id: state for state in read_automations(connection, *names)}
    newest, waiting = newest_imports(connection, names), open_imports(connection, names)
    readings = newest_readings(connection, names)
    undecided, companies = open_conflicts(connection, names), company_names(connection, names)
    return tuple(
        _build_overview(
            facts,
            states[name],
            now,
            last_import=newest.get(name),
            last_reading=readings.get(name),
            open_import=waiting.get(name),
            undecided=undecided.get(name, 0),
            company_name=companies.get(name),
        )
        for facts in integrations_named(connection, names)
        if (name := facts.integration.integration_id) in states
    )


def _build_overview(
    facts: IntegrationFacts,
    state: Automation,
    now: datetime,
    *,
    last_import: Import | None,
    last_reading: Import | None,
    open_import: Import | None,
    undecided: int,
    company_name: str | None,
) -> Overview:
    running = state.automatic == "running"
    return Overview(
        integration=facts.integration,
        settings=state.settings,
        settings_version=facts.settings_version,
        saved=state.saved,
        next_due=next_due(state.settings, now) if running else None,
        due_now=running and (state.last_due_at is None or state.last_due_at < latest_due(state.settings, now)),
        last_import=last_import,
        last_reading=last_reading,
        open_import=open_import,
        last_good_at=state.last_good_at,
        company_name=company_name,
        waiting=_list_waiting(facts.integration, undecided, open_import, last_reading),
    )


def _list_waiting(
    integration: Integration, undecided: int, open_import: Import | None, last_reading: Import | None
) -> tuple[Waiting, ...]:
    """What waits for a person; ``store.overviews`` asks the same of all integrations at once."""
    quarantined = last_reading.counts["quarantined"] if last_reading else 0
    items = [
        (integration.connection != "connected", Waiting("connection")),
        (open_import is not None, Waiting(open_import.status, open_import.changes) if open_import else None),
        (undecided > 0, Waiting("conflicts", undecided)),
        (quarantined > 0, Waiting("quarantine", quarantined)),
        (integration.automatic == "paused", Waiting("automatic")),
    ]
    return tuple(waiting for waits, waiting in items if waits and waiting is not None)


def read_import(services: Services, import_id: str) -> Import:
    """The import as it stands.

    Raises:
        UnknownName: no import of that id.
    """
    with services.store.read() as connection:
        return get_import(connection, import_id)


def imports_of_run(services: Services, integration_id: str, run_id: str) -> tuple[Import, ...]:
    """The latest imports of an integration that a run planned or applied, the newest first."""
    with services.store.read() as connection:
        latest = imports_of(connection, integration_id, limit=FEW)
    return tuple(record for record in latest if run_id in (record.dagster_run_id, record.applied_run_id))


def history(
    services: Services,
    integration_id: str,
    statuses: Collection[str] | None = None,
    limit: int | None = 50,
    offset: int = 0,
) -> tuple[Import, ...]:
    """The integration's imports, the newest first; all, or those in one of ``statuses``. Those of a former life, and of
    an integration that was deleted, are there too."""
    with services.store.read() as connection:
        get_integration(connection, integration_id, deleted=True)
        return imports_of(connection, integration_id, statuses, limit, offset)


def history_length(services: Services, integration_id: str, statuses: Collection[str] | None = None) -> int:
    """How many imports ``history`` has without a limit."""
    with services.store.read() as connection:
        return count_imports(connection, (integration_id,), statuses).get(integration_id, 0)


def deleted_integrations(services: Services) -> tuple[DeletedIntegration, ...]:
    """The integrations that were deleted, by name; the same few statements, however many there are."""
    with services.store.read() as connection:
        listed = list_integrations(connection, deleted=True)
        names = tuple(integration.integration_id for integration in listed)
        counts, newest = count_imports(connection, names), newest_imports(connection, names)
    return tuple(
        DeletedIntegration(integration, counts.get(name, 0), newest.get(name))
        for name, integration in zip(names, listed, strict=True)
    )
