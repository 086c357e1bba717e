"""What the data is for: milestones to celebrate, and who reports to whom."""

from datetime import date

import pandas as pd

from hris_pipeline.operations.services import Services
from hris_pipeline.operations.users import users_view
from hris_pipeline.reports.milestones import upcoming_milestones
from hris_pipeline.reports.reporting_lines import headcount, reporting_lines
from hris_pipeline.settings.calendar import local_date
from hris_pipeline.settings.mapping import effective_metadata
from hris_pipeline.store.settings_versions import current_settings

__all__ = ["milestones", "reporting"]


def milestones(services: Services, integration_id: str, today: date | None = None) -> pd.DataFrame:
    """Service anniversaries, onboarding days and birthdays of the next 90 days (``upcoming_milestones``)."""
    with services.store.read() as connection:
        settings = current_settings(connection, integration_id).settings
        users = users_view(connection, integration_id, settings)
    return upcoming_milestones(users, today or local_date(settings, services.now()))


def reporting(services: Services, integration_id: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The chain of supervisors of each user with the associated ones (``reporting_lines``), and the headcount."""
    with services.store.read() as connection:
        settings = current_settings(connection, integration_id).settings
        users = users_view(connection, integration_id, settings)
    metadata = effective_metadata(settings)
    associated = [entry.name for entry in metadata if entry.type == "associated"]
    return reporting_lines(users, associated), headcount(users, metadata)
