"""A review page by page: nobody is met twice or passed over, however it is sorted, filtered or searched, and the pages
hold still as long as the import is open."""

from typing import Any

import pytest

from hris_pipeline.operations.review import Filters, all_rows, review
from hris_pipeline.operations.services import Services
from hris_pipeline.store.review import SORTS
from hris_pipeline_tests.kit import store_builders as build
from hris_pipeline_tests.kit.acme import MakeAcme

ROWS, PAGE = 47, 10
KINDS = ("create", "update", "update", "archive")


def change(number: int) -> dict[str, Any]:
    """Many are called alike, so that only ids tell them apart."""
    before = build.state(number, first_name=f"F{number % 3}", last_name=f"L{number % 2}")
    kind = KINDS[number % len(KINDS)]
    if kind == "create":
        return build.create(number, first_name=f"F{number % 3}", last_name=f"L{number % 2}")
    return build.archive(number, before) if kind == "archive" else build.update(number, before, country_code="DE")


@pytest.fixture
def staged(services: Services) -> str:
    build.integration(services.store)
    return build.stage(services.store, *map(change, range(ROWS))).import_id


@pytest.mark.parametrize(
    ("filters", "sorts"),
    [
        (Filters(), (*SORTS, "-name")),
        (Filters(action="update"), ("name",)),
        (Filters(field="country_code"), ("-action",)),
        (Filters(text="f1 l0"), ("name",)),
    ],
    ids=["all", "action", "field", "text"],
)
def test_every_page_in_turn_shows_everybody_once(
    services: Services, staged: str, filters: Filters, sorts: tuple[str, ...]
) -> None:
    for sort in sorts:
        first = review(services, staged, filters=filters, sort=sort, page_size=PAGE)
        pages = [
            review(services, staged, filters=filters, sort=sort, page=page, page_size=PAGE)
            for page in range(1, first.pages + 1)
        ]
        met = [row.user_id for page in pages for row in page.rows]
        assert len(met) == len(set(met)) == first.total
        assert met == [row.user_id for row in all_rows(services, staged, filters=filters, sort=sort)]
        assert all(len(page.rows) == PAGE for page in pages[:-1])


def test_past_the_last_page_is_the_last(services: Services, staged: str) -> None:
    last = review(services, staged, page=5, page_size=PAGE)
    beyond = review(services, staged, page=4711, page_size=PAGE)
    assert (beyond.page, beyond.rows) == (last.page, last.rows)
    for filters in (Filters(text="f1"), Filters(text="f1", action="update"), Filters(text="nobody")):
        beyond = review(services, staged, filters=filters, page=4711, page_size=PAGE)
        assert beyond.page == beyond.pages
        assert len(beyond.rows) == beyond.total - (beyond.pages - 1) * PAGE
        first = review(services, staged, filters=filters, page_size=PAGE)
        assert (first.total, first.by_action) == (beyond.total, beyond.by_action)


def test_pages_hold_still_while_others_read_save_and_plan_the_same_again(make: MakeAcme) -> None:
    acme = make(30)
    acme.run()
    for hris_id in acme.active()[:12]:
        acme.company.edit(hris_id, job_title="Adviser")
    planned = acme.preview()

    def page(number: int) -> list[str]:
        return [row.user_id for row in review(acme.services, planned.import_id, page=number, page_size=5).rows]

    before = [page(number) for number in (1, 2, 3)]
    acme.company.edit(acme.active()[20], last_name=None)
    assert acme.preview().import_id == planned.import_id, "the same plan keeps the open one"
    assert [page(number) for number in (1, 2, 3)] == before
    acme.save(planned.import_id)
    assert [page(number) for number in (1, 2, 3)] == before
