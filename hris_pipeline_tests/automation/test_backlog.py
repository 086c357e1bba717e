"""A queue that takes longer than a quarter hour: the next tick asks for nothing that has a run already."""

import warnings
from datetime import datetime, timedelta

import dagster as dg
import pytest
from dagster._core.definitions.schedule_definition import ScheduleExecutionData

from hris_pipeline.defs.runs import SKIPPED_TAG
from hris_pipeline_tests.kit.machine import Machine, MakeMachine

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Dagster looks at its config classes in a way that pydantic has deprecated
    from hris_pipeline.definitions import defs

NAME = "acme"


@pytest.fixture(scope="module")
def machine(make_machine: MakeMachine) -> Machine:
    """One company whose import is due."""
    machine = make_machine()
    machine.companies.add(NAME)
    machine.companies.make_due()
    machine.know()
    return machine


def tick(machine: Machine, at: datetime) -> ScheduleExecutionData:
    repository = defs.get_repository_def()
    services = machine.companies.services
    context = dg.build_schedule_context(
        machine.instance, at, resources={"services": services}, repository_def=repository
    )
    return repository.get_schedule_def("daily_imports").evaluate_tick(context)


@pytest.mark.parametrize(
    "status", [dg.DagsterRunStatus[status] for status in ("STARTING", "STARTED", "FAILURE", "CANCELED")]
)
def test_a_due_moment_that_has_a_run_gets_no_second_one(machine: Machine, status: dg.DagsterRunStatus) -> None:
    at = machine.companies.due_at(NAME) + timedelta(minutes=15)
    (request,) = tick(machine, at).run_requests or []
    run = machine.instance.create_run_for_job(
        defs.resolve_job_def("import_users"), tags={**request.tags, "dagster/partition": NAME}, status=status
    )
    again = tick(machine, at + timedelta(minutes=15))
    assert again.run_requests == []
    assert again.skip_message == f"Left out: {NAME} (run {run.run_id[:8]} for it is {status.value.lower()})."
    machine.instance.delete_run(run.run_id)


def test_one_that_was_skipped_or_never_sent_does_not_count(machine: Machine) -> None:
    at = machine.companies.due_at(NAME) + timedelta(minutes=15)
    (request,) = tick(machine, at).run_requests or []
    job = defs.resolve_job_def("import_users")
    for status, tags in ((dg.DagsterRunStatus.NOT_STARTED, {}), (dg.DagsterRunStatus.SUCCESS, {SKIPPED_TAG: "paused"})):
        machine.instance.create_run_for_job(job, tags={**request.tags, **tags}, status=status)
    (again,) = tick(machine, at + timedelta(minutes=15)).run_requests or []
    assert again.run_key == f"{request.run_key}:1"
