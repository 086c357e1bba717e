"""The banner about the daemon: what Dagster's heartbeats say, asked beside the page and not again for a while."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event

import pytest

from hris_pipeline.console.jobs import DaemonWatch, ask_for_daemon
from hris_pipeline.environment import Environment
from hris_pipeline_tests.kit.acme import Acme
from hris_pipeline_tests.kit.browser import Served, serve, words_of

BANNER = "Automatic imports do not start"


@dataclass
class Asked:
    """Answers in turn, the last one for ever, and counts how often it was asked."""

    answers: list[bool]
    times: int = 0
    may_answer: Event = field(default_factory=Event)

    def __call__(self) -> bool:
        self.may_answer.wait(10)
        self.times += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def watch(*answers: bool, clock: Callable[[], float] = time.monotonic) -> tuple[DaemonWatch, Asked]:
    asked = Asked(list(answers))
    asked.may_answer.set()
    return DaemonWatch(asked, clock), asked


def test_nobody_waits_for_the_answer() -> None:
    daemon_seen, asked = watch(True)
    asked.may_answer.clear()
    assert daemon_seen() is None
    asked.may_answer.set()
    assert daemon_seen.wait() is True


def test_the_answer_is_kept_for_a_while_and_then_asked_again() -> None:
    now = [0.0]
    daemon_seen, asked = watch(False, True, clock=lambda: now[0])
    assert [daemon_seen.wait() for _ in range(3)] == [False] * 3
    assert asked.times == 1
    now[0] = 60.0
    assert daemon_seen.wait() is True
    assert asked.times == 2


@pytest.mark.parametrize(("answer", "is_shown"), [(True, False), (False, True)])
def test_the_banner_says_what_the_heartbeats_say(acme: Acme, answer: bool, is_shown: bool) -> None:
    daemon_seen, _ = watch(answer)
    served = serve(acme.services, daemon_seen=daemon_seen)
    daemon_seen.wait()
    assert (BANNER in words_of(served.browser("viewer").get("/"))) is is_shown


def test_without_any_integration_there_is_nothing_to_warn_about(served: Served) -> None:
    daemon_seen, _ = watch(False)
    daemon_seen.wait()
    assert BANNER not in words_of(serve(served.console.services, daemon_seen=daemon_seen).browser().get("/"))


def test_where_dagster_was_never_started_no_daemon_is_seen(served: Served) -> None:
    assert ask_for_daemon(served.console.services.environment) is False


@pytest.mark.filterwarnings("ignore")
def test_a_heartbeat_in_the_instance_is_seen(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the daemon writes it; and not any more when it is old."""
    from dagster._daemon.types import DaemonHeartbeat

    from hris_pipeline.running import open_instance

    environment: Environment = served.console.services.environment
    monkeypatch.setenv("DAGSTER_HOME", str(environment.dagster_home))
    with open_instance(environment) as instance:
        assert ask_for_daemon(environment) is False
        for seconds_ago, seen in ((0.0, True), (3600.0, False)):
            beat = DaemonHeartbeat(time.time() - seconds_ago, "SCHEDULER", None, None)
            instance.add_daemon_heartbeat(beat)
            assert ask_for_daemon(environment) is seen
