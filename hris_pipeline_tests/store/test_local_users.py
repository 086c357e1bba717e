"""What people do to users: load, protect, erase."""

import json
from datetime import date
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

from hris_pipeline.contract import QUARANTINE_COLUMNS
from hris_pipeline.errors import ImportStale, UnknownName, UsageError
from hris_pipeline.settings.fields import USER_STATE
from hris_pipeline.store import history, users
from hris_pipeline.store.engine import Store
from hris_pipeline.store.frames import has_erased_rows
from hris_pipeline.store.imports import get_import
from hris_pipeline.store.review_queues import quarantined, replace_quarantine
from hris_pipeline.store.tables import import_rows
from hris_pipeline_tests.kit.store_builders import (
    NOW,
    TEXT,
    applied,
    apply,
    create,
    integration,
    stage,
    state,
    stored,
    update,
    user_id,
)


@pytest.fixture(autouse=True)
def acme(store: Store) -> None:
    integration(store)


def _load(store: Store, *records: dict[str, Any]) -> users.Loaded:
    frame = pd.DataFrame(list(records))
    texts = [name for name in frame.columns if name not in ("metadata", "birth_date")]
    with store.begin() as connection:
        return users.load_local_users(connection, "acme", frame.astype(dict.fromkeys(texts, TEXT)), NOW)


ANN = {"employee_id": "007", "first_name": "Ann", "email": "A@x.com", "email_key": "a@x.com"}
BOB = {"employee_id": "008", "first_name": "Bob", "email": "b@x.com", "email_key": "b@x.com"}


def _people(store: Store) -> dict[str, dict[str, Any]]:
    return {user["employee_id"]: user for user in stored(store).values()}


def test_local_users_are_made(store: Store) -> None:
    loaded = _load(store, ANN | {"birth_date": date(1990, 1, 2), "metadata": {"Team": "x"}})
    assert loaded.created == ("007",)
    ann = _people(store)["007"]
    assert (ann["integration_id"], ann["status"], ann["version"], ann["synced_version"]) == (None, "active", 1, None)
    assert (ann["birth_date"], ann["metadata"], ann["email"]) == ("1990-01-02", {"Team": "x"}, "A@x.com")


def test_loading_again_updates_only_what_differs_and_only_the_columns_given(store: Store) -> None:
    _load(store, ANN, BOB)
    loaded = _load(store, {"employee_id": "007", "first_name": "Anna"}, {"employee_id": "008", "first_name": "Bob"})
    assert (loaded.updated, loaded.unchanged) == (("007",), ("008",))
    people = _people(store)
    assert (people["007"]["first_name"], people["007"]["email"], people["007"]["version"]) == ("Anna", "A@x.com", 2)
    assert people["008"]["version"] == 1


def test_a_blank_clears(store: Store) -> None:
    _load(store, ANN)
    _load(store, {"employee_id": "007", "email": None, "email_key": None})
    assert (_people(store)["007"]["email"], _people(store)["007"]["email_key"]) == (None, None)


def test_two_local_users_can_swap_emails(store: Store) -> None:
    _load(store, ANN, BOB)
    _load(store, ANN | {"email_key": "b@x.com"}, BOB | {"email_key": "a@x.com"})
    assert _people(store)["007"]["email_key"] == "b@x.com"


def test_a_managed_user_is_left_to_its_integration(store: Store) -> None:
    applied(store, create(1))
    assert _load(store, {"employee_id": "0001", "first_name": "Other"}).managed == ("0001",)
    assert _people(store)["0001"]["first_name"] == "Zoë1"


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([ANN, ANN], "EmployeeId of its own"),
        ([ANN, {"employee_id": None}], "EmployeeId of its own"),
        (
            [ANN, BOB | {"email_key": "p1@example.com"}],
            "belongs to another user of directory acme; nothing was loaded. Mend the email of EmployeeId 008",
        ),
        (
            [ANN, BOB | {"email_key": "a@x.com"}],
            "who share one in the file",
        ),
    ],
)
def test_a_file_that_cannot_be_loaded_changes_nothing(store: Store, records: list[Any], message: str) -> None:
    applied(store, create(1))
    with pytest.raises(UsageError, match=message) as caught:
        _load(store, *records)
    assert "@" not in str(caught.value)
    assert list(_people(store)) == ["0001"]


def test_a_user_is_found_by_the_exact_employee_id(store: Store) -> None:
    applied(store, create(1))
    with store.read() as connection:
        assert users.find_user(connection, "acme", "0001") == user_id(1)
        with pytest.raises(UnknownName, match="leading zeros"):
            users.find_user(connection, "acme", "1")


def test_protecting_makes_an_open_plan_stale(store: Store) -> None:
    applied(store, create(1))
    staged = stage(store, update(1, state(1), email=None))
    with store.begin() as connection:
        users.protect_user(connection, user_id(1), True, NOW)
    with pytest.raises(ImportStale):
        apply(store, staged.import_id)


def test_an_erased_person_leaves_ids_and_the_shape_of_history(store: Store) -> None:
    applied(store, create(1, supervisor_id="0002"), create(2))
    done = applied(store, update(1, state(1, supervisor_id="0002"), first_name="Ann", metadata={"JobTitle": "Boss"}))
    waiting = stage(store, update(1, state(1), version=2, first_name="Eve"))
    bad = pd.DataFrame(
        [
            ("m-1", "0001", "email", "is_email", "zoë@", "no address"),
            (None, None, "hris_id", "not_null", None, "missing"),
        ],
        columns=list(QUARANTINE_COLUMNS),
        dtype=TEXT,
    )
    with store.begin() as connection:
        replace_quarantine(connection, "acme", "e1", "employees", bad, NOW)
        person = users.find_person(connection, "acme", "acme", "0001")
        assert users.erase_person(connection, "acme", person, "Ann the admin", NOW) > 0
    with store.read() as connection:
        states = connection.execute(sa.select(import_rows).where(import_rows.c.user_id == user_id(1))).all()
        assert get_import(connection, waiting.import_id).status == "stale"
        assert has_erased_rows(connection, done)
        assert history.diverging_users(connection, "acme") == ()
        assert len(quarantined(connection, "acme", "e1")) == 1
        past = history.user_history(connection, user_id(1))
    user = stored(store)[user_id(1)]
    kept = {name for name in USER_STATE if user[name] not in (None, {}, False)}
    assert kept == {"integration_id", "hris_id", "employee_id", "status", "archived_by"}
    assert (user["status"], user["archived_by"], user["version"]) == ("archived", "person:Ann the admin", 3)
    everything = json.dumps([[row.before, row.after] for row in states])
    assert not [
        trace for trace in ("Zo", "Ann", "Eve", "Boss", "@example", "1990", "2020", "0002") if trace in everything
    ]
    assert [(row.action, row.changed) for row in past][1] == ("update", ("first_name", "metadata"))
    assert stored(store)[user_id(2)]["first_name"] == "Zoë2"
