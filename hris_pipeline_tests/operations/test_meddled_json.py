"""A JSON column of the store that somebody wrote behind the pipeline's back, in whatever shape: never a surprise,
always named by `hris verify`, and never another company's trouble."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from hris_pipeline.errors import HrisError, Tampered
from hris_pipeline.operations.automation import due_imports, find_stalled_imports, oldest_due
from hris_pipeline.operations.decisions import plan_undo, save_import
from hris_pipeline.operations.explanation import directory_as_of, explain, user_as_of
from hris_pipeline.operations.health import examine
from hris_pipeline.operations.notification import notify, notify_import
from hris_pipeline.operations.overview import history, overview_page
from hris_pipeline.operations.planning import record_failure, what_if
from hris_pipeline.operations.review import Filters, review
from hris_pipeline.operations.review_queues import open_conflicts
from hris_pipeline.operations.services import SettingsReader
from hris_pipeline.operations.settings import change_settings, read_settings, settings_changed
from hris_pipeline.operations.upkeep import rotate_key, verify
from hris_pipeline.operations.users import erase, milestones, user_file_frame
from hris_pipeline.settings.document import Settings
from hris_pipeline.store.tables import import_rows, imports, integration_settings, users
from hris_pipeline_tests.kit.acme import Acme
from hris_pipeline_tests.kit.clock import MONDAY
from hris_pipeline_tests.kit.law_profiles import TIMES
from hris_pipeline_tests.kit.staged_rows import read_rows

WRONG = ("{}", "[]", "-1", '{"a": [1]}', "[{}]", "{no json", "[" * 3000 + "]" * 3000)
"""Whatever may stand where JSON of another shape is meant; SQLite lets all of it be."""

TEXTS_A_COLUMN = 4 if TIMES == 1 else len(WRONG)
"""Each text meets half of the columns; `make soak` tries every pair."""

HARMLESS = {("diagnostics", "{}")}
"""What stood there before."""

COLUMNS: dict[str, tuple[sa.Table, str]] = {
    "settings": (integration_settings, "document"),
    "guards": (imports, "guards"),
    "diagnostics": (imports, "diagnostics"),
    "a count": (imports, "updated"),
    "changed fields": (import_rows, "changed"),
    "the state before": (import_rows, "before"),
    "the state after": (import_rows, "after"),
    "metadata": (users, "metadata"),
}


def meddle(acme: Acme, table: sa.Table, column: str, text: str) -> None:
    """Behind the pipeline's back, and around its types."""
    with acme.services.store.begin() as connection:
        connection.exec_driver_sql(f'UPDATE {table.name} SET "{column}" = ?', (text,))


def looks(acme: Acme) -> dict[str, Callable[[], Any]]:
    """What looks at all companies, or tells of a failure: it goes on whatever stands in one company's columns."""
    services, name = acme.services, acme.name
    return {
        "due": lambda: [due_imports(services, each, MONDAY) for each in ("daily", "weekly", "monthly")],
        "oldest due": lambda: oldest_due(services, MONDAY),
        "stalled": lambda: find_stalled_imports(services, MONDAY),
        "observed": lambda: settings_changed(services, None, 10),
        "list": lambda: overview_page(services),
        "doctor": lambda: list(examine(services)),
        "notify": lambda: notify(services, name, "failed", "x", "y"),
        "history": lambda: notify_import(services, history(services, name)[0]),
        "fail": lambda: record_failure(services, name, "x", trigger="manual", actor="dana", run_id=None),
    }


def works(acme: Acme) -> dict[str, Callable[[], Any]]:
    """What works with one company."""
    services, name = acme.services, acme.name
    newest, *_, oldest = history(services, name)
    employee_id = next(str(user["employee_id"]) for user in acme.users().values())
    return {
        "preview": acme.preview,
        "save": lambda: save_import(services, name, newest.import_id, actor="dana"),
        "undo": lambda: plan_undo(services, oldest.import_id, actor="dana"),
        "show": lambda: read_rows(services, newest.import_id),
        "review": lambda: review(services, newest.import_id, reveal=True),
        "explain": lambda: explain(services, name, employee_id),
        "what if": lambda: what_if(services, name, changes=["archive_employees=off"]),
        "erase": lambda: erase(services, name, employee_id, "dana"),
        "search": lambda: review(services, newest.import_id, filters=Filters(text="a", field="first_name")),
        "user as of": lambda: user_as_of(services, name, employee_id, acme.clock()),
        "directory": lambda: directory_as_of(services, name),
        "conflicts": lambda: open_conflicts(services, name),
        "settings": lambda: read_settings(services, name),
        "rotate": lambda: rotate_key(services, lambda _: (0, 0)),
        "milestones": lambda: milestones(services, name),
        "user file": lambda: user_file_frame(services, name),
    }


