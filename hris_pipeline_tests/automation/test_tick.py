"""One quarter hour over many integrations: who is due starts, who is not is named, and one that fails fails alone."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.instigation_logger import get_instigation_log_records
from dagster._core.scheduler.instigation import InstigatorTick, TickStatus

from hris_pipeline.operations.automation import RETRY_HOURS, pause
from hris_pipeline_tests.kit.automatic_companies import automatic_settings
from hris_pipeline_tests.kit.machine import Machine, MakeMachine
from hris_pipeline_tests.kit.processes import until

WELL = ("delta",)
REFUSED = "refused"
"""Fails for the first time."""
LAST_STRAW = "last-straw"
"""Has failed at two due moments and at three attempts of this one."""
DEAD, PAUSED, STRANGER, WEEKLY = "dead-tokens", "on-pause", "stranger", "weekly-stranger"


class Told(list[dict[str, Any]]):
    """The notifications that arrived."""

    def of(self, event: str, name: str) -> list[str]:
        """The texts for one integration and event."""
        return [message["message"] for message in self if message["title"] == f"HR sync of {name}: {event}"]


@contextmanager
def channel() -> Iterator[tuple[str, Told]]:
    """A webhook on this machine: its apprise address, and what it is told."""
    channel_log = Told()

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            channel_log.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Hook)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"json://127.0.0.1:{server.server_port}/", channel_log
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class Aftermath:
    """What is there when the quarter hour is over, and when the failed ones have been tried again."""

    machine: Machine
    channel_log: Told
    tick: InstigatorTick
    weekly: InstigatorTick
    runs: dict[str, list[dg.DagsterRun]]
    failed: dict[str, Any]
    straw: dict[str, Any]
    again: InstigatorTick
    runs_again: dict[str, list[dg.DagsterRun]]


@pytest.fixture(scope="module")
def aftermath(make_machine: MakeMachine) -> Iterator[Aftermath]:
    """Two quarter hours: the failures of the first are tried again in the second."""
    machine = make_machine()
    companies = machine.companies
    with channel() as (address, channel_log):
        notified = automatic_settings(notify=[{"to": address, "on": ["failed", "paused", "expiring"]}])
        for name in (*WELL, REFUSED, LAST_STRAW, DEAD, PAUSED, STRANGER):
            companies.add(name, settings=notified)
        companies.add(WEEKLY, settings=automatic_settings(frequency="weekly"))
        companies.make_due(days=3)
        companies.set(WEEKLY, last_due_at=companies.due_at(WEEKLY) - timedelta(days=21))
        companies.set(LAST_STRAW, attempts=len(RETRY_HOURS), failures=2)
        pause(companies.services, PAUSED, "bea", "audit")
        companies.sandbox.fault("server_error", status=400, path="/v1/members", username=REFUSED)
        companies.sandbox.fault("server_error", status=400, path="/v1/members", username=LAST_STRAW)
        companies.sandbox.fault("expired_refresh", username=DEAD)
        machine.know(*WELL, REFUSED, LAST_STRAW, DEAD, PAUSED)
        machine.failures_watched()

        with machine.daemon("daily_imports", "weekly_imports"):
            tick, weekly = machine.tick("daily_imports"), machine.tick("weekly_imports")
            machine.ended(len(WELL) + 3)
            machine.sensor_looks_now("failed_imports")
            until(lambda: companies.state(REFUSED)["retry_at"] and companies.state(DEAD)["retry_at"], what="a retry")
            until(lambda: companies.state(LAST_STRAW)["automatic"] == "paused", what="the pause")
            machine.sensor_looks_now("failed_imports")
        runs = {name: machine.runs(name) for name in companies.by_name}
        failed, straw = dict(companies.state(REFUSED)), dict(companies.state(LAST_STRAW))

        companies.sandbox.clear_faults()
        companies.set(REFUSED, retry_at=datetime.now(UTC) - timedelta(hours=1))
        with machine.daemon("daily_imports"):
            again = machine.tick("daily_imports")
            machine.ended(len(WELL) + 4)
        runs_again = {name: machine.runs(name)[len(runs[name]) :] for name in companies.by_name}
        yield Aftermath(machine, channel_log, tick, weekly, runs, failed, straw, again, runs_again)


def explanation(machine: Machine, tick: InstigatorTick) -> str:
    """Who was left out, as the tick tells it beside its runs."""
    assert tick.log_key is not None
    return "\n".join(str(record["msg"]) for record in get_instigation_log_records(machine.instance, tick.log_key))


def test_everyone_due_who_can_be_imported_is_imported(aftermath: Aftermath) -> None:
    for name in WELL:
        (run,) = aftermath.runs[name]
        assert run.status is dg.DagsterRunStatus.SUCCESS
        assert run.tags["dagster/schedule_name"] == "daily_imports"
        assert aftermath.machine.companies.automatic_imports(name) == ["applied"]


def test_days_that_were_missed_are_caught_up_by_exactly_one_import(aftermath: Aftermath) -> None:
    companies = aftermath.machine.companies
    for name in WELL:
        assert len(companies.imports(name, trigger="catch_up")) == 1
        assert companies.state(name)["last_due_at"] == companies.due_at(name)
        assert aftermath.runs_again[name] == []


def test_one_that_fails_has_a_red_run_of_its_own(aftermath: Aftermath) -> None:
    for name in (REFUSED, LAST_STRAW, DEAD):
        (run,) = aftermath.runs[name]
        assert run.status is dg.DagsterRunStatus.FAILURE
        assert run.tags["hris/failure"]


def test_who_is_left_out_is_named_with_the_reason_beside_the_runs_of_the_others(aftermath: Aftermath) -> None:
    reason = explanation(aftermath.machine, aftermath.tick)
    assert aftermath.tick.status is TickStatus.SUCCESS
    assert f"{PAUSED} (paused by bea at" in reason
    assert "audit" in reason
    assert f"{STRANGER} (not known to this Dagster instance" in reason
    assert aftermath.runs[PAUSED] == aftermath.runs[STRANGER] == []


def test_a_tick_without_runs_is_skipped_with_the_reason(aftermath: Aftermath) -> None:
    assert aftermath.weekly.status is TickStatus.SKIPPED
    assert aftermath.weekly.skip_reason is not None
    assert aftermath.weekly.skip_reason.startswith(f"Left out: {WEEKLY} (not known to this Dagster instance")


def test_a_failed_import_is_tried_again_later(aftermath: Aftermath) -> None:
    wait = aftermath.failed["retry_at"] - datetime.now(UTC)
    assert timedelta(minutes=50) < wait <= timedelta(hours=RETRY_HOURS[0])
    assert (aftermath.failed["attempts"], aftermath.failed["failures"]) == (1, 0)
    (run,) = aftermath.runs_again[REFUSED]
    assert (run.status, run.tags["hris/attempt"]) == (dg.DagsterRunStatus.SUCCESS, "1")
    assert aftermath.machine.companies.automatic_imports(REFUSED) == ["failed", "applied"]
    assert aftermath.machine.companies.state(REFUSED)["attempts"] == 0


def test_a_dead_connection_is_not_tried_again_but_named(aftermath: Aftermath) -> None:
    assert f"{DEAD} (the connection is expired: run `hris connect {DEAD}`)" in explanation(
        aftermath.machine, aftermath.again
    )
    assert aftermath.runs_again[DEAD] == []


def test_three_failures_in_a_row_pause_with_the_reason(aftermath: Aftermath) -> None:
    straw = aftermath.straw
    assert (straw["automatic"], straw["automatic_by"], straw["failures"]) == ("paused", "hris", 3)
    assert straw["automatic_reason"] == "3 automatic imports in a row failed"
    assert f"{LAST_STRAW} (paused by hris at" in explanation(aftermath.machine, aftermath.again) or (
        straw["last_due_at"] == aftermath.machine.companies.due_at(LAST_STRAW)
    )


def test_each_change_of_state_is_told_once_in_ids_and_counts(aftermath: Aftermath) -> None:
    assert len(aftermath.channel_log.of("failed", REFUSED)) == 1
    assert len(aftermath.channel_log.of("paused", LAST_STRAW)) == 1
    people = [person for company in aftermath.machine.companies.by_name.values() for person in company.persons()]
    text = json.dumps(aftermath.channel_log, ensure_ascii=False)
    for person in people:
        assert person.work_email is None or person.work_email not in text
        assert f"{person.first_name} {person.last_name}" not in text
