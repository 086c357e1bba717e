"""Pausing while imports run and wait: one that runs is finished, one that waits is skipped, a person may import."""

import json
import subprocess
import sys

import dagster as dg

from hris_pipeline.operations.automation import pause
from hris_pipeline.operations.upkeep import verify
from hris_pipeline_tests.kit.machine import MakeMachine
from hris_pipeline_tests.kit.processes import until


def test_a_pause_lets_the_running_import_finish_and_skips_the_waiting_one(make_machine: MakeMachine) -> None:
    machine = make_machine(run_coordinator={"max_concurrent_runs": 1})
    companies = machine.companies
    for name in ("alpha", "beta"):
        companies.add(name).week()
    companies.make_due()
    machine.know()
    companies.sandbox.fault("slow", path="/v1", seconds=2.0)
    with machine.daemon("daily_imports"):
        running = until(lambda: [run for run in machine.runs() if run.status is dg.DagsterRunStatus.STARTED])
        asked = companies.sandbox.requests.total()
        until(lambda: companies.sandbox.requests.total() > asked, what="a request of the running import")
        first = running[0].tags["dagster/partition"]
        (second,) = {"alpha", "beta"} - {first}
        for name in (first, second):
            pause(companies.services, name, "bea", "audit")
        companies.sandbox.clear_faults()
        machine.ended(2)

    (finished,), (skipped,) = machine.runs(first), machine.runs(second)
    assert finished.status is skipped.status is dg.DagsterRunStatus.SUCCESS
    assert companies.automatic_imports(first) == ["applied"]
    assert verify(companies.services, first).ok
    assert companies.state(first)["last_due_at"] == companies.due_at(first)

    assert skipped.tags["hris/skipped"].startswith("paused by bea at")
    assert skipped.tags["hris/skipped"].endswith("audit")
    assert companies.automatic_imports(second) == []
    assert companies.state(second)["last_due_at"] < companies.due_at(second)

    command = [sys.executable, "-c", "from hris_pipeline.cli import main; main()", "import", second, "--yes", "--json"]
    manual = subprocess.run(command, env=dict(companies.environ), capture_output=True, text=True, check=True)
    assert json.loads(manual.stdout)["status"] == "applied"
    assert [import_.trigger for import_ in companies.imports(second)] == ["manual", "manual"]
    assert companies.state(second)["automatic"] == "paused"
