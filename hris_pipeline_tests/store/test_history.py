"""The past: imports, rows exactly as staged, states as a fold, and whether the users still are what history says."""

from datetime import date, timedelta
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hris_pipeline.contract import ROW_COLUMNS
from hris_pipeline.errors import UnknownName
from hris_pipeline.settings.document import Settings
from hris_pipeline.settings.fields import USER_STATE
from hris_pipeline.store import history
from hris_pipeline.store.automation import automation
from hris_pipeline.store.engine import Store
from hris_pipeline.store.frames import rows_of
from hris_pipeline.store.imports import approve, get_import, imports_of, open_import
from hris_pipeline.store.integrations import put_settings
from hris_pipeline.store.tables import import_rows, imports, users
from hris_pipeline_tests.kit.store_builders import (
    HOUR,
    NOW,
    Change,
    applied,
    apply,
    archive,
    create,
    edit,
    integration,
    rows,
    stage,
    state,
    states,
    update,
    user_id,
)

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def acme(store: Store) -> None:
    integration(store)


@pytest.fixture
def three(store: Store) -> tuple[str, str, str]:
    """Two people are made, one is renamed a day later, the other archived another day later."""
    return (
        applied(store, create(1), create(2), planned_at=NOW),
        applied(store, update(1, state(1), first_name="Ann"), planned_at=NOW + DAY),
        applied(store, archive(2, state(2)), planned_at=NOW + 2 * DAY),
    )


def test_imports_are_listed_newest_first_and_found(store: Store, three: tuple[str, str, str]) -> None:
    waiting = stage(store, create(3), status="held", planned_at=NOW + 3 * DAY, counts={"created": 1})
    with store.read() as connection:
        everything = imports_of(connection, "acme")
        assert [record.import_id for record in everything] == [waiting.import_id, *reversed(three)]
        assert imports_of(connection, "acme", ("applied",), limit=1)[0].import_id == three[2]
        waiting_import = open_import(connection, "acme")
        assert waiting_import is not None
        assert (waiting_import.import_id, waiting_import.status, waiting_import.counts["created"]) == (
            waiting.import_id,
            "held",
            1,
        )
        assert open_import(connection, "globex") is None
        with pytest.raises(UnknownName, match="no import 'x'"):
            get_import(connection, "x")


def test_a_manual_import_counts_only_once_it_is_applied(store: Store) -> None:
    staged = stage(store, create(1))
    with store.begin() as connection:
        put_settings(connection, "acme", Settings(), actor="Ann", now=NOW)
        assert not automation(connection, "acme").saved
    apply(store, staged.import_id)
    with store.read() as connection:
        assert automation(connection, "acme").saved


def test_an_automatic_import_is_no_manual_one(store: Store) -> None:
    applied(store, create(1), trigger="schedule")
    with store.begin() as connection:
        put_settings(connection, "acme", Settings(), actor="Ann", now=NOW)
        assert not automation(connection, "acme").saved


def test_rows_come_back_exactly_as_they_were_staged(store: Store) -> None:
    plan = (create(1), update(2, state(2), email=None), archive(3, state(3), version=9))
    staged = stage(store, *plan)
    with store.read() as connection:
        back = rows_of(connection, staged.import_id)
    pd.testing.assert_frame_equal(back, rows(*plan)[list(ROW_COLUMNS)])


def test_recent_archives_leave_out_approved_and_old_imports(store: Store) -> None:
    applied(store, *(create(number) for number in range(1, 5)), planned_at=NOW)
    applied(store, archive(1, state(1)), planned_at=NOW + DAY)
    applied(store, archive(2, state(2)), planned_at=NOW + 2 * DAY)
    held = stage(store, archive(3, state(3)), status="held", planned_at=NOW + 3 * DAY)
    with store.begin() as connection:
        approve(connection, held.import_id, held.digest, "Ann", "a layoff", NOW + 3 * DAY)
    apply(store, held.import_id, now=NOW + 3 * DAY)
    stage(store, archive(4, state(4)), planned_at=NOW + 4 * DAY)
    with store.read() as connection:
        assert history.recent_archives(connection, "acme", NOW + 1.5 * DAY) == {user_id(2)}
        assert history.recent_archives(connection, "acme", NOW) == {user_id(1), user_id(2)}


def test_a_user_as_of_any_moment(store: Store, three: tuple[str, str, str]) -> None:
    renamed, archived = state(1, first_name="Ann"), state(2, status="archived", archived_by="import")
    expected = [(-HOUR, None, None), (HOUR, state(1), state(2)), (DAY + HOUR, renamed, state(2))]
    with store.read() as connection:
        for after, first, second in [*expected, (3 * DAY, renamed, archived)]:
            assert history.user_as_of(connection, user_id(1), NOW + after) == first
            assert history.user_as_of(connection, user_id(2), NOW + after) == second
        assert history.user_as_of(connection, "nobody", NOW) is None


def test_a_local_user_was_there_before_an_import_linked_it(store: Store) -> None:
    local = state(1, integration_id=None, hris_id=None)
    _insert(store, local)
    applied(store, update(1, local, integration_id="acme", hris_id="m-1"), planned_at=NOW)
    with store.read() as connection:
        assert history.user_as_of(connection, user_id(1), NOW - DAY) == local
        before = history.directory_as_of(connection, "acme", NOW - DAY)
    assert before["employee_id"].tolist() == ["0001"]
    assert before[["import_id", "integration_id"]].isna().all(axis=None)


