"""One import at a time for one integration, across processes and whatever becomes of them."""

import threading
import time
from collections.abc import Callable

import pytest

from hris_pipeline.environment import Environment
from hris_pipeline.errors import ImportRunning
from hris_pipeline.store.engine import Store, open_store
from hris_pipeline.store.locks import import_running, integration_lock
from hris_pipeline_tests.kit.store_processes import kill, process


def hold(store: Store, ready: Callable[[], None]) -> None:
    with integration_lock(store, "acme"):
        ready()
        time.sleep(60)


def test_a_second_holder_is_refused_with_the_name_and_the_remedy(store: Store) -> None:
    with (
        integration_lock(store, "acme"),
        pytest.raises(ImportRunning, match=r"import of acme is running.*run this again"),
        integration_lock(store, "acme"),
    ):
        pass


def test_who_asks_is_told_that_an_import_runs_and_takes_nothing(store: Store) -> None:
    assert not import_running(store, "acme")
    with integration_lock(store, "acme"):
        assert import_running(store, "acme")
        assert not import_running(store, "globex")
    assert not import_running(store, "acme")


def test_another_integration_is_free(store: Store) -> None:
    with integration_lock(store, "acme"), integration_lock(store, "globex"):
        pass


def test_the_lock_is_free_after_use_and_after_a_failure(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), integration_lock(store, "acme"):
        _ = 1 / 0
    for _ in range(3):
        with integration_lock(store, "acme"):
            pass


def test_waiting_ends_when_the_holder_does(store: Store) -> None:
    held, release = threading.Event(), threading.Event()

    def hold_here() -> None:
        with integration_lock(store, "acme"):
            held.set()
            release.wait()

    thread = threading.Thread(target=hold_here)
    thread.start()
    held.wait()
    threading.Timer(0.2, release.set).start()
    with integration_lock(store, "acme", wait_seconds=30):
        pass
    thread.join()


def test_a_killed_process_lets_go_at_once(environment: Environment, store: Store) -> None:
    with process(environment, hold) as child:
        with pytest.raises(ImportRunning), integration_lock(store, "acme"):
            pass
        kill(child)
        started = time.monotonic()
        with integration_lock(store, "acme", wait_seconds=60):
            pass
        assert time.monotonic() - started < 30


def test_a_name_cannot_reach_outside_the_folder_of_locks(sqlite_environment: Environment) -> None:
    store = open_store(sqlite_environment)
    with integration_lock(store, "../../outside"):
        pass
    assert [path.parent for path in store.home.rglob("*.lock")] == [store.home / "locks"]
    store.close()
