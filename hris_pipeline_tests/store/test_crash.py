"""The applying process is killed at every statement boundary: it happened wholly or not at all, and runs again."""

import time
from collections.abc import Callable

import pytest

from hris_pipeline.environment import Environment
from hris_pipeline.store.engine import Store
from hris_pipeline.store.locks import integration_lock
from hris_pipeline_tests.kit.store_builders import (
    applied,
    apply,
    create,
    integration,
    stage,
    state,
    states,
    update,
    user_id,
)
from hris_pipeline_tests.kit.store_processes import kill, process

BOUNDARIES = ("lock", "check order", "check users", "park", "update", "create", "mark applied", "commit")


def apply_until(store: Store, ready: Callable[[], None], import_id: str, boundary: str) -> None:
    def stop(name: str) -> None:
        if name == boundary:
            ready()
            time.sleep(60)

    with integration_lock(store, "acme"):
        apply(store, import_id, on_statement=stop)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_killed_at(environment: Environment, store: Store, boundary: str) -> None:
    integration(store)
    applied(store, create(1), create(2))
    before = states(store)
    target = {
        user_id(1): state(1, employee_id="0002", email_key="p2@example.com"),
        user_id(2): state(2, employee_id="0001", email_key="p1@example.com"),
        user_id(3): state(3),
    }
    swap = [update(number, state(number), **target[user_id(number)]) for number in (1, 2)]
    staged = stage(store, *swap, create(3))

    with process(environment, apply_until, staged.import_id, boundary) as child:
        assert states(store) == (target if boundary == "commit" else before)
        kill(child)
    assert states(store) == (target if boundary == "commit" else before)
    with integration_lock(store, "acme", wait_seconds=5):
        assert (apply(store, staged.import_id, run_id="again").applied_run_id != "again") == (boundary == "commit")
    assert states(store) == target
