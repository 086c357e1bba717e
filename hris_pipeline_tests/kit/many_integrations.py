"""Thousands of integrations, written into the store in bulk: connected, imported once by hand, and automatic."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from hris_pipeline.settings.calendar import latest_due
from hris_pipeline.settings.document import Settings
from hris_pipeline.store.engine import Store
from hris_pipeline.store.tables import imports, integration_settings, integrations

__all__ = ["AT", "add_integrations", "counted_statements"]

AT = datetime(2026, 3, 4, 4, 0, tzinfo=UTC)
"""When all of them are due, every day."""

_SETTINGS = Settings(at="04:00", time_zone="UTC")


def add_integrations(store: Store, number: int, *, due: bool) -> list[str]:
    """So many integrations, whose moment ``AT`` is to be handled, or was; gives their names in order."""
    names = [f"company-{index:05}" for index in range(number)]
    handled = latest_due(_SETTINGS, AT - timedelta(days=1) if due else AT)
    before = AT - timedelta(days=30)
    settings = {"version": 1, "created_at": before, "actor": "ann", "document": _SETTINGS.document(), "digest": "d"}
    rows = {"display_name": "Company", "source": "justworks", "connection": "connected", "automatic": "running"}
    times = {"automatic_at": before, "created_at": before, "last_due_at": handled}
    applied = {"status": "applied", "trigger": "manual", "guards": [], "diagnostics": {}, "actor": "ann"}
    moments = {"planned_at": AT - timedelta(days=1), "finished_at": AT - timedelta(days=1)}
    with store.begin() as connection:
        connection.execute(
            sa.insert(integrations),
            [{"integration_id": name, "directory_id": name, **rows, **times} for name in names],
        )
        connection.execute(sa.insert(integration_settings), [{"integration_id": name, **settings} for name in names])
        connection.execute(
            sa.insert(imports),
            [
                {"import_id": f"{name}-1", "integration_id": name, "directory_id": name, **applied, **moments}
                for name in names
            ],
        )
    return names


@contextmanager
def counted_statements(engine: sa.Engine) -> Iterator[list[str]]:
    """Every statement that the block runs on the engine, without what opens a transaction or a session."""
    statements: list[str] = []

    def count(*event: object) -> None:
        statement = str(event[2])
        if not statement.startswith(("BEGIN", "SELECT set_config")):
            statements.append(statement)

    sa.event.listen(engine, "before_cursor_execute", count)
    try:
        yield statements
    finally:
        sa.event.remove(engine, "before_cursor_execute", count)
