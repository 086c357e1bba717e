"""The users of an integration: as they are or as the open import would leave them, as a user file, what they are good
for (milestones, who reports to whom), and what a person decides about single ones: loading local ones, protecting,
erasing.

Why somebody is as they are is ``explanation``'s.
"""

import json
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Any

import msgspec
import pandas as pd
import sqlalchemy as sa

from hris_pipeline.errors import UnknownName
from hris_pipeline.operations.services import Services
from hris_pipeline.reports.milestones import upcoming_milestones
from hris_pipeline.reports.reporting_lines import headcount, reporting_lines
from hris_pipeline.settings.calendar import local_date
from hris_pipeline.settings.document import MetadataField, Settings
from hris_pipeline.settings.fields import USER_FIELD_NAMES, USER_FIELDS
from hris_pipeline.settings.mapping import effective_metadata
from hris_pipeline.store.frames import read_users, rows_of
from hris_pipeline.store.history import directory_as_of
from hris_pipeline.store.imports import get_import, open_import
from hris_pipeline.store.integrations import current_settings, get_integration
from hris_pipeline.store.locks import integration_lock
from hris_pipeline.store.review import visible_metadata
from hris_pipeline.store.users import (
    Loaded,
    erase_person,
    find_person,
    find_user,
    integrations_of_directory,
    load_local_users,
    protect_user,
)
from hris_pipeline.transform.columns import as_text, casefold_key, text_series, to_date
from hris_pipeline.transform.user_file import read_user_file, user_file

__all__ = [
    "erase",
    "load_users",
    "milestones",
    "protect",
    "read_active_users",
    "reporting",
    "user_file_as_of",
    "user_file_frame",
]


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
    if metadata:
        columns = {name: values.astype(object).where(values.notna(), None) for name, values in metadata.items()}
        users["metadata"] = pd.Series(pd.DataFrame(columns, dtype=object).to_dict("records"), users.index, dtype=object)
    with services.store.begin() as connection:
        directory_id = get_integration(connection, integration_id).directory_id
        return load_local_users(connection, directory_id, users, services.now())


def protect(services: Services, integration_id: str, employee_id: str, *, protected: bool) -> None:
    """Marks a user whom no import may archive, nor give another email or EmployeeId; or takes the mark away.

    Raises:
        UnknownName: the directory has no user with that EmployeeId.
    """
    with services.store.begin() as connection:
        directory_id = get_integration(connection, integration_id).directory_id
        user_id = find_user(connection, directory_id, employee_id)
        protect_user(connection, user_id, protected, services.now())


def erase(
    services: Services,
    integration_id: str,
    known_as: str,
    by: str,
    *,
    remove_frames: Callable[[str], None] = lambda _: None,
) -> None:
    """Erases a person for good, by EmployeeId or hris_id, whether they ever became a user or not: from the directory's
    users, history, staged rows, quarantine, conflicts and diagnostics; and because the person is in them, the kept
    extracts and frames of every integration of the directory go too. A user's ids stay, so that no import makes the
    person anew. As long as the source lists the person, a later extract holds them again.

    Raises:
        UnknownName: nothing that is kept knows the person.
        ImportRunning: an import of one of the integrations is under way.
    """
    with services.store.read() as connection:
        directory_id = get_integration(connection, integration_id).directory_id
        names = integrations_of_directory(connection, directory_id)
    with ExitStack() as locks:
        for name in names:
            locks.enter_context(integration_lock(services.store, name, 0.0))
        with services.store.begin() as connection:
            person = find_person(connection, directory_id, integration_id, known_as)
            places = erase_person(connection, directory_id, person, by, services.now())
        if not places and not any(services.archive.mentions(name, known_as) for name in names):
            raise UnknownName(
                f"Nobody known as {known_as[:80]!r} is a user of {integration_id}'s directory or in anything that is "
                "kept: give the EmployeeId or hris_id exactly, with upper and lower case and leading zeros."
            )
        for name in names:
            services.archive.delete(name)
            remove_frames(name)


_DATES = tuple(field.name for field in USER_FIELDS if field.kind == "date")


