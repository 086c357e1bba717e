"""Thousands of integrations, written into the store in bulk: connected, imported once by hand, and automatic."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from hris_pipeline.settings.calendar import latest_due
from hris_pipeline.settings.document import Settings
from hris_pipeline.store.engine import Store
from hris_pipeline.store.keyring import keyring_of
from hris_pipeline.store.seals import SETTINGS, seal_of
from hris_pipeline.store.tables import conflicts, imports, integration_settings, integrations

__all__ = ["AT", "add_integrations", "add_waiting", "counted_statements"]

AT = datetime(2026, 3, 4, 4, 0, tzinfo=UTC)
"""When all of them are due, every day."""

_LATER = timedelta(hours=1)
_SETTINGS = Settings(at="04:00", time_zone="UTC")


def add_integrations(
    store: Store, number: int, *, due: bool, prefix: str = "company", imports_each: int = 1
) -> list[str]:
    """So many integrations, whose moment ``AT`` is to be handled, or was, with so many imports that were applied; gives
    their names in order."""
    names = [f"{prefix}-{index:05}" for index in range(number)]
    handled = latest_due(_SETTINGS, AT - timedelta(days=1) if due else AT)
    before = AT - timedelta(days=30)
    settings = {"version": 1, "created_at": before, "actor": "ann"}
    settings |= {"document": _SETTINGS.document(), "digest": _SETTINGS.digest()}
    rows = {"display_name": "Company", "source": "justworks", "connection": "connected", "automatic": "running"}
    times = {"automatic_at": before, "created_at": before, "last_due_at": handled}
    applied = {"status": "applied", "trigger": "manual", "guards": [], "diagnostics": {}, "actor": "ann"}
    with store.begin() as connection:
        keyring = keyring_of(connection)
        connection.execute(
            sa.insert(integrations),
            [{"integration_id": name, "directory_id": name, **rows, **times} for name in names],
        )
        versions = [{"integration_id": name, **settings} for name in names]
        connection.execute(
            sa.insert(integration_settings), [row | {"seal": seal_of(keyring, SETTINGS, row)} for row in versions]
        )
        for day in range(imports_each):
            moment = AT - timedelta(days=1 + day)
            connection.execute(
                sa.insert(imports),
                [
                    {"import_id": f"{name}-{day}", "integration_id": name, "directory_id": name, **applied}
                    | {"planned_at": moment, "finished_at": moment}
                    for name in names
                ],
            )
    return names


def add_waiting(store: Store, names: Sequence[str]) -> None:
    """For six integrations, what can wait for a person: in turn the connection, a pause, a held and a planned import, a
    conflict, people whom the newest reading quarantined, though an undo came after it."""
    unconnected, paused, held, planned, undecided, quarantined = names
    newest = {"trigger": "schedule", "guards": [], "diagnostics": {}, "actor": "daily", "planned_at": AT, "status": ""}
    conflict = {"conflict_id": "c", "hris_id": "h", "kind": "email", "user_id": "u", "status": "open", "incoming": {}}
    seen = {"first_seen_at": AT, "last_seen_at": AT}
    with store.begin() as connection:
        for name, values in ((unconnected, {"connection": "expired"}), (paused, {"automatic": "paused"})):
            connection.execute(sa.update(integrations).where(integrations.c.integration_id == name).values(values))
        ends: list[tuple[str, dict[str, object]]] = [
            (held, {"status": "held"}),
            (planned, {"status": "planned"}),
            (quarantined, {"status": "applied", "quarantined": 3, "extract_id": "e"}),
            (quarantined, {"status": "applied", "trigger": "undo", "extract_id": "d", "planned_at": AT + _LATER}),
        ]
        for number, (name, end) in enumerate(ends):
            keys = {"import_id": f"{name}-new-{number}", "integration_id": name, "directory_id": name}
            connection.execute(sa.insert(imports), newest | keys | end)
        connection.execute(sa.insert(conflicts), conflict | seen | {"integration_id": undecided})


@contextmanager
def counted_statements(engine: sa.Engine | type[sa.Engine]) -> Iterator[list[str]]:
    """Every statement that the block runs on the engine, or on any when given their class, without what opens a
    transaction or a session."""
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
