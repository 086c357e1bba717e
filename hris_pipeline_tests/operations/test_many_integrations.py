"""A look at the clock costs the same few statements for one integration and for very many."""

from datetime import timedelta

import pytest

from hris_pipeline.environment import Environment
from hris_pipeline.operations.automation import Stalled, due_imports, stalled
from hris_pipeline.operations.services import Services
from hris_pipeline.operations.settings import settings_changed
from hris_pipeline.sources.archive import Archive
from hris_pipeline.store import automation
from hris_pipeline.store.engine import Store
from hris_pipeline.store.locks import integration_lock
from hris_pipeline_tests.kit.many_integrations import AT, add_integrations, counted_statements

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


def test_who_is_stalled_is_three_statements(services: Services) -> None:
    names = add_integrations(services.store, MANY, due=True)
    with counted_statements(services.store.engine) as statements:
        assert stalled(services, AT + timedelta(hours=2)) == ()
    assert len(statements) == 3
    assert [finding.integration_id for finding in stalled(services, AT + timedelta(days=2))] == names


def test_a_moment_handled_later_than_now_is_a_finding_and_counts_as_not_there(services: Services) -> None:
    (name,) = add_integrations(services.store, 1, due=False)
    before = AT - timedelta(hours=2)
    (finding,) = stalled(services, before)
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
