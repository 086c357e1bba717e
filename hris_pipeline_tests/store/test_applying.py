"""Applying: the target is reached, once, or nothing happens and it is said why."""

from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hris_pipeline.change_set.guards import Guard
from hris_pipeline.environment import Environment
from hris_pipeline.errors import ImportHeld, ImportStale, StoreError, UnknownName
from hris_pipeline.store.engine import Store, open_store
from hris_pipeline.store.imports import APPROVAL_LASTS, approve
from hris_pipeline.store.tables import import_rows, imports, integrations, users
from hris_pipeline_tests.kit.store_builders import (
    HOUR,
    NOW,
    applied,
    apply,
    archive,
    create,
    edit,
    integration,
    stage,
    state,
    states,
    stored,
    update,
    user_id,
)


@pytest.fixture(autouse=True)
def acme(request: pytest.FixtureRequest) -> None:
    if "store" in request.fixturenames:
        integration(request.getfixturevalue("store"))


def _import(store: Store, import_id: str) -> Any:
    with store.read() as connection:
        return connection.execute(sa.select(imports).where(imports.c.import_id == import_id)).one()


def test_creates_arrive_whole(store: Store) -> None:
    empty = state(2, email=None, email_key=None, birth_date=None, hire_date=None, metadata={})
    staged = stage(store, create(1), create(2, **empty), counts={"created": 2})
    done = apply(store, staged.import_id, actor="Ann", run_id="run-2")
    assert (done.status, done.counts["created"]) == ("applied", 2)
    assert states(store) == {user_id(1): state(1), user_id(2): empty}
    user = stored(store)[user_id(1)]
    assert (user["version"], user["synced_version"], user["directory_id"]) == (1, 1, "acme")
    assert user["source_hash"]
    record = _import(store, staged.import_id)
    assert (record.status, record.applied_by, record.applied_run_id) == ("applied", "Ann", "run-2")
    assert record.finished_at == NOW + HOUR


def test_every_kind_of_change_reaches_its_target(store: Store) -> None:
    applied(store, *(create(number) for number in range(1, 6)))
    archived = state(2) | {"status": "archived", "archived_by": "import"}
    changes = [
        update(1, state(1), hire_date="2024-12-31", metadata={"Buddy": "0002"}, email=None, email_key=None),
        archive(2, state(2)),
        create(7),
    ]
    applied(store, *changes)
    now = states(store)
    assert now[user_id(1)] == state(1, hire_date="2024-12-31", metadata={"Buddy": "0002"}, email=None, email_key=None)
    assert now[user_id(2)] == archived
    assert now[user_id(7)] == state(7)
    assert now[user_id(3)] == state(3)
    versions = {key: (user["version"], user["synced_version"]) for key, user in stored(store).items()}
    assert versions == {user_id(n): (2, 2) if n in (1, 2) else (1, 1) for n in (1, 2, 3, 4, 5, 7)}


def test_dates_are_dates_for_the_database_too(store: Store) -> None:
    applied(store, create(1))
    with store.read() as connection:
        before = sa.select(sa.func.count()).where(users.c.hire_date < sa.func.date("2020-03-01"))
        after = sa.select(sa.func.count()).where(users.c.hire_date < sa.func.date("2020-02-29"))
        assert (connection.execute(before).scalar(), connection.execute(after).scalar()) == (1, 0)


def test_unique_values_can_be_swapped_moved_on_and_taken_over(store: Store) -> None:
    applied(store, *(create(number) for number in range(1, 4)))
    first, two, three = state(1), state(2), state(3)
    applied(
        store,
        update(1, first, employee_id="0002", email=two["email"], email_key=two["email_key"], hris_id="m-2"),
        update(2, two, employee_id="0001", email=first["email"], email_key=first["email_key"], hris_id="m-1"),
        update(3, three, employee_id="0099", email=None, email_key=None),
        create(4, employee_id="0003", email=three["email"], email_key=three["email_key"]),
    )
    assert {key: user["employee_id"] for key, user in states(store).items()} == {
        user_id(1): "0002",
        user_id(2): "0001",
        user_id(3): "0099",
        user_id(4): "0003",
    }
    assert states(store)[user_id(4)]["email_key"] == three["email_key"]


def test_a_local_user_is_linked(store: Store) -> None:
    local = state(1, integration_id=None, hris_id=None)
    applied(store, create(1, **local))
    applied(store, update(1, local, integration_id="acme", hris_id="m-1"))
    assert states(store)[user_id(1)] == state(1)


def test_applied_again_it_does_nothing_and_says_so(store: Store) -> None:
    staged = stage(store, create(1), counts={"created": 1})
    first = apply(store, staged.import_id, run_id="first")
    edit(store, 1, first_name="Later")
    again = apply(store, staged.import_id, settings_digest="changed since", run_id="again", now=NOW + 2 * HOUR)
    assert (again, again.counts["created"]) == (first, 1)
    assert states(store)[user_id(1)]["first_name"] == "Later"


def test_an_unknown_import_is_named(store: Store) -> None:
    with pytest.raises(UnknownName, match="no import nothing"):
        apply(store, "nothing")


