"""A look at the clock costs the same few statements for one integration and for very many."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from hris_pipeline.contract import PAGE_SIZE
from hris_pipeline.environment import Environment
from hris_pipeline.operations.automation import Stalled, due_imports, find_stalled_imports
from hris_pipeline.operations.connection import connections_due
from hris_pipeline.operations.health import examine, needs_daemon
from hris_pipeline.operations.notification import untold_integrations
from hris_pipeline.operations.overview import overview_page
from hris_pipeline.operations.services import Services
from hris_pipeline.operations.settings import settings_changed
from hris_pipeline.sources.archive import Archive
from hris_pipeline.store import automation
from hris_pipeline.store.engine import Store
from hris_pipeline.store.integrations import current_settings
from hris_pipeline.store.locks import integration_lock
from hris_pipeline.store.tables import connections, integration_settings, notifications
from hris_pipeline_tests.kit.many_integrations import AT, add_integrations, add_waiting, counted_statements

MANY = 400


@pytest.fixture
def services(environment: Environment, store: Store) -> Services:
    return Services(environment, store, Archive(environment.files_url))


def test_a_tick_with_very_many_due_runs_one_statement_a_question(services: Services) -> None:
    names = add_integrations(services.store, MANY, due=True)
    with integration_lock(services.store, names[7]), counted_statements(services.store.engine) as statements:
        imports = due_imports(services, "daily", AT)
    assert [due.integration_id for due in imports.due] == [name for name in names if name != names[7]]
    assert [item.integration_id for item in imports.left_out] == [names[7]]
    assert len(statements) <= 4


def test_an_idle_tick_is_one_statement_and_reads_no_whole_settings(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(automation, "decrypt_settings", None)
    add_integrations(services.store, MANY, due=False)
    with counted_statements(services.store.engine) as statements:
        imports = due_imports(services, "daily", AT)
    assert (imports.due, imports.left_out) == ((), ())
    assert len(statements) == 1
    assert due_imports(services, "weekly", AT).due == ()


def test_the_first_page_is_the_same_few_statements_for_ten_and_for_very_many(services: Services) -> None:
    add_integrations(services.store, 10, due=True)
    with counted_statements(services.store.engine) as few:
        assert len(overview_page(services).overviews) == 10
    add_integrations(services.store, MANY, due=True, prefix="other")
    with counted_statements(services.store.engine) as many:
        page = overview_page(services, page=2)
    assert len(many) == len(few) <= 9
    assert (page.counts.total, page.page, page.pages) == (MANY + 10, 2, -(-(MANY + 10) // PAGE_SIZE))
    assert [item.integration.integration_id for item in page.overviews] == [
        f"other-{index:05}" for index in range(PAGE_SIZE - 10, 2 * PAGE_SIZE - 10)
    ]


def test_what_waits_is_counted_and_found_by_one_question_as_each_integration_tells(services: Services) -> None:
    names = add_integrations(services.store, 12, due=True)
    add_waiting(services.store, names[:6])
    waiting = overview_page(services, only_waiting=True)
    assert [item.integration.integration_id for item in waiting.overviews] == names[:6]
    everything = overview_page(services)
    assert [item.integration.integration_id for item in everything.overviews if item.waiting] == names[:6]
    assert [[line.what for line in item.waiting] for item in waiting.overviews] == [
        ["connection"],
        ["automatic"],
        ["held"],
        ["planned"],
        ["conflicts"],
        ["quarantine"],
    ]
    assert everything.counts.waiting == 6
    assert overview_page(services, search="ANY-0000").counts.matching == 10
    assert overview_page(services, search="ANY-0000").counts.waiting == 6
    assert [item.integration.integration_id for item in overview_page(services, search="%").overviews] == []
    assert overview_page(services, page=7).page == 1


def test_the_health_of_very_many_is_asked_in_few_statements(services: Services) -> None:
    names = add_integrations(services.store, MANY, due=True)
    with counted_statements(services.store.engine) as statements:
        findings = [finding for finding in examine(services) if finding.what.startswith("imports of")]
        assert needs_daemon(services)
    assert [finding.what for finding in findings] == [f"imports of {name}" for name in names]
    assert len(statements) <= 4


def test_connections_to_renew_are_one_statement_those_that_end_first_first(services: Services) -> None:
    names = add_integrations(services.store, MANY, due=True)
    with services.store.begin() as connection:
        connection.execute(
            sa.insert(connections),
            [
                {"integration_id": name, "access_token": "a", "scopes": "", "updated_at": AT}
                | {"refresh_expires_at": AT + timedelta(days=1, hours=-index)}
                for index, name in enumerate(names)
            ],
        )
    with counted_statements(services.store.engine) as statements:
        assert connections_due(services, AT) == tuple(reversed(names))
    assert len(statements) == 1


def test_whom_to_tell_of_a_standstill_is_one_statement(services: Services) -> None:
    names = add_integrations(services.store, MANY, due=True)
    loud, silent = names[1], names[2]
    with services.store.begin() as connection:
        document = current_settings(connection, names[0]).settings.document()
        heard = {**document, "notify": [{"to": "json://127.0.0.1:9/", "on": ["stalled"]}]}
        changed = sa.update(integration_settings).where(integration_settings.c.integration_id != silent)
        connection.execute(changed.values(document=heard))
        line = {"integration_id": loud, "event": "stalled", "state": "then", "sent_at": AT}
        connection.execute(sa.insert(notifications), line)
    with counted_statements(services.store.engine) as statements:
        names_untold = untold_integrations(services, "stalled", dict.fromkeys(names, "then"))
    assert names_untold == tuple(name for name in names if name not in (loud, silent))
    assert len(statements) == 1


def test_who_is_stalled_is_three_statements(services: Services) -> None:
    names = add_integrations(services.store, MANY, due=True)
    with counted_statements(services.store.engine) as statements:
        assert find_stalled_imports(services, AT + timedelta(hours=2)) == ()
    assert len(statements) == 3
    assert [finding.integration_id for finding in find_stalled_imports(services, AT + timedelta(days=2))] == names


def test_a_moment_handled_later_than_now_is_a_finding_and_counts_as_not_there(services: Services) -> None:
    (name,) = add_integrations(services.store, 1, due=False)
    before = AT - timedelta(hours=2)
    (finding,) = find_stalled_imports(services, before)
    assert finding == Stalled(name, AT, AT - timedelta(days=1), clock_jumped=True)
    (due,) = due_imports(services, "daily", before).due
    assert due.due_at == AT - timedelta(days=1)


def test_changed_settings_are_seen_in_slices_and_each_once(services: Services) -> None:
    names = add_integrations(services.store, MANY, due=False)
    with counted_statements(services.store.engine) as statements:
        changed = settings_changed(services, None, 10)
    assert len(statements) == 1
    assert sorted(version.integration_id for version in changed) == names, "those of one instant stay together"
    assert settings_changed(services, changed[-1].created_at, 10) == ()
