"""Everything killed at once, in a tick and in its runs: then exactly the imports that should happen, none twice."""

import time

import dagster as dg
import pytest

from hris_pipeline.operations.upkeep import verify
from hris_pipeline_tests.kit.machine import MakeMachine
from hris_pipeline_tests.kit.processes import until

NAMES = tuple(f"company-{number}" for number in range(6))


@pytest.mark.soak
def test_after_power_cuts_in_tick_and_runs_every_due_import_happened_once(make_machine: MakeMachine) -> None:
    machine = make_machine(run_monitoring={"start_timeout_seconds": 30})  # some died before they began
    companies = machine.companies
    for name in NAMES:
        companies.add(name).week()
    companies.make_due()
    machine.know()

    with machine.daemon("daily_imports") as daemon:
        until(machine.runs, every=0.005, what="the first run of the tick")
        daemon.kill()
    with machine.daemon() as daemon:
        machine.tick("daily_imports")
        until(lambda: any(run.status is dg.DagsterRunStatus.STARTED for run in machine.runs()), every=0.02)
        time.sleep(0.5)  # somewhere in the work, and it does not matter where
        daemon.kill()
    with machine.daemon():
        until(lambda: all("applied" in companies.automatic_imports(name) for name in NAMES), 300)
        machine.ended(len(NAMES), seconds=300)

    for name in NAMES:
        assert companies.automatic_imports(name).count("applied") == 1
        assert companies.state(name)["last_due_at"] == companies.due_at(name)
        assert companies.imports(name, status="planned") == []
        assert verify(companies.services, name).ok
        firsts = [run for run in machine.runs(name) if run.parent_run_id is None]
        assert len(firsts) == 1, "the due moment has one run, beside what is started once more after a crash"
