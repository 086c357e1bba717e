"""Applying beside the other companies of a directory: what their imports did since a plan was made."""

from typing import Any

import pytest
import sqlalchemy as sa
from psycopg.errors import SerializationFailure

from hris_pipeline.errors import ImportStale
from hris_pipeline.store.engine import Store
from hris_pipeline.store.tables import integrations
from hris_pipeline_tests.kit.store_builders import (
    HOUR,
    NOW,
    applied,
    apply,
    create,
    edit,
    integration,
    stage,
    state,
    update,
)

GLOBEX: dict[str, Any] = {"integration_id": "globex"}
LATER = NOW + HOUR / 2


@pytest.fixture
def shared(store: Store) -> Store:
    """A store where acme and globex feed one directory, with a user each."""
    integration(store)
    with store.begin() as connection:
        connection.execute(sa.update(integrations).values(directory_id="shared"))
    integration(store, "globex", "shared")
    applied(store, create(1), directory_id="shared")
    applied(store, create(2, **GLOBEX), directory_id="shared", **GLOBEX)
    return store


@pytest.mark.parametrize(
    "named", [{"supervisor_id": "0002"}, {"metadata": {"Buddy": "0002"}}], ids=["supervisor", "associated"]
)
@pytest.mark.parametrize(
    ("change", "is_stale"), [({"employee_id": "0099"}, True), ({"last_name": "New"}, False)], ids=["id", "name"]
)
def test_whoever_is_named_must_not_have_got_another_employee_id_since(
    shared: Store, named: dict[str, Any], change: dict[str, Any], is_stale: bool
) -> None:
    staged = stage(shared, update(1, state(1), **named), directory_id="shared")
    applied(shared, update(2, state(2, **GLOBEX), **change), planned_at=LATER, directory_id="shared", **GLOBEX)
    if is_stale:
        with pytest.raises(ImportStale, match="1 of those it writes name an EmployeeId that changed hands"):
            apply(shared, staged.import_id)
    else:
        assert apply(shared, staged.import_id).status == "applied"


@pytest.mark.parametrize(("number", "is_stale"), [(3, True), (4, False)])
def test_nor_must_somebody_new_have_it(shared: Store, number: int, is_stale: bool) -> None:
    staged = stage(shared, update(1, state(1), supervisor_id="0003"), directory_id="shared")
    applied(shared, create(number, **GLOBEX), planned_at=LATER, directory_id="shared", **GLOBEX)
    if is_stale:
        with pytest.raises(ImportStale, match="changed hands"):
            apply(shared, staged.import_id)
    else:
        assert apply(shared, staged.import_id).status == "applied"


def test_what_changed_hands_before_the_plan_is_in_the_plan(shared: Store) -> None:
    applied(shared, update(2, state(2, **GLOBEX), employee_id="0099"), directory_id="shared", **GLOBEX)
    staged = stage(shared, update(1, state(1), supervisor_id="0099"), create(5), directory_id="shared")
    assert apply(shared, staged.import_id).status == "applied"


@pytest.mark.parametrize(("crossed", "is_applied"), [(2, True), (3, False)])
def test_what_others_write_at_the_same_time_is_waited_for_three_times(
    shared: Store, crossed: int, is_applied: bool
) -> None:
    staged = stage(shared, update(1, state(1), last_name="New"), directory_id="shared")
    attempts = 0

    def cross(statement: str) -> None:
        nonlocal attempts
        attempts += statement == "lock"
        if statement == "lock" and attempts <= crossed:
            raise sa.exc.OperationalError("UPDATE", {}, SerializationFailure())

    if is_applied:
        assert apply(shared, staged.import_id, on_statement=cross).status == "applied"
    else:
        with pytest.raises(sa.exc.OperationalError):
            apply(shared, staged.import_id, on_statement=cross)
    assert attempts == 3


@pytest.mark.parametrize("number", [1, 2])
def test_how_many_do_not_fit_any_more_is_told(shared: Store, number: int) -> None:
    changes = update(1, state(1), last_name="New"), update(2, state(2, **GLOBEX), last_name="New")
    staged = stage(shared, *changes, directory_id="shared")
    for edited in range(1, number + 1):
        edit(shared, edited, first_name="By hand")
    with pytest.raises(ImportStale, match=f"{number} of the 2 users that it changes were changed or removed"):
        apply(shared, staged.import_id)