def _edited(store: Store) -> None:
    edit(store, 1, first_name="By hand")


def _written(**values: Any) -> Any:
    """Somebody writes the user as they should not: without a new version."""

    def write(store: Store) -> None:
        with store.begin() as connection:
            connection.execute(sa.update(users).where(users.c.user_id == user_id(1)).values(values))

    return write


BEHIND_ITS_BACK = {
    "first_name": "Evil",
    "hris_id": "m-9",
    "hire_date": date(1999, 1, 1),
    "metadata": {"JobTitle": "King"},
    "email_key": None,
    "email_edited_by_user": True,
    "status": "archived",
}


def _removed(store: Store) -> None:
    with store.begin() as connection:
        connection.execute(sa.delete(users).where(users.c.user_id == user_id(1)))


def _local(number: int, **fields: Any) -> Any:
    def load(store: Store) -> None:
        integration(store, "other")
        with store.begin() as connection:
            values = {"user_id": f"other-{number}", "directory_id": "acme", "metadata": {}, "status": "active"}
            connection.execute(
                sa.insert(users), values | dict.fromkeys(("created_at", "updated_at"), NOW + HOUR / 2) | fields
            )

    return load


def _other_import(store: Store) -> None:
    integration(store, "other")
    with store.begin() as connection:
        # as when it was applied by another process, from a plan made before
        values = {"import_id": "later", "integration_id": "acme", "directory_id": "acme", "status": "applied"}
        values |= {"trigger": "undo", "actor": "t", "digest": "x"}
        moments = {"planned_at": NOW, "finished_at": NOW + HOUR / 2, "guards": [], "diagnostics": {}}
        connection.execute(sa.insert(imports), values | moments)


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        pytest.param(_edited, "1 of the 1 users that it changes", id="a user was edited"),
        *(
            pytest.param(
                _written(**{name: value}), "1 of the 1 users that it changes", id=f"{name} was written past it"
            )
            for name, value in BEHIND_ITS_BACK.items()
        ),
        pytest.param(_removed, "1 of the 1 users that it changes", id="a user is gone"),
        pytest.param(_local(5, employee_id="0002"), "EmployeeId, hris_id or email", id="an EmployeeId is taken"),
        pytest.param(_local(5, email_key="p2@example.com"), "EmployeeId, hris_id or email", id="an email is taken"),
        pytest.param(
            _local(5, integration_id="acme", hris_id="m-2"), "EmployeeId, hris_id or email", id="an hris_id is taken"
        ),
        pytest.param(
            _local(5, first_name="ZOË2", last_name='Ødegård, "the\nfirst"', birth_date=date(1990, 2, 28)),
            "1 of those it creates have the name and birth date",
            id="a namesake with that birth date came",
        ),
        pytest.param(_other_import, "import later was applied since", id="a later import was applied"),
    ],
)
def test_what_no_longer_fits_is_stale_and_nothing_is_applied(store: Store, event: Any, reason: str) -> None:
    applied(store, create(1))
    staged = stage(store, update(1, state(1), last_name="New"), create(2))
    event(store)
    before = stored(store)
    with pytest.raises(ImportStale, match=reason) as caught:
        apply(store, staged.import_id)
    assert "example.com" not in str(caught.value)
    assert (caught.value.__cause__, caught.value.__suppress_context__) == (
        None,
        True,
    ) or caught.value.__context__ is None
    assert stored(store) == before
    record = _import(store, staged.import_id)
    assert (record.status, record.finished_at is not None) == ("stale", True)
    assert reason in record.message
    with pytest.raises(ImportStale, match="is stale"):
        apply(store, staged.import_id)


def test_whom_somebody_protected_past_their_version_is_not_archived(store: Store) -> None:
    applied(store, create(1))
    staged = stage(store, archive(1, state(1)))
    _written(protected=True)(store)
    with pytest.raises(ImportStale, match="1 of the 1 users that it changes"):
        apply(store, staged.import_id)


@pytest.mark.parametrize("other", [[1], 5, "text", None])
def test_metadata_that_is_no_object_is_none_as_plans_read_it(store: Store, other: object) -> None:
    applied(store, create(1))
    _written(metadata=sa.JSON.NULL if other is None else other)(store)
    staged = stage(store, update(1, state(1, metadata={}), last_name="New"))
    assert apply(store, staged.import_id).status == "applied"


def test_metadata_in_another_order_is_the_same_metadata(store: Store) -> None:
    applied(store, create(1, metadata={"b": 1, "a": [2, "x"], "c": None}))
    staged = stage(store, update(1, state(1, metadata={"a": [2, "x"], "c": None, "b": 1}), last_name="New"))
    assert apply(store, staged.import_id).status == "applied"


def test_settings_that_matter_changed_since(store: Store) -> None:
    staged = stage(store, create(1))
    with pytest.raises(ImportStale, match="settings that matter to it changed"):
        apply(store, staged.import_id, settings_digest="t" * 64)
    assert stored(store) == {}


