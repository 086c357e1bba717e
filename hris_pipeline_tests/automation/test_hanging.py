"""A company whose source hangs holds a place in the queue, and nobody else."""

import dagster as dg

from hris_pipeline_tests.kit.machine import MakeMachine
from hris_pipeline_tests.kit.processes import until

HANGING, WELL = "alpha", ("beta", "gamma")
"""The first in the queue, and those behind it."""


def test_the_others_are_imported_while_one_hangs(make_machine: MakeMachine) -> None:
    machine = make_machine(run_coordinator={"max_concurrent_runs": 2})
    companies = machine.companies
    for name in (HANGING, *WELL):
        companies.add(name).week()
    companies.make_due()
    machine.know()
    companies.sandbox.fault("slow", path="/v1", seconds=60.0, username=HANGING)
    with machine.daemon("daily_imports"):
        until(lambda: all("applied" in companies.automatic_imports(name) for name in WELL), what="the others' imports")
        (run,) = machine.runs(HANGING)
        assert run.status is dg.DagsterRunStatus.STARTED
        companies.sandbox.clear_faults()
    assert companies.automatic_imports(HANGING) == []
    assert companies.state(HANGING)["last_due_at"] < companies.due_at(HANGING)