def _insert(store: Store, local: dict[str, Any]) -> None:
    with store.begin() as connection:
        values = local | {
            name: local[name] and date.fromisoformat(local[name]) for name in local if name.endswith("_date")
        }
        moments = {"created_at": NOW, "updated_at": NOW}
        connection.execute(sa.insert(users), values | moments | {"user_id": user_id(1), "directory_id": "acme"})


def test_what_imports_did_to_a_user_field_by_field(store: Store, three: tuple[str, str, str]) -> None:
    applied(store, update(1, state(1, first_name="Ann"), version=2, email=None), planned_at=NOW + 5 * DAY)
    with store.read() as connection:
        rows = history.user_history(connection, user_id(1))
    assert [row.action for row in rows] == ["create", "update", "update"]
    names = [row for row in rows if row.action == "create" or "first_name" in row.changed]
    assert [(row.import_id, row.after["first_name"]) for row in names] == [(three[0], "Zoë1"), (three[1], "Ann")]
    assert names[1].before == state(1)
    assert names[1].changed == ("first_name",)


def test_the_directory_as_of_an_import(store: Store, three: tuple[str, str, str]) -> None:
    with store.read() as connection:
        frames = [history.directory_as_of(connection, "acme", name).set_index("user_id") for name in three]
        now = history.directory_as_of(connection, "acme").set_index("user_id")
    assert [frame.at[user_id(1), "first_name"] for frame in frames] == ["Zoë1", "Ann", "Ann"]
    assert [frame.at[user_id(2), "status"] for frame in frames] == ["active", "active", "archived"]
    assert now.at[user_id(2), "import_id"] == three[2]
    assert now["version"].to_dict() == {user_id(1): 2, user_id(2): 2}


def test_there_is_no_directory_as_of_an_import_that_was_not_applied(store: Store) -> None:
    staged = stage(store, create(1))
    with store.read() as connection, pytest.raises(UnknownName, match="never applied"):
        history.directory_as_of(connection, "acme", staged.import_id)


def test_what_was_only_planned_is_no_history(store: Store, three: tuple[str, str, str]) -> None:
    stage(store, update(1, state(1, first_name="Ann"), version=2, first_name="Eve"))
    with store.read() as connection:
        assert len(history.user_history(connection, user_id(1))) == 2
        assert history.diverging_users(connection, "acme") == ()


def _write(store: Store, number: int, **values: Any) -> None:
    with store.begin() as connection:
        connection.execute(sa.update(users).where(users.c.user_id == user_id(number)).values(**values))


def test_a_write_behind_the_pipelines_back_is_found(store: Store, three: tuple[str, str, str]) -> None:
    _write(store, 1, last_name="Other", metadata={"JobTitle": "Boss"}, email_edited_by_user=True, hire_date=None)
    with store.begin() as connection:
        connection.execute(sa.delete(users).where(users.c.user_id == user_id(2)))
    with store.read() as connection:
        diverging = history.diverging_users(connection, "acme")
    changed = ("last_name", "hire_date", "metadata", "email_edited_by_user")
    assert diverging == (
        history.Divergence(user_id(1), "changed", three[1], changed),
        history.Divergence(user_id(2), "gone", three[2]),
    )


def test_an_edit_that_bumps_the_version_is_no_divergence(store: Store, three: tuple[str, str, str]) -> None:
    edit(store, 1, first_name="By hand")
    with store.read() as connection:
        assert history.diverging_users(connection, "acme") == ()


steps = st.lists(
    st.tuples(st.integers(1, 4), st.sampled_from(["first_name", "email", "archive"]), st.integers(0, 3)), max_size=12
)


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
def test_the_fold_of_history_is_the_users_table(store: Store, steps: list[tuple[int, str, int]]) -> None:
    with store.begin() as connection:
        for table in (import_rows, imports, users):
            connection.execute(sa.delete(table))
    written: dict[int, tuple[int, dict[str, Any]]] = {}
    for number, what, value in steps:
        if number not in written:
            change, version, target = create(number), 0, state(number)
        else:
            version, before = written[number]
            change, target = _step(number, what, value, before, version)
        applied(store, change)
        written[number] = (version + 1, target)
    expected = {user_id(number): target for number, (_, target) in written.items()}
    assert states(store) == expected
    with store.read() as connection:
        assert {key: history.user_as_of(connection, key, NOW + DAY) for key in expected} == expected
        assert history.diverging_users(connection, "acme") == ()
        assert sorted(history.directory_as_of(connection, "acme")["user_id"]) == sorted(expected)


def _step(number: int, what: str, value: int, before: dict[str, Any], version: int) -> tuple[Change, dict[str, Any]]:
    if what == "archive":
        return archive(number, before, version), before | {"status": "archived", "archived_by": "import"}
    return update(number, before, version, **{what: f"{what}-{value}"}), before | {what: f"{what}-{value}"}


def test_every_state_names_every_field() -> None:
    assert set(state(1)) == set(USER_STATE)
