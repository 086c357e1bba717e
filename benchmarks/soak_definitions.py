"""The pipeline's own definitions with a fast clock for its schedules: every minute is a day.

The schedules evaluate as they are; they only tick every minute instead of every quarter hour, and are told a time that
has moved on a day with each tick since ``HRIS_SOAK_BEGAN`` (seconds since 1970). So the calendar, due moments, run keys
and catch-ups are the real ones, and an hour holds sixty days.
"""

import os
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from hris_pipeline.definitions import build_defs
from hris_pipeline.defs.automation import SCHEDULES
from hris_pipeline.defs.jobs import import_users

__all__ = ["defs", "told_time"]

MINUTE = timedelta(minutes=1)


def told_time(began: datetime, tick: datetime) -> datetime:
    """The time that a tick is told: as many days after the beginning as it is minutes."""
    return began + (tick - began) // MINUTE * timedelta(days=1)


def _fast(schedule: dg.ScheduleDefinition) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=schedule.name,
        job=import_users,
        cron_schedule="* * * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        required_resource_keys={"services"},
    )
    def evaluate(context: dg.ScheduleEvaluationContext) -> Any:
        began = datetime.fromtimestamp(float(os.environ["HRIS_SOAK_BEGAN"]), UTC)
        with dg.build_schedule_context(
            instance=context.instance,
            scheduled_execution_time=told_time(began, context.scheduled_execution_time),
            resources={"services": context.resources.services},
        ) as notes:
            return schedule(notes)

    return evaluate


def _defs() -> dg.Definitions:
    real = build_defs()
    imports = [schedule for schedule in SCHEDULES if schedule.name.endswith("_imports")]
    others = [schedule for schedule in SCHEDULES if schedule not in imports]
    return dg.Definitions(
        assets=real.assets,
        jobs=real.jobs,
        schedules=[*(_fast(import_) for import_ in imports), *others],
        sensors=real.sensors,
        resources=real.resources,
        executor=real.executor,
    )


defs = _defs()
