"""The same worker on RabbitMQ: runs end as they should, a terminated one too, and what waits outlives the broker."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hris_pipeline.environment import Environment
from hris_pipeline.store.engine import upgrade_store
from hris_pipeline_tests.kit.celery_machines import Site, site_of
from hris_pipeline_tests.kit.processes import until
from hris_pipeline_tests.kit.rabbitmq_server import RabbitMQ, needs_rabbitmq, rabbitmq_server

pytestmark = [needs_rabbitmq, pytest.mark.soak]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[RabbitMQ]:
    with rabbitmq_server(tmp_path / "rabbitmq") as broker:
        yield broker


@pytest.fixture
def site(broker: RabbitMQ, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """One worker with two slots; its store is on SQLite."""
    environ = {"HRIS_HOME": str(tmp_path / "hris"), "HRIS_BROKER_URL": broker.url}
    upgrade_store(Environment.read(environ))
    with site_of(tmp_path / "celery", environ, monkeypatch, terminate_grace_seconds=1) as site:
        site.worker()
        yield site


def test_runs_go_through_rabbitmq_are_terminated_by_it_and_wait_in_it_while_it_restarts(
    site: Site, broker: RabbitMQ
) -> None:
    working, failing = site.launch("work"), site.launch("fail")
    assert [site.outcome(run) for run in (working, failing)] == ["SUCCESS", "FAILURE"]
    hanging, also = site.launch("hang"), site.launch("hang")
    for run in (hanging, also):
        site.process(run)
    waiting = site.launch("work")
    until(lambda: broker.waiting() == 1, what="a message that waits")
    assert site.instance.run_launcher.terminate(hanging.run_id)
    assert site.outcome(hanging) == "CANCELED"
    assert site.outcome(waiting) == "SUCCESS"

    third = site.launch("hang")
    site.process(third)
    waiting = site.launch("work")
    until(lambda: broker.waiting() == 1, what="a message that waits")
    broker.kill()
    broker.start()
    until(lambda: "Connected to amqp" in site.workers[0].output.rpartition("Connection refused")[2], 120, what="both")
    for run in (also, third):
        assert site.instance.run_launcher.terminate(run.run_id)
        assert site.outcome(run) == "CANCELED"
    assert site.outcome(waiting) == "SUCCESS"
    assert [site.starts(run) for run in (working, hanging, also, third, waiting)] == [1] * 5
