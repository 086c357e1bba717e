"""The settings of an integration: making it, reading those in force, changing them after a check against the last
extract. Every step can be taken twice and means the same."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa

from hris_pipeline.errors import FrameInvalid, Problem, SettingsInvalid, UnknownName, UsageError
from hris_pipeline.operations.automation import carry_over_due, start_if_configured
from hris_pipeline.operations.extraction import look_manifest
from hris_pipeline.operations.notification import forget_notifications
from hris_pipeline.operations.services import Services
from hris_pipeline.settings.document import Settings, named_sources
from hris_pipeline.settings.mapping import custom_labels, effective_metadata, metadata_renames
from hris_pipeline.settings.text import nearest_or_all
from hris_pipeline.settings.validating import format_path
from hris_pipeline.settings.values import custom_label, matching_everybody
from hris_pipeline.store.automation import automation
from hris_pipeline.store.integrations import (
    Integration,
    SettingsVersion,
    accept_terms,
    create_integration,
    describe_integration,
    get_integration,
    put_settings,
    settings_since,
    settings_to_replace,
)
from hris_pipeline.store.seals import record_kept_users
from hris_pipeline.store.stored_json import rename_metadata
from hris_pipeline.store.tables import users

__all__ = [
    "SettingsChange",
    "change_settings",
    "check_against_extract",
    "check_settings",
    "put_change",
    "read_settings",
    "set_up",
    "settings_changed",
]


@dataclass(frozen=True)
class SettingsChange:
    """The version now in force; warnings about settings that do not fit the last extract; and in how many users a
    stored value moved to the new name of its metadata."""

    version: int
    warnings: tuple[Problem, ...] = ()
    renamed: int = 0


def set_up(
    services: Services,
    integration_id: str,
    *,
    settings: Settings | None = None,
    actor: str,
    accept: bool = False,
) -> Integration:
    """The integration of that name, made if there is none; ``settings`` and an acceptance of the terms are recorded.

    Raises:
        UsageError: the name is no slug.
        SettingsInvalid: the settings contradict what is there.
    """
    with services.store.begin() as connection:
        try:
            get_integration(connection, integration_id)
        except UnknownName:
            create_integration(connection, integration_id, now=services.now())
            first = settings or Settings()
            _describe(connection, integration_id, first)
            record_kept_users(connection, integration_id, first.directory or integration_id, first.do_not_archive)
            put_settings(connection, integration_id, first, actor=actor, now=services.now())
        if accept:
            accept_terms(connection, integration_id, actor, services.now())
    if settings is not None:
        change_settings(services, integration_id, settings, actor)
    with services.store.read() as connection:
        return get_integration(connection, integration_id)


def change_settings(services: Services, integration_id: str, settings: Settings, actor: str) -> SettingsChange:
    """Stores the settings as a new version, unless they are the ones in force, after checking them against the last
    extract and the store. Renamed metadata is renamed in the users too; another source ends the connection to this one,
    whose token it must never see.

    Raises:
        SettingsInvalid: something is impossible here; nothing was changed.
        UsageError: something cannot be changed any more.
    """
    warnings = check_settings(services, integration_id, settings)
    with services.store.read() as connection:
        old = settings_to_replace(connection, integration_id) or settings
        _refuse_late_changes(connection, integration_id, old, settings)
    if old.source != settings.source:
        from hris_pipeline.operations.connection import disconnect  # noqa: PLC0415 - it speaks to the source

        disconnect(services, integration_id)
    with services.store.begin() as connection:
        change = put_change(connection, integration_id, settings, actor=actor, now=services.now())
    services.settings.clear()
    return replace(change, warnings=warnings)


def check_settings(services: Services, integration_id: str, settings: Settings) -> tuple[Problem, ...]:
    """Warnings about settings that do not fit the last extract; none while there is no extract that can be used.

    Raises:
        SettingsInvalid: something is impossible for this company.
    """
    errors, warnings = _check_on_extract(services, integration_id, settings)
    if errors:
        raise SettingsInvalid(errors)
    return warnings


def put_change(
    connection: sa.Connection, integration_id: str, settings: Settings, *, actor: str, now: datetime
) -> SettingsChange:
    """Stores checked settings as the version in force, with all that follows from them in the store:
    renamed metadata is renamed in the users, a due moment is carried over, automatic imports start.

    Raises:
        UsageError: something cannot be changed any more.
    """
    before = automation(connection, integration_id)
    old = settings_to_replace(connection, integration_id) or settings
    _refuse_late_changes(connection, integration_id, old, settings)
    renames = metadata_renames(old, settings).items()
    renamed = sum(
        rename_metadata(connection, integration_id, old_name, new_name, now) for old_name, new_name in renames
    )
    _describe(connection, integration_id, settings)
    directory_id = settings.directory or integration_id
    record_kept_users(connection, integration_id, directory_id, settings.do_not_archive)
    version = put_settings(connection, integration_id, settings, actor=actor, now=now)
    if not settings.notify:
        forget_notifications(connection, integration_id)
    carry_over_due(connection, before, settings, now)
    if not before.settings.start_automatic_imports:
        start_if_configured(connection, integration_id, actor, "settings", now)
    return SettingsChange(version, renamed=renamed)


def _describe(connection: sa.Connection, integration_id: str, settings: Settings) -> None:
    describe_integration(
        connection,
        integration_id,
        display_name=settings.display_name or integration_id,
        source=settings.source,
        directory_id=settings.directory or integration_id,
    )


def _refuse_late_changes(connection: sa.Connection, integration_id: str, old: Settings, new: Settings) -> None:
    if old.employee_ids == new.employee_ids:
        return
    managed = sa.select(sa.func.count()).select_from(users).where(users.c.integration_id == integration_id)
    if connection.execute(managed).scalar_one():
        raise UsageError(
            f"employee_ids of {integration_id} cannot be switched to {new.employee_ids}: users exist already, and "
            "their EmployeeIds are known elsewhere. Set up another integration instead."
        )


def _check_on_extract(
    services: Services, integration_id: str, settings: Settings
) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
    """Errors and warnings; none while there is no extract that can be used. The people of the extract are read only for
    settings that depend on their values."""
    try:
        manifest = look_manifest(services, integration_id)
        by_rule: Mapping[str, float] = {}
        by_reference: Mapping[str, float] = {}
        further: tuple[Problem, ...] = ()
        if settings.do_not_import or any(entry.type == "associated" for entry in effective_metadata(settings)):
            from hris_pipeline.operations.members import read_shares  # noqa: PLC0415 - it needs frames

            shares = read_shares(services, manifest, settings)
            by_rule, by_reference, further = shares.by_rule, shares.by_reference, shares.warnings
    except (UnknownName, FrameInvalid):
        return (), ()
    labels = custom_labels(manifest.company).values()
    errors, warnings = check_against_extract(settings, labels, by_rule, by_reference)
    return tuple(errors), (*warnings, *further)


def read_settings(services: Services, integration_id: str) -> SettingsVersion:
    """The integration's current settings.

    Raises:
        UnknownName: no such integration, or one that was never set up.
    """
    with services.store.read() as connection:
        return services.settings.read(connection, integration_id)


def settings_changed(services: Services, after: datetime | None, limit: int) -> tuple[SettingsVersion, ...]:
    """The settings in force that were stored later than ``after``, oldest first, so many at most; one statement."""
    with services.store.read() as connection:
        return settings_since(connection, after, limit)


def check_against_extract(
    settings: Settings,
    known_custom_labels: Collection[str],
    rule_shares: Mapping[str, float],
    reference_shares: Mapping[str, float],
) -> tuple[list[Problem], list[Problem]]:
    """(errors, warnings): errors must keep the settings from being stored, warnings are shown.

    Args:
        settings: what is about to be stored.
        known_custom_labels: labels of the custom fields that the company defines.
        rule_shares: rule name → share (0 to 1) of the extract's employees who match it; empty without employees.
        reference_shares: name of an associated metadata field → share (0 to 1) of its values that are somebody's
            EmployeeId; left out where it has no values.
    """
    document = settings.document()
    errors = [
        Problem(
            format_path(path, document),
            f"the company has no custom field {label!r}."
            f"{nearest_or_all(label, known_custom_labels) or ' It has none.'}",
        )
        for path, source in named_sources(settings)
        if (label := custom_label(source)) is not None and label not in known_custom_labels
    ]
    errors += [
        Problem(format_path(("do_not_import", index), document), matching_everybody(rule))
        for index, rule in enumerate(settings.do_not_import)
        if rule_shares.get(rule.name, 0) >= 1
    ]
    warnings = [
        Problem(
            format_path(("metadata", index), document),
            f"no value of {entry.source} is anybody's EmployeeId, as type: associated needs",
        )
        for index, entry in enumerate(settings.metadata)
        if entry.type == "associated" and reference_shares.get(entry.name, 1) <= 0
    ]
    return errors, warnings
