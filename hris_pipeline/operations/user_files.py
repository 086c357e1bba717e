"""The user file: the users as the open import would leave them, in the columns an administrator knows."""

import pandas as pd

from hris_pipeline.frames.user_file import user_file
from hris_pipeline.operations.services import Services
from hris_pipeline.operations.users_view import users_view
from hris_pipeline.settings.mapping import effective_metadata
from hris_pipeline.store.registry import current_settings

__all__ = ["user_file_frame"]


def user_file_frame(services: Services, integration_id: str) -> pd.DataFrame:
    """One row an active user, all text, under the user file's headers, hidden metadata left out: after the open import
    if there is one, as stored otherwise."""
    with services.store.read() as connection:
        settings = current_settings(connection, integration_id).settings
        users = users_view(connection, integration_id, settings, planned=True)
    return user_file(users, effective_metadata(settings))
