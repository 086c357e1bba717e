"""The review of an import: who, from what to what, why, and who not; filtered, sorted and paged by the store."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from hris_pipeline.change_set.guards import Guard
from hris_pipeline.errors import UnknownName, UsageError
from hris_pipeline.operations.review import (
    Filters,
    Review,
    all_rows,
    people_not_applied,
    review,
)
from hris_pipeline.operations.review_queues import quarantined_people
from hris_pipeline.operations.services import Services
from hris_pipeline.operations.users import erase
from hris_pipeline.store.tables import import_rows
from hris_pipeline_tests.kit import store_builders as build
from hris_pipeline_tests.kit.acme import Acme, MakeAcme
from hris_pipeline_tests.kit.many_integrations import counted_statements


@pytest.fixture
def staged(services: Services) -> str:
    """One row of each action: 0001 comes, 0002 gets another id and email, 0003 leaves, 0004 comes back."""
    build.integration(services.store)
    rows = [
        build.create(1, first_name="Ada", last_name="Lovelace"),
        build.update(2, build.state(2), employee_id="N2", email="new@example.com", email_key="new@example.com"),
        build.archive(3, build.state(3, first_name="Øyvind")),
        _restore(4),
    ]
    guards = (
        Guard("archive_limit", "1", "1 of 3", tripped=True, employee_ids=("0003",)),
        Guard("employee_id_mismatch", "1", "1", tripped=True, employee_ids=("0002",)),
        Guard("field_wipe", "1", "0", tripped=False),
    )
    diagnostics = {
        "warning:phone_not_international": ("0001", "0002"),
        "excluded:inactive": tuple(f"x{number:03}" for number in range(130)),
        "warning:field_missing_for_all": ("birth_date",),
    }
    return build.stage(services.store, *rows, guards=guards, diagnostics=diagnostics, status="held").import_id


def _restore(number: int) -> dict[str, Any]:
    before = build.state(number, status="archived", archived_by="import")
    return {**build.update(number, before, status="active", archived_by=None), "action": "restore"}


def ids(page: Review) -> list[str]:
    return [row.employee_id for row in page.rows]


def test_every_row_says_who_it_is_and_each_field_from_what_to_what(services: Services, staged: str) -> None:
    page = review(services, staged, reveal=True)
    assert [row.action for row in page.rows] == ["create", "update", "archive", "restore"]
    create, update, archive, restore = page.rows
    assert (create.name, create.changes["email"].before, create.changes["email"].after) == (
        "Ada Lovelace",
        None,
        "P1@example.com",
    )
    assert (update.employee_id_before, update.employee_id_after) == ("0002", "N2"), "both ids, always"
    assert {name: (change.before, change.after) for name, change in update.changes.items()} == {
        "employee_id": ("0002", "N2"),
        "email": ("P2@example.com", "new@example.com"),
    }
    assert archive.name == 'Øyvind Ødegård, "the\nfirst"', "who leaves has a name too"
    assert (restore.changes["status"].before, restore.changes["status"].after) == ("archived", "active")


def test_why_names_the_guards_and_warnings_that_a_person_stands_in(services: Services, staged: str) -> None:
    why = {row.employee_id: row.why for row in review(services, staged).rows}
    assert why == {
        "0001": ("warning:phone_not_international",),
        "N2": ("guard:employee_id_mismatch", "warning:phone_not_international"),
        "0003": ("guard:archive_limit",),
        "0004": (),
    }


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (Filters(action="archive"), ["0003"]),
        (Filters(field="employee_id", action="update"), ["N2"]),
        (Filters(field="email"), ["0001", "N2"]),
        (Filters(field="status"), ["0003", "0004"]),
        (Filters(guard="archive_limit"), ["0003"]),
        (Filters(guard="field_wipe"), []),
        (Filters(text="lovelace ada"), ["0001"]),
        (Filters(text="øyVIND"), ["0003"]),
        (Filters(text="0002"), ["N2"]),
        (Filters(text="NEW@example"), ["N2"]),
        (Filters(text="%"), []),
        (Filters(text="_"), []),
        (Filters(text="m-4"), ["0004"]),
        (Filters(text="späher"), []),
        (Filters(text="0", action="restore"), ["0004"]),
        (Filters(text="active"), []),
    ],
)
def test_rows_are_filtered_by_action_field_guard_and_text(
    services: Services, staged: str, filters: Filters, expected: list[str]
) -> None:
    page = review(services, staged, filters=filters)
    assert sorted(ids(page)) == sorted(expected)
    assert page.total == len(expected)
    assert sorted(row.employee_id for row in all_rows(services, staged, filters=filters)) == sorted(expected)


def test_a_filter_that_there_is_not_is_refused_with_those_there_are(services: Services, staged: str) -> None:
    for filters, words in (
        (Filters(action="archived"), "create, update, archive, restore. Did you mean 'archive'"),
        (Filters(field="emial"), "Did you mean 'email'"),
        (Filters(guard="archive_limits"), "Did you mean 'archive_limit'"),
        (Filters(text="a " * 13), "12 words and 200 characters"),
        (Filters(text="a" * 201), "12 words and 200 characters"),
        (Filters(text="a\x00b"), "12 words and 200 characters"),
    ):
        with pytest.raises(UsageError, match=words):
            review(services, staged, filters=filters)
    with pytest.raises(UsageError, match="action, employee_id, name"):
        review(services, staged, sort="shoe_size")
    with pytest.raises(UnknownName):
        review(services, "nothing")


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("action", ["0001", "N2", "0003", "0004"]),
        ("-action", ["0004", "0003", "N2", "0001"]),
        ("employee_id", ["0001", "0003", "0004", "N2"]),
        ("-employee_id", ["N2", "0004", "0003", "0001"]),
        ("name", ["0001", "N2", "0004", "0003"]),
    ],
)
def test_the_store_sorts_and_pages(services: Services, staged: str, sort: str, expected: list[str]) -> None:
    assert ids(review(services, staged, sort=sort)) == expected
    pages = [review(services, staged, sort=sort, page=number, page_size=3) for number in (1, 2)]
    assert [ids(page) for page in pages] == [expected[:3], expected[3:]]
    assert (pages[0].pages, pages[0].total, dict(pages[0].by_action)) == (
        2,
        4,
        {"create": 1, "update": 1, "archive": 1, "restore": 1},
    )


def test_values_and_names_are_masked_unless_revealed_and_ids_never(services: Services, staged: str) -> None:
    page = review(services, staged)
    text = repr([(row.name, [(c.before, c.after) for c in row.changes.values()]) for row in page.rows])
    for value in ("Lovelace", "example.com", "1990", "Späher", "Ødegård"):
        assert value not in text
    assert page.rows[1].changes["employee_id"].after == "N2"
    assert page.rows[2].changes["status"].after == "archived"
    assert "Lovelace" not in repr(review(services, staged, reveal=True)), "nor does a log of the review show them"


def test_people_beside_are_listed_by_reason_and_paged(services: Services, staged: str) -> None:
    page = review(services, staged, reveal=True)
    groups = {group.reason: group for group in page.not_applied}
    assert groups["excluded:inactive"].count == 130
    assert len(groups["excluded:inactive"].people) < 130
    assert groups["warning:field_missing_for_all"].ids == ("birth_date",)
    people, total = people_not_applied(services, staged, "excluded:inactive", page=3)
    assert ([person.id for person in people][:2], len(people), total) == (["x100", "x101"], 30, 130)
    left_out, total = people_not_applied(services, staged, "excluded:inactive", filters=Filters(text="X01"))
    assert total == len(left_out) == 10


def test_an_erased_person_has_neither_name_nor_values(acme: Acme) -> None:
    services = acme.services
    someone = acme.active()[0]
    first = acme.users()[someone]
    with services.store.read() as connection:
        import_id = connection.execute(sa.select(import_rows.c.import_id).limit(1)).scalar_one()
    erase(services, "acme", first["employee_id"], "dana")
    [row] = [row for row in all_rows(services, import_id, reveal=True) if row.user_id == first["user_id"]]
    assert (row.erased, row.name) == (True, None)
    assert first["last_name"] not in json.dumps([str(change.after) for change in row.changes.values()])


def test_hidden_metadata_is_in_no_review_even_revealed(make: MakeAcme) -> None:
    acme = make()
    acme.switch(
        'metadata=[{"name": "Pay", "source": "job_title", "type": "hidden"}, {"name": "Team", "source": "department"}]'
    )
    done = acme.run()
    rows = list(all_rows(acme.services, done.import_id, reveal=True))
    assert rows
    assert all("#Pay" not in row.changes and "#Team" in row.changes and row.hidden_changes == 1 for row in rows)
    assert "#Pay" not in review(acme.services, done.import_id, reveal=True).fields
    assert review(acme.services, done.import_id, filters=Filters(field="#Pay"), reveal=True).total == 0
    acme.switch('metadata=[{"name": "Pay", "source": "job_title"}]')
    assert all("#Pay" not in row.changes for row in all_rows(acme.services, done.import_id, reveal=True)), (
        "what was hidden when it was planned stays so"
    )


def test_quarantine_is_grouped_by_field_and_check_with_its_reason(make: MakeAcme) -> None:
    acme = make()
    first, second = (person.id for person in acme.company.persons()[:2])
    acme.company.edit(first, last_name="x" * 60)
    acme.company.edit(second, last_name="y" * 70)
    planned = acme.preview()
    [group] = [group for group in review(acme.services, planned.import_id).not_applied if group.reason == "quarantined"]
    assert (group.field, group.count) == ("last_name", 2)
    assert group.detail
    assert len(group.people) == 2
    masked = quarantined_people(acme.services, planned.import_id)
    revealed = quarantined_people(acme.services, planned.import_id, reveal=True)
    assert {person.value for person in revealed} == {"x" * 60, "y" * 70}
    assert not {person.value for person in masked} & {person.value for person in revealed}


PAGES: tuple[dict[str, Any], ...] = (
    {},
    {"page": 3},
    {"sort": "-name"},
    {"filters": Filters(field="email")},
    {"filters": Filters(action="update", text="zoë")},
)


@pytest.mark.parametrize("asked", PAGES, ids=("first", "third", "by name", "by field", "searched"))
def test_a_page_is_the_same_few_statements_and_rows_of_any_import(
    lite_services: Services, asked: dict[str, Any]
) -> None:
    """So the memory is a page's; how long a hundred thousand rows take is measured in docs/performance.md."""
    engine, costs = lite_services.store.engine, []
    for name, people in (("few", 200), ("many", 2_000)):
        build.integration(lite_services.store, name, name)
        rows = [build.update(number, build.state(number), email="new@example.com") for number in range(people)]
        import_id = build.stage(lite_services.store, *rows, integration_id=name, directory_id=name).import_id
        with counted_statements(engine) as statements, counted_rows(engine) as fetched:
            page = review(lite_services, import_id, page_size=50, **asked)
        assert (page.total, len(page.rows)) == (people, 50)
        costs.append((len(statements), len(fetched)))
    assert costs[0] == costs[1]
    assert costs[1][0] <= 9
    assert costs[1][1] <= 2 * 50 + 10


@contextmanager
def counted_rows(engine: sa.Engine) -> Iterator[list[None]]:
    """An item for every row that the block reads from the SQLite database."""
    fetched: list[None] = []

    def keep(_: Any, row: tuple[Any, ...]) -> tuple[Any, ...]:
        fetched.append(None)
        return row

    def count(connection: Any, *_: Any) -> None:
        connection.row_factory = keep

    sa.event.listen(engine, "checkout", count)
    try:
        yield fetched
    finally:
        sa.event.remove(engine, "checkout", count)
        engine.dispose()
