"""What a person decides about single users: loading local ones, protecting, erasing."""

from collections.abc import Callable

import pandas as pd

from hris_pipeline.errors import UsageError
from hris_pipeline.frames.columns import casefold_key
from hris_pipeline.frames.state import metadata_json, metadata_values
from hris_pipeline.frames.user_file import read_user_file
from hris_pipeline.operations.services import Services
from hris_pipeline.store import local_users
from hris_pipeline.store.local_users import Loaded
from hris_pipeline.store.locks import integration_lock
from hris_pipeline.store.registry import get_integration

__all__ = ["erase", "load_users", "protect"]


def load_users(services: Services, integration_id: str, user_file: bytes) -> Loaded:
    """Loads a user file's people as local users of the integration's directory: made, or changed by EmployeeId; managed
    users are left alone. All of the file, or nothing.

    Raises:
        UsageError: every problem of the file, with its lines.
    """
    frame = read_user_file(user_file)
    metadata = {name[1:]: frame[name] for name in frame.columns if name.startswith("#")}
    users = frame[[name for name in frame.columns if not name.startswith("#")]].copy()
    if "email" in users:
        users["email_key"] = casefold_key(users["email"])
        if users["email_key"].dropna().duplicated().any():
            raise UsageError("The user file gives one email to several people, and nothing of it was loaded.")
    if metadata:
        users["metadata"] = pd.Series(
            metadata_values(metadata_json([{}] * len(frame), metadata, frame.index)), index=frame.index
        )
    with services.store.begin() as connection:
        directory_id = get_integration(connection, integration_id).directory_id
        return local_users.load_local_users(connection, directory_id, users, services.now())


def protect(services: Services, integration_id: str, employee_id: str, *, protected: bool) -> None:
    """Marks a user whom no import may archive, nor give another email or EmployeeId; or takes the mark away.

    Raises:
        UnknownName: the directory has no user with that EmployeeId.
    """
    with services.store.begin() as connection:
        directory_id = get_integration(connection, integration_id).directory_id
        user_id = local_users.find_user(connection, directory_id, employee_id)
        local_users.protect_user(connection, user_id, protected, services.now())


def erase(
    services: Services,
    integration_id: str,
    employee_id: str,
    by: str,
    *,
    remove_frames: Callable[[str], None] = lambda _: None,
) -> None:
    """Erases a person for good: from the user, the whole history, quarantine and conflicts; and because the person is
    in them, the integration's kept extracts and frames go too. Ids stay, so that no import makes the person anew. As
    long as the source lists the person, a later extract holds them again.

    Raises:
        UnknownName: the directory has no user with that EmployeeId.
        ImportRunning: an import of the integration is under way.
    """
    with integration_lock(services.store, integration_id, 0.0):
        with services.store.begin() as connection:
            directory_id = get_integration(connection, integration_id).directory_id
            user_id = local_users.find_user(connection, directory_id, employee_id)
            local_users.erase_user(connection, user_id, by, services.now())
        services.archive.delete(integration_id)
        remove_frames(integration_id)