def test_a_plan_that_no_setting_matters_to_applies_under_any(store: Store) -> None:
    staged = stage(store, create(1), settings_digest=None)
    assert apply(store, staged.import_id, settings_digest="t" * 64).status == "applied"


def test_a_discarded_import_cannot_be_applied(store: Store) -> None:
    first = stage(store, create(1))
    stage(store, create(2), digest="e")
    with pytest.raises(ImportStale, match="is discarded"):
        apply(store, first.import_id)


@pytest.mark.parametrize(
    ("digest", "lapses", "reason"),
    [
        (None, HOUR, "held by archive_limit"),
        ("other", 2 * HOUR, "held by archive_limit"),
        ("its own", HOUR, "has lapsed"),
    ],
)
def test_a_held_import_needs_an_approval_of_this_very_digest_in_force(
    store: Store, digest: str | None, lapses: Any, reason: str
) -> None:
    staged = stage(store, create(1), status="held", guards=(Guard("archive_limit", "10 %", "50 %", tripped=True),))
    if digest:
        _approve(store, staged.import_id, staged.digest if digest == "its own" else digest, lapses)
    with pytest.raises(ImportHeld, match=reason):
        apply(store, staged.import_id)
    assert stored(store) == {}
    assert _import(store, staged.import_id).status == "held"


def test_an_approved_import_is_applied(store: Store) -> None:
    staged = stage(store, create(1), status="held")
    _approve(store, staged.import_id, staged.digest, 2 * HOUR)
    assert apply(store, staged.import_id).status == "applied"


def _approve(store: Store, import_id: str, digest: str, lapses: Any) -> None:
    with store.begin() as connection:
        approve(connection, import_id, digest, "Ann", "a layoff", NOW + lapses - APPROVAL_LASTS)


def test_a_state_that_breaks_a_rule_of_the_store_is_an_error_not_stale(store: Store) -> None:
    staged = stage(store, create(1, integration_id="nobody"))
    with pytest.raises(StoreError, match="breaks a rule of the store"):
        apply(store, staged.import_id)
    assert stored(store) == {}


@pytest.mark.parametrize("people", [1, 40])
def test_the_number_of_statements_is_constant(store: Store, people: int) -> None:
    applied(store, *(create(number) for number in range(people)))
    changes = [update(number, state(number), last_name="New") for number in range(people)]
    staged = stage(store, *changes, *(create(100 + number) for number in range(people)))
    names: list[str] = []
    apply(store, staged.import_id, on_statement=names.append)
    assert names == [
        "lock",
        "check seal and rows",
        "check order",
        "check conflicts",
        "check namesakes",
        "check users",
        "remember links",
        "park",
        "update",
        "create",
        "mark applied",
        "commit",
    ]


def test_times_never_run_backwards_in_a_history(store: Store) -> None:
    first = applied(store, create(1), planned_at=NOW)
    second = applied(store, create(2), planned_at=NOW - HOUR / 2)
    third = applied(store, create(3), planned_at=NOW - HOUR / 2)
    moments = [_import(store, name).finished_at for name in (first, second, third)]
    assert moments == sorted(set(moments))


numbers = st.permutations(range(1, 6))
targets = st.lists(
    st.fixed_dictionaries(
        {
            "first_name": st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
            "birth_date": st.none() | st.dates().map(str),
            "metadata": st.dictionaries(st.sampled_from(["A", "b c", "ß"]), st.sampled_from(["1", "x", "é"])),
            "status": st.sampled_from(["active", "archived"]),
        }
    ),
    min_size=5,
    max_size=5,
)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=numbers, fields=targets)
def test_applying_reaches_the_target_whatever_moves_where(store: Store, order: list[int], fields: list[Any]) -> None:
    with store.begin() as connection:
        connection.execute(sa.delete(import_rows))
        connection.execute(sa.delete(imports))
        connection.execute(sa.delete(users))
    applied(store, *(create(number) for number in range(1, 6)))
    target = {
        user_id(number): state(number, employee_id=f"{to:04}", email_key=f"p{to}@example.com", **values)
        for number, to, values in zip(range(1, 6), order, fields, strict=True)
    }
    changes = [update(number, state(number), **target[user_id(number)]) for number in range(1, 6)]
    applied(store, *changes)
    assert states(store) == target


def test_two_processes_applying_at_once_apply_once(environment: Environment, store: Store) -> None:
    staged = stage(store, create(1))
    other = open_store(environment)
    results = []

    def meanwhile(name: str) -> None:
        if name == "commit":
            results.append(apply(other, staged.import_id, run_id="second"))

    first = apply(store, staged.import_id, on_statement=meanwhile)
    assert results == [first]
    other.close()


def test_an_integration_of_the_same_directory_is_no_obstacle(store: Store) -> None:
    with store.begin() as connection:
        connection.execute(sa.update(integrations).values(directory_id="shared"))
    integration(store, "globex", "shared")
    first = stage(store, create(1), directory_id="shared")
    applied(store, create(2, integration_id="globex"), integration_id="globex", directory_id="shared")
    assert apply(store, first.import_id).status == "applied"
