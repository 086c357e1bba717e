"""The assets, each file a part of the line from a company's members to the store; all partitioned by integration."""

from hris_pipeline.defs.assets.applied_changes import applied_changes
from hris_pipeline.defs.assets.change_set import change_set
from hris_pipeline.defs.assets.employees import employees
from hris_pipeline.defs.assets.integration_settings import integration_settings
from hris_pipeline.defs.assets.justworks_members import justworks_members
from hris_pipeline.defs.assets.mapped_users import mapped_users
from hris_pipeline.defs.assets.reports import reporting_lines, upcoming_milestones
from hris_pipeline.defs.assets.user_file import user_file

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