def read_active_users(
    connection: sa.Connection, integration_id: str, settings: Settings, *, planned: bool = False
) -> pd.DataFrame:
    """Active users of the integration, by EmployeeId: ``user_id``, ``status``, the user fields (dates as dates) and
    ``#Name`` of each metadata field in force; with ``planned``, as the open import would leave them."""
    integration = get_integration(connection, integration_id)
    stored = read_users(connection, None, integration.directory_id)
    stored = stored[(stored["integration_id"] == integration_id).fillna(False).astype(bool)]
    users = pd.DataFrame({name: as_text(stored[name]) for name in ("user_id", "status", *USER_FIELD_NAMES)})
    metadata = [msgspec.json.decode(line) for line in stored["metadata"]]
    staged = open_import(connection, integration_id) if planned else None
    if staged is not None:
        rows = rows_of(connection, staged.import_id)
        states = [json.loads(line) for line in rows["after"]]
        after = pd.DataFrame(
            {name: text_series(state[name] for state in states) for name in ("status", *USER_FIELD_NAMES)}
        )
        after.insert(0, "user_id", rows["user_id"])
        keep = ~users["user_id"].isin(after["user_id"])
        metadata = [line for line, kept in zip(metadata, keep, strict=True) if kept]
        metadata += [state["metadata"] for state in states]
        users = pd.concat([users[keep], after], ignore_index=True)
    return _active_users(users, metadata, effective_metadata(settings))


def _active_users(users: pd.DataFrame, metadata: Iterable[Any], entries: Iterable[MetadataField]) -> pd.DataFrame:
    """The active ones by EmployeeId, dates as dates, with ``#Name`` of each entry taken from their metadata."""
    states = list(metadata)
    for entry in entries:
        values = (_metadata_text(state, entry.name) for state in states)
        users[entry.name.column] = text_series(values).set_axis(users.index)
    for name in _DATES:
        users[name] = to_date(users[name])
    active = users[(users["status"] == "active").fillna(False).astype(bool)]
    return active.sort_values("employee_id", ignore_index=True)


def _metadata_text(metadata: Any, name: str) -> str | None:
    """The value as text; what another application wrote that is none, as its JSON."""
    value = metadata.get(name) if isinstance(metadata, dict) else None
    return value if value is None or isinstance(value, str) else msgspec.json.encode(value).decode()


def user_file_frame(services: Services, integration_id: str) -> pd.DataFrame:
    """One row an active user, all text, under the user file's headers, hidden metadata left out: after the open import
    if there is one, as stored otherwise."""
    with services.store.read() as connection:
        settings = current_settings(connection, integration_id).settings
        users = read_active_users(connection, integration_id, settings, planned=True)
    return user_file(users, effective_metadata(settings))


def user_file_as_of(services: Services, integration_id: str, import_id: str) -> pd.DataFrame:
    """The user file of the integration's users as they were right after an import, under the metadata in force.

    Raises:
        UnknownName: no applied import of that id, or one of another integration.
    """
    with services.store.read() as connection:
        if get_import(connection, import_id).integration_id != integration_id:
            raise UnknownName(f"Import {import_id[:80]} is not one of {integration_id}.")
        settings = current_settings(connection, integration_id).settings
        past = directory_as_of(connection, get_integration(connection, integration_id).directory_id, import_id)
        visible = visible_metadata(connection, integration_id, None, services.now())
    past = past[(past["integration_id"] == integration_id).fillna(False).astype(bool)].reset_index(drop=True)
    entries = [entry for entry in effective_metadata(settings) if entry.name in visible]
    users = pd.DataFrame({name: as_text(past[name]) for name in ("user_id", "status", *USER_FIELD_NAMES)})
    return user_file(_active_users(users, map(msgspec.json.decode, past["metadata"]), entries), entries)


def milestones(services: Services, integration_id: str) -> pd.DataFrame:
    """Service anniversaries, onboarding days and birthdays of the next 90 days (``upcoming_milestones``)."""
    with services.store.read() as connection:
        settings = current_settings(connection, integration_id).settings
        users = read_active_users(connection, integration_id, settings)
    return upcoming_milestones(users, local_date(settings, services.now()))


def reporting(services: Services, integration_id: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The chain of supervisors of each user with the associated ones (``reporting_lines``), and the headcount."""
    with services.store.read() as connection:
        settings = current_settings(connection, integration_id).settings
        users = read_active_users(connection, integration_id, settings)
    metadata = effective_metadata(settings)
    associated = [entry.name for entry in metadata if entry.type == "associated"]
    return reporting_lines(users, associated), headcount(users, metadata)
