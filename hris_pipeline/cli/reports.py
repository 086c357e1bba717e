"""What the data is for: milestones, and who reports to whom."""

from typing import Any

import pandas as pd
import pyarrow as pa

from hris_pipeline.cli.common import IntegrationArgument, open_services
from hris_pipeline.cli.printing import CommandResult, cell, table
from hris_pipeline.operations import reports

__all__ = ["milestones", "reporting"]


def milestones(name: IntegrationArgument) -> CommandResult:
    """Service anniversaries, onboarding days 30, 60 and 90, and birthdays of the active users, by date."""
    with open_services() as services:
        records = _records(reports.milestones(services, name))
    lines = [(record["date"], record["employee_id"], record["milestone"], record["years_or_day"]) for record in records]
    grid = table(("date", "EmployeeId", "milestone", ">years or day"), lines)
    return CommandResult(
        {"integration": name, "milestones": records}, [grid if lines else cell("None in the next 90 days.")]
    )


def reporting(name: IntegrationArgument) -> CommandResult:
    """The chain of supervisors of each active user with the associated ones, and headcounts by department, location and
    role. Who supervises themselves, perhaps through others, is marked.
    """
    with open_services() as services:
        lines_frame, counts_frame = reports.reporting(services, name)
    lines, counts = _records(lines_frame), _records(counts_frame)
    people = [
        (
            record["employee_id"],
            " → ".join(record["chain"]),
            ", ".join(record["approvers"] or ()),
            "cycle" if record["in_cycle"] else "",
        )
        for record in lines
    ]
    payload = {"integration": name, "reporting_lines": lines, "headcount": counts}
    chains = table(("EmployeeId", "reports to", "associated", ""), people)
    heads = table(
        ("by", "", ">people"),
        [(record["dimension"], record["value"] or "–", record["active_count"]) for record in counts],
    )
    return CommandResult(payload, [chains, "", heads])


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = pa.Table.from_pandas(frame, preserve_index=False).to_pylist()
    return records
