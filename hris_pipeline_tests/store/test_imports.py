"""One open import an integration: what a plan replaces, and what it keeps."""

from dataclasses import asdict

import pytest
import sqlalchemy as sa

from hris_pipeline.change_set.guards import Guard
from hris_pipeline.store.engine import Store
from hris_pipeline.store.imports import end_import, record_failed, stage_import
from hris_pipeline.store.tables import import_rows, imports
from hris_pipeline_tests.kit.store_builders import (
    HOUR,
    NOW,
    create,
    integration,
    new_import,
    rows,
    stage,
    state,
    update,
)


@pytest.fixture(autouse=True)
def acme(store: Store) -> None:
    integration(store)


def _imports(store: Store) -> dict[str, sa.Row[tuple[object, ...]]]:
    with store.read() as connection:
        return {row.import_id: row for row in connection.execute(sa.select(imports))}


def _rows(store: Store, import_id: str) -> list[sa.Row[tuple[object, ...]]]:
    with store.read() as connection:
        of_import = sa.select(import_rows).where(import_rows.c.import_id == import_id)
        return list(connection.execute(of_import.order_by(import_rows.c.user_id)))


def test_a_plan_is_stored_as_it_was_made(store: Store) -> None:
    before = state(2)
    guards = (Guard("archive_limit", "10 %", "3 %", tripped=False),)
    staged = stage(
        store,
        create(1),
        update(2, before, version=7, first_name="Ann"),
        counts={"created": 1, "updated": 1, "unchanged": 40},
        guards=guards,
        diagnostics={"holes": ("m-9",)},
        extract_id="e1",
        settings_version=3,
    )
    assert (staged.status, staged.guards, staged.confirmed_at) == ("planned", guards, None)
    record = _imports(store)[staged.import_id]
    assert (record.created, record.updated, record.unchanged, record.archived) == (1, 1, 40, 0)
    assert (record.guards, record.diagnostics, record.planned_at, record.finished_at) == (
        [asdict(guard) | {"employee_ids": []} for guard in guards],
        {"holes": ["m-9"]},
        NOW,
        None,
    )
    first, second = _rows(store, staged.import_id)
    assert (first.action, first.before, first.after, first.base_version) == ("create", None, state(1), None)
    assert (second.action, second.before, second.base_version) == ("update", before, 7)
    assert (second.changed, second.after) == (["first_name"], before | {"first_name": "Ann"})


def test_json_comes_back_letter_for_letter(store: Store) -> None:
    plan = rows(create(1), update(2, state(2), email="b@example.com"))
    with store.begin() as connection:
        stage_import(connection, new_import(), plan)
        back = connection.execute(
            sa.select(*(sa.cast(import_rows.c[name], sa.Text) for name in ("changed", "before", "after"))).order_by(
                import_rows.c.user_id
            )
        ).all()
    texts = plan[["changed", "before", "after"]].astype(object)
    assert [tuple(row) for row in back] == [tuple(row) for row in texts.where(texts.notna(), None).to_numpy()]


def test_the_same_plan_keeps_the_open_import(store: Store) -> None:
    first = stage(store, create(1), status="held")
    again = stage(store, create(1), status="held", planned_at=NOW + HOUR)
    assert (again.import_id, again.status, again.confirmed_at) == (first.import_id, "held", NOW + HOUR)
    assert len(_imports(store)) == 1


def test_another_plan_supersedes_the_open_import_whose_rows_stay(store: Store) -> None:
    first = stage(store, create(1))
    second = stage(store, create(2), digest="e" * 64)
    records = _imports(store)
    assert records[first.import_id].status == "discarded"
    assert records[first.import_id].message == f"superseded by {second.import_id}"
    assert records[second.import_id].status == "planned"
    assert len(_rows(store, first.import_id)) == 1


def test_a_plan_without_changes_is_recorded_as_applied_and_supersedes(store: Store) -> None:
    first = stage(store, create(1))
    second = stage(store, digest="e" * 64, counts={"unchanged": 5})
    records = _imports(store)
    assert records[first.import_id].status == "discarded"
    assert (second.status, records[second.import_id].status, records[second.import_id].unchanged) == (
        "applied",
        "applied",
        5,
    )
    assert records[second.import_id].finished_at is not None


def test_a_held_plan_without_changes_stays_held(store: Store) -> None:
    assert stage(store, status="held").status == "held"


def test_an_integration_never_touches_anothers_open_import(store: Store) -> None:
    integration(store, "globex")
    first = stage(store, create(1))
    stage(store, create(2, integration_id="globex"), integration_id="globex", directory_id="globex")
    assert _imports(store)[first.import_id].status == "planned"


def test_the_database_itself_allows_one_open_import(store: Store) -> None:
    stage(store, create(1))
    values = {"import_id": "x", "integration_id": "acme", "directory_id": "acme", "status": "held"}
    values |= {"trigger": "manual", "actor": "t"}
    with store.begin() as connection, pytest.raises(sa.exc.IntegrityError):
        connection.execute(sa.insert(imports), values | {"planned_at": NOW, "guards": [], "diagnostics": {}})


def test_a_failed_run_is_recorded_and_leaves_the_open_import(store: Store) -> None:
    staged = stage(store, create(1))
    with store.begin() as connection:
        draft = new_import(status="failed", trigger="schedule", actor="daily_imports", message="the source is away")
        failed = record_failed(connection, draft).import_id
    records = _imports(store)
    assert (records[failed].status, records[failed].message, records[failed].finished_at) == (
        "failed",
        "the source is away",
        NOW,
    )
    assert records[staged.import_id].status == "planned"


def test_only_an_open_import_can_be_discarded(store: Store) -> None:
    staged = stage(store, create(1))
    with store.begin() as connection:
        assert end_import(connection, staged.import_id, "discarded", "not wanted", NOW)
        assert not end_import(connection, staged.import_id, "discarded", "again", NOW)
    assert _imports(store)[staged.import_id].message == "not wanted"


def test_import_ids_sort_by_time(store: Store) -> None:
    first = stage(store, create(1))
    second = stage(store, create(2), digest="e", planned_at=NOW + HOUR)
    assert first.import_id < second.import_id
