"""The directory as frames: exact values, Arrow types, whatever is in the texts."""

import json
from datetime import date

import pandas as pd
import pyarrow as pa
import pytest
import sqlalchemy as sa

from hris_pipeline.change_set.directory import SLIM_COLUMNS, Directory
from hris_pipeline.store.engine import Store
from hris_pipeline.store.frames import StoredDirectory, expected_hris_ids, read_snapshot, read_users
from hris_pipeline.store.tables import users
from hris_pipeline_tests.kit.store_builders import NOW, TEXT, applied, archive, create, integration, state, user_id

AWKWARD = "a,b \"c\"\n\\N \\t 'é' 𠮷"


@pytest.fixture(autouse=True)
def acme(store: Store) -> None:
    integration(store)
    integration(store, "globex", "globex")
    applied(
        store,
        create(1, employee_id="0001", last_name=AWKWARD, metadata={AWKWARD: AWKWARD}),
        create(2, email=None, email_key=None, hire_date=None, birth_date=None, metadata={"JobTitle": ""}),
        create(3, integration_id=None, hris_id=None),
        create(4),
    )
    applied(store, archive(4, state(4)))
    applied(store, create(9, integration_id="globex"), integration_id="globex", directory_id="globex")


def test_the_snapshot_has_every_user_of_the_directory_and_no_other(store: Store) -> None:
    with store.read() as connection:
        frame = read_snapshot(connection, "acme")
    assert tuple(frame.columns) == SLIM_COLUMNS
    assert sorted(frame["user_id"]) == [user_id(n) for n in (1, 2, 3, 4)]
    kinds = {name: frame[name].dtype.pyarrow_dtype for name in SLIM_COLUMNS}  # type: ignore[union-attr]
    assert kinds["hire_date"] == pa.date32()
    assert kinds["version"] == kinds["synced_version"] == pa.int64()
    assert kinds["protected"] == kinds["email_edited_by_user"] == pa.bool_()
    assert {kinds[name] for name in ("user_id", "hris_id", "email", "source_hash", "archived_by")} == {pa.string()}
    row = frame.set_index("user_id")
    assert row.at[user_id(1), "employee_id"] == "0001"
    assert row.at[user_id(1), "hire_date"] == date(2020, 2, 29)
    assert row.loc[user_id(2), ["email", "email_key", "hire_date", "archived_by"]].isna().all()
    assert row.loc[[user_id(3)], "integration_id"].isna().all()
    assert (row.at[user_id(4), "status"], row.at[user_id(4), "archived_by"]) == ("archived", "import")
    assert (row.at[user_id(4), "version"], row.at[user_id(4), "synced_version"]) == (2, 2)


def test_an_empty_directory_has_the_same_columns_and_types(store: Store) -> None:
    with store.read() as connection:
        full, empty = read_snapshot(connection, "acme"), read_snapshot(connection, "nowhere")
    assert len(empty) == 0
    assert list(empty.dtypes) == list(full.dtypes)


def test_names_and_dates_of_birth(store: Store) -> None:
    with store.read() as connection:
        frame = StoredDirectory(connection, "acme", "acme").names().set_index("user_id")
    assert (frame.at[user_id(1), "last_name"], frame.at[user_id(1), "birth_date"]) == (AWKWARD, date(1990, 2, 28))
    assert frame.loc[[user_id(2)], "birth_date"].isna().all()


def test_whole_users_by_id(store: Store) -> None:
    user_ids = pd.Series([user_id(1), user_id(4), user_id(9), "nobody"], dtype=TEXT)
    with store.read() as connection:
        frame = read_users(connection, user_ids, "acme").set_index("user_id")
        everybody = read_users(connection, None, "acme")
        nobody = read_users(connection, user_ids[:0], "acme")
    assert sorted(frame.index) == [user_id(1), user_id(4)]
    assert json.loads(str(frame.at[user_id(1), "metadata"])) == {AWKWARD: AWKWARD}
    assert frame.at[user_id(1), "created_at"] == pd.Timestamp(NOW)
    assert list(everybody.columns) == [column.name for column in users.columns]
    assert (len(everybody), len(nobody)) == (4, 0)


def test_an_empty_text_is_not_null(store: Store) -> None:
    with store.begin() as connection:
        connection.execute(sa.update(users).where(users.c.user_id == user_id(1)).values(first_name=""))
        names = StoredDirectory(connection, "acme", "acme").names().set_index("user_id")
    assert names.at[user_id(1), "first_name"] == ""


def test_filled_fields_count_active_managed_users(store: Store) -> None:
    with store.read() as connection:
        directory, nobody = StoredDirectory(connection, "acme", "acme"), pd.Series([], dtype=TEXT)
        filled = directory.filled(["email", "first_name", "phone_number", "#JobTitle", f"#{AWKWARD}"], nobody)
        assert directory.filled([], nobody) == {}
    assert filled == {"email": 1, "first_name": 2, "phone_number": 0, "#JobTitle": 0, f"#{AWKWARD}": 1}


def test_the_expected_are_the_active_managed_ones(store: Store) -> None:
    with store.read() as connection:
        assert expected_hris_ids(connection, "acme") == {"m-1", "m-2"}


def test_planning_sees_the_store_through_its_own_protocol(store: Store) -> None:
    with store.read() as connection:
        directory: Directory = StoredDirectory(connection, "acme", "acme")
        assert len(directory.snapshot()) == len(directory.names()) == 4
        assert len(directory.users(pd.Series([user_id(1)], dtype=TEXT))) == 1
        assert directory.filled(["email"], pd.Series([], dtype=TEXT)) == {"email": 1}
