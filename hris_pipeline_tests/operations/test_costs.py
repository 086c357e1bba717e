"""What one import costs the store and the machine, counted and never timed: the same for ten people as for many."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import sqlalchemy as sa

from hris_pipeline.change_set import directory, plan
from hris_pipeline.errors import ImportStale
from hris_pipeline.operations.notification import Sender, notify_import
from hris_pipeline.operations.services import Services
from hris_pipeline.store import frames, integrations
from hris_pipeline.store.imports import Import
from hris_pipeline.store.keyring import decrypt_settings
from hris_pipeline.store.tables import import_rows, imports, users
from hris_pipeline.transform import columns, validate
from hris_pipeline_tests.kit.acme import Acme, MakeAcme

PEOPLE = 200

STATEMENTS = 50

TRANSACTIONS = {"sqlite": 7, "postgresql": 8}
"""Of an import, beside leases of turns; on PostgreSQL the lock is one too. docs/architecture.md names each."""

SETTINGS_DOCUMENTS, SETTINGS_LOOKS = 1, 5
"""How often the settings are read, and how often a transaction looks which version of them is in force."""


@dataclass
class Costs:
    """What was counted."""

    statements: list[str] = field(default_factory=list)
    leases: int = 0
    transactions: int = 0
    settings_documents: int = 0
    date_conversions: int = 0
    hashed_rows: int = 0

    @property
    def settings_looks(self) -> int:
        """How many statements ask for the settings in force."""
        return sum("FROM integration_settings" in " ".join(statement.split()) for statement in self.statements)

    @property
    def written(self) -> set[str]:
        """The tables of users and imports that a statement wrote to."""
        words = (statement.split() for statement in self.statements if not statement.startswith(("SELECT", "COPY (")))
        named = {word.strip('"(') for line in words for word in line[:4]}
        return named & {"users", "import_rows", "imports"}


@contextmanager
def counted(services: Services, monkeypatch: pytest.MonkeyPatch) -> Iterator[Costs]:
    costs, engine = Costs(), services.store.engine
    decrypt, convert, hashes = decrypt_settings, columns.to_date, directory.row_hashes

    def note_statement(_c: Any, _cursor: Any, statement: str, *_: object) -> None:
        if statement.startswith("INSERT INTO rate_buckets"):  # how many is the clock's to say: one a lease of turns
            costs.leases += 1
        elif not statement.startswith("BEGIN"):  # which only SQLite is told so
            costs.statements.append(statement)

    def note_transaction(_: Any) -> None:
        costs.transactions += 1

    def note_settings(*arguments: Any) -> Any:
        costs.settings_documents += 1
        return decrypt(*arguments)

    def note_date(values: Any) -> Any:
        costs.date_conversions += values.dtype != columns.DATE
        return convert(values)

    def note_hashes(rows: Any) -> Any:
        costs.hashed_rows += len(rows)
        return hashes(rows)

    services.settings.clear()  # as a run begins
    with monkeypatch.context() as patched:
        patched.setattr(integrations, "decrypt_settings", note_settings)
        for kind, (_, check) in validate._UNREADABLE.items():
            if kind == "date":
                patched.setitem(validate._UNREADABLE, kind, (note_date, check))
        patched.setattr(plan, "row_hashes", note_hashes)
        patched.setattr(frames, "row_hashes", note_hashes)
        sa.event.listen(engine, "before_cursor_execute", note_statement)
        sa.event.listen(engine, "begin", note_transaction)
        try:
            yield costs
        finally:
            sa.event.remove(engine, "before_cursor_execute", note_statement)
            sa.event.remove(engine, "begin", note_transaction)


def sent_nowhere(*_: str) -> bool:
    return True


def whole_import(acme: Acme, send: Sender = sent_nowhere) -> Import:
    """As ``import_users`` does it, telling included; the integration is held from beginning to end."""
    acme.services.hold.take(acme.services.store, acme.name)
    planned = acme.preview()
    notify_import(acme.services, planned, send=send)
    saved = acme.save(planned.import_id)
    acme.services.hold.release(acme.name)
    notify_import(acme.services, saved, send=send)
    return saved


def rows_of(services: Services) -> list[Any]:
    selects = [sa.select(table).order_by(*table.primary_key) for table in (users, import_rows)]
    with services.store.read() as connection:
        return [connection.execute(select).all() for select in selects]


def test_a_first_import_takes_few_statements_transactions_and_readings_of_the_settings(
    make: MakeAcme, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme = make(PEOPLE)
    with counted(acme.services, monkeypatch) as costs:
        saved = whole_import(acme)
    assert saved.status == "applied"
    assert len(costs.statements) <= STATEMENTS, "\n".join(costs.statements)
    assert costs.transactions - costs.leases == TRANSACTIONS[acme.services.store.dialect]
    assert (costs.settings_documents, costs.settings_looks) == (SETTINGS_DOCUMENTS, SETTINGS_LOOKS)
    assert costs.date_conversions == 4
    assert costs.hashed_rows == 2 * saved.changes, "once planned, and once from the store before they are applied"


def test_an_import_without_changes_writes_one_row_of_imports_and_nothing_else(
    make: MakeAcme, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme = make(PEOPLE)
    whole_import(acme)
    before, (_, made) = rows_of(acme.services), acme.counted()
    with counted(acme.services, monkeypatch) as costs:
        saved = acme.preview()
        notify_import(acme.services, saved)
    assert (saved.status, saved.changes) == ("applied", 0)
    assert costs.written == {"imports"}
    assert rows_of(acme.services) == before
    assert acme.counted()[1] == made + 1
    assert len(costs.statements) <= STATEMENTS
    assert costs.hashed_rows == 0


def test_statements_do_not_grow_with_people(make_lite: MakeAcme, monkeypatch: pytest.MonkeyPatch) -> None:
    few = make_lite(10)
    with counted(few.services, monkeypatch) as small:
        whole_import(few)
    assert len(small.statements) <= STATEMENTS


def test_the_counting_sees_what_is_written(acme: Acme, monkeypatch: pytest.MonkeyPatch) -> None:
    hris_id = acme.active()[0]
    acme.company.edit(hris_id, job_title="Changed")
    with counted(acme.services, monkeypatch) as costs:
        assert whole_import(acme).changes == 1
    assert {"users", "imports"} <= costs.written
    assert imports.name in costs.written


def test_telling_somebody_takes_two_looks_at_what_was_told_and_one_note(
    make_lite: MakeAcme, monkeypatch: pytest.MonkeyPatch
) -> None:
    few, titles = make_lite(10), list[str]()
    few.switch('notify=[{"to": "json://127.0.0.1:9", "on": ["done"]}]')

    def send(_url: str, title: str, _body: str) -> bool:
        titles.append(title)
        return True

    with counted(few.services, monkeypatch) as costs:
        whole_import(few, send)
    assert titles == ["HR sync of acme: done"]
    assert costs.transactions - costs.leases == TRANSACTIONS[few.services.store.dialect] + 3
    assert costs.settings_documents == SETTINGS_DOCUMENTS


def test_settings_changed_while_an_import_goes_on_are_read_again(
    make_lite: MakeAcme, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = make_lite(10)
    planned = few.preview()
    with few.services.store.begin() as connection:  # by another process, of which this one is not told
        changed = few.settings().model_copy(update={"exclude_fields": ("birth_date",)})
        integrations.put_settings(connection, few.name, changed, actor="dana", now=few.clock())
    with pytest.raises(ImportStale, match="settings that matter to it changed"):
        few.save(planned.import_id)
    assert few.run().settings_version == 2
