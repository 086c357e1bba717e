"""The assets, each file a part of the line from a company's members to the store; all partitioned by integration."""

from hris_pipeline.defs.assets.change_set import (
    applied_changes,
    change_set,
    reporting_lines,
    upcoming_milestones,
    user_file,
)
from hris_pipeline.defs.assets.employees import employees, integration_settings, justworks_members, mapped_users

__all__ = [
    "ASSETS",
    "applied_changes",
    "change_set",
    "employees",
    "integration_settings",
    "justworks_members",
    "mapped_users",
    "reporting_lines",
    "upcoming_milestones",
    "user_file",
]

ASSETS = (
    integration_settings,
    justworks_members,
    employees,
    mapped_users,
    change_set,
    applied_changes,
    user_file,
    upcoming_milestones,
    reporting_lines,
)