@pytest.mark.parametrize("what", COLUMNS)
def test_whatever_stands_in_a_column_the_words_are_our_own_and_verify_names_it(
    acme_lite: Acme, tmp_path: Path, what: str
) -> None:
    acme_lite.company.edit(acme_lite.active()[0], job_title="Astronaut")
    acme_lite.preview()
    before = tmp_path / "before.db"
    copy_database(acme_lite.services.environment.home / "store.db", before)
    kinds = cycle(works(acme_lite))
    first = [*COLUMNS].index(what)
    for text in islice(cycle(WRONG), first, first + TEXTS_A_COLUMN):
        meddle(acme_lite, *COLUMNS[what], text)
        verification = verify(acme_lite.services, acme_lite.name)
        assert verification.ok == ((what, text) in HARMLESS), text[:9]
        for run in looks(acme_lite).values():
            run()
        for kind in islice(kinds, 2):
            assert "report it" not in said(works(acme_lite)[kind])
        copy_database(before, acme_lite.services.environment.home / "store.db")


def said(run: Callable[[], Any]) -> str:
    """The words of an error of our own; any other error is a fault."""
    try:
        run()
    except HrisError as error:
        return str(error)
    return ""


def copy_database(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as reading, closing(sqlite3.connect(target)) as writing:
        reading.backup(writing)


BROKEN: dict[str, Callable[[dict[str, Any]], Any]] = {
    "empty": lambda _document: {},
    "a key less": lambda document: {key: value for key, value in document.items() if key != "notify"},
    "a guard less": lambda document: document | {"guards": {}},
    "another type": lambda document: document | {"mapping": ["employee_id"]},
    "a limit raised": lambda document: document | {"guards": document["guards"] | {"archive_limit": {"percent": 99}}},
    "an unknown key": lambda document: document | {"colour": "red"},
    "a rule of no shape": lambda document: document | {"do_not_import": [7]},
    "no object": lambda document: [document],
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_settings_document_changed_behind_the_pipelines_back_is_named_and_stored_anew(
    acme_lite: Acme, how: str
) -> None:
    acme = acme_lite
    acme.company.edit(acme.active()[0], job_title="Astronaut")
    summary = acme.preview()
    document = acme.settings().document()
    with acme.services.store.begin() as connection:
        connection.execute(sa.update(integration_settings).values(document=BROKEN[how](document)))
    acme = replace(acme, services=replace(acme.services, settings=SettingsReader()))  # as another process sees them
    with pytest.raises(
        Tampered, match=r"settings of acme, version 1, are not what was stored.*`hris settings apply acme"
    ):
        save_import(acme.services, "acme", summary.import_id, actor="dana")
    verification = verify(acme.services, "acme")
    assert (verification.ok, verification.settings) == (False, (1,))
    assert verification.first == "version 1 of the settings changed behind the pipeline's back"
    failed = record_failure(acme.services, "acme", "x", trigger="schedule", actor="dana", run_id=None)
    assert failed in {record.import_id for record in history(acme.services, "acme", ["failed"])}

    change = change_settings(acme.services, "acme", Settings(), "dana")
    assert change.version == 2
    assert read_settings(acme.services, "acme").settings == Settings()
    acme.run()


def test_an_import_whose_guards_cannot_be_read_is_refused_shown_and_replaced(acme: Acme) -> None:
    acme.company.edit(acme.active()[0], job_title="Astronaut")
    summary = acme.preview()
    of_import = imports.c.import_id == summary.import_id
    with acme.services.store.begin() as connection:
        connection.execute(sa.update(imports).where(of_import).values(guards={"archive_limit": "off"}, diagnostics=[1]))
    assert [guard.name for guard in history(acme.services, "acme")[0].tripped] == ["unreadable"]
    altered = verify(acme.services, "acme").altered[summary.import_id]
    assert {"its guards", "who is not applied and why"} <= set(altered)
    with pytest.raises(Tampered, match="its guards"):
        acme.save(summary.import_id)
    assert acme.run().status == "applied"
