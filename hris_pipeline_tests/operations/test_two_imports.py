"""Two imports of one company at once, in real processes: the second waits, or is told, from the first request on."""

import time
from collections.abc import Callable

import pytest

from hris_pipeline.environment import Environment
from hris_pipeline.errors import ImportRunning
from hris_pipeline.operations.extraction import extract_members
from hris_pipeline.operations.services import open_services
from hris_pipeline.store.engine import Store
from hris_pipeline_tests.kit.acme import Acme
from hris_pipeline_tests.kit.store_processes import kill, process


def hold_while_reading(_: Store, ready: Callable[[], None], environment: Environment, seconds: float) -> None:
    """Reads as an import does, in the middle of it for so long: held from the first request on to its end."""

    def stand_still(_: int) -> None:
        ready()
        time.sleep(seconds)

    services = open_services(environment)
    services.hold.take(services.store, "acme")
    extract_members(services, "acme", progress=stand_still)
    services.close()


def test_the_second_is_told_while_the_first_reads(acme: Acme) -> None:
    with process(acme.services.environment, hold_while_reading, acme.services.environment, 60.0):
        with pytest.raises(ImportRunning, match="Another import of acme is running"):
            extract_members(acme.services, "acme")
        with pytest.raises(ImportRunning):
            acme.preview()


def test_the_second_waits_for_the_end_of_the_first(acme: Acme) -> None:
    with process(acme.services.environment, hold_while_reading, acme.services.environment, 0.5) as child:
        acme.services.hold.take(acme.services.store, "acme", wait_seconds=60)
        assert extract_members(acme.services, "acme").complete
        child.join()
        assert child.exitcode == 0


def test_a_killed_import_holds_nobody_up(acme: Acme) -> None:
    with process(acme.services.environment, hold_while_reading, acme.services.environment, 60.0) as child:
        kill(child)
        acme.services.hold.take(acme.services.store, "acme", wait_seconds=60)
        assert extract_members(acme.services, "acme").complete


def test_whoever_has_the_hold_goes_through_and_lets_go_once(acme_lite: Acme) -> None:
    services = acme_lite.services
    services.hold.take(services.store, "acme")
    services.hold.take(services.store, "acme")
    assert acme_lite.preview().changes == 0
    services.hold.release("acme")
    services.hold.release("acme")
    other = open_services(services.environment)
    other.hold.take(other.store, "acme")
    with pytest.raises(ImportRunning):
        acme_lite.preview()
    other.close()
    assert acme_lite.preview().changes == 0
