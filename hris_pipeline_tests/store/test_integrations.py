"""Integrations and the versions of their settings."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from hris_pipeline.errors import UnknownName, UsageError
from hris_pipeline.settings.document import Settings
from hris_pipeline.store.engine import Store
from hris_pipeline.store.imports import get_import
from hris_pipeline.store.integrations import (
    Integration,
    accept_terms,
    create_integration,
    current_settings,
    delete_integration,
    describe_integration,
    get_integration,
    list_integrations,
    put_settings,
    settings_history,
)
from hris_pipeline.store.stored_json import rename_metadata
from hris_pipeline.store.tables import connections, users
from hris_pipeline_tests.kit.store_builders import NOW, applied, create, edit, stage, state, stored, user_id


def _create(store: Store, name: str = "acme") -> Integration:
    with store.begin() as connection:
        return create_integration(connection, name, now=NOW)


def test_a_new_integration_is_unconnected_and_off(store: Store) -> None:
    made = _create(store)
    assert (made.directory_id, made.display_name, made.connection, made.automatic) == ("acme", "acme", "none", "off")
    with store.read() as connection:
        assert get_integration(connection, "acme") == made
        assert list_integrations(connection) == (made,)


@pytest.mark.parametrize("name", ["", "Acme", "-acme", "ac me", "ac/me", "a" * 64, "acme\n"])
def test_a_name_that_is_no_slug_is_refused(store: Store, name: str) -> None:
    with pytest.raises(UsageError, match="lower-case letters"):
        _create(store, name)


def test_a_taken_name_is_refused(store: Store) -> None:
    _create(store)
    with pytest.raises(UsageError, match="acme already"):
        _create(store)


def test_an_unknown_name_is_met_with_the_nearest(store: Store) -> None:
    _create(store)
    with store.read() as connection, pytest.raises(UnknownName, match="Did you mean 'acme'"):
        get_integration(connection, "acne")


def test_settings_make_a_version_only_when_they_change(store: Store) -> None:
    _create(store)
    first, second = Settings(), Settings(override_emails=True)
    with store.begin() as connection:
        versions = [
            put_settings(connection, "acme", settings, actor="Ann", now=NOW)
            for settings in (first, first, second, second, first)
        ]
        history = settings_history(connection, "acme")
        current = current_settings(connection, "acme")
    assert versions == [1, 1, 2, 2, 3]
    assert [version.settings for version in history] == [first, second, first]
    assert current == history[0]
    assert (current.actor, current.created_at, current.digest) == ("Ann", NOW, first.digest())


def test_an_integration_without_settings_points_to_the_setup(store: Store) -> None:
    _create(store)
    with store.read() as connection, pytest.raises(UnknownName, match="hris setup acme"):
        current_settings(connection, "acme")
    with store.read() as connection, pytest.raises(UnknownName, match="no integration 'nobody'"):
        current_settings(connection, "nobody")


def test_what_is_recorded_of_an_integration_comes_back(store: Store) -> None:
    _create(store)
    with store.begin() as connection:
        accept_terms(connection, "acme", "Ann", NOW)
        describe_integration(connection, "acme", display_name="Acme Inc.", source="finch", directory_id="shared")
        integration = get_integration(connection, "acme")
    assert (integration.terms_accepted_by, integration.terms_accepted_at, integration.connection) == (
        "Ann",
        NOW,
        "none",
    )
    assert (integration.display_name, integration.source, integration.directory_id) == ("Acme Inc.", "finch", "shared")


def test_a_directory_with_managed_users_is_never_left(store: Store) -> None:
    _create(store)
    applied(store, create(1))
    with store.begin() as connection, pytest.raises(UsageError, match="already manages users in directory acme"):
        describe_integration(connection, "acme", display_name="A", source="justworks", directory_id="other")


def test_a_renamed_metadata_field_keeps_its_values(store: Store) -> None:
    _create(store)
    applied(store, create(1, metadata={"Job": "A", "x": "y"}), create(2, metadata={"x": "z"}))
    with store.begin() as connection:
        assert rename_metadata(connection, "acme", "Job", 'J "o" b', NOW) == 1
    rows = stored(store)
    assert rows[user_id(1)]["metadata"] == {'J "o" b': "A", "x": "y"}
    assert [rows[user_id(n)]["version"] for n in (1, 2)] == [2, 1]


def test_a_deleted_integration_leaves_its_users_local_with_their_history(store: Store) -> None:
    _create(store)
    done = applied(store, create(1), create(2))
    open_one = stage(store, create(3), digest="e")
    with store.begin() as connection:
        put_settings(connection, "acme", Settings(), actor="Ann", now=NOW)
        connection.execute(
            sa.insert(connections).values(integration_id="acme", access_token="x", scopes="", updated_at=NOW)
        )
        assert delete_integration(connection, "acme", NOW) == 2
        assert list_integrations(connection) == ()
        assert settings_history(connection, "acme") == ()
        assert connection.execute(sa.select(connections)).all() == []
        assert get_import(connection, done).status == "applied"
        assert get_import(connection, open_one.import_id).status == "discarded"
        with pytest.raises(UnknownName):
            get_integration(connection, "acme")
    user = stored(store)[user_id(1)]
    assert (user["integration_id"], user["hris_id"], user["employee_id"], user["version"]) == (None, None, "0001", 2)
    assert user["first_name"] == state(1)["first_name"]


def test_a_deleted_integration_can_be_set_up_again_and_versions_go_on(store: Store) -> None:
    _create(store)
    applied(store, create(1), settings_version=4)
    edit(store, 1, first_name="X")
    with store.begin() as connection:
        accept_terms(connection, "acme", "Ann", NOW)
        delete_integration(connection, "acme", NOW)
        again = create_integration(connection, "acme", now=NOW + timedelta(days=1))
        assert (again.connection, again.automatic, again.terms_accepted_at) == ("none", "off", None)
        assert put_settings(connection, "acme", Settings(), actor="Ann", now=NOW) == 5
        managed = sa.select(sa.func.count()).where(users.c.integration_id == "acme")
        assert connection.execute(managed).scalar() == 0
