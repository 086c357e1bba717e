"""Every version of an integration's settings, and the one in force."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from hris_pipeline.errors import UnknownName
from hris_pipeline.settings.document import Settings
from hris_pipeline.store.integrations import get_integration
from hris_pipeline.store.keyring import decrypt_settings, encrypt_settings
from hris_pipeline.store.tables import imports, integration_settings, integrations

__all__ = ["SettingsVersion", "current_settings", "put_settings", "settings_history", "settings_since"]


@dataclass(frozen=True)
class SettingsVersion:
    """One version of an integration's settings: who stored it and when; ``digest`` is of the whole document."""

    integration_id: str
    version: int
    created_at: datetime
    actor: str
    settings: Settings
    digest: str


def put_settings(
    connection: sa.Connection, integration_id: str, settings: Settings, *, actor: str, now: datetime
) -> int:
    """Stores the settings as a new version, unless they are the current ones; gives the version in force."""
    known = integrations.c.integration_id == integration_id
    connection.execute(sa.select(integrations.c.integration_id).where(known).with_for_update())
    digest = settings.digest()
    own = integration_settings.c.integration_id == integration_id
    last = connection.execute(
        sa.select(integration_settings.c.version, integration_settings.c.digest)
        .where(own)
        .order_by(integration_settings.c.version.desc())
        .limit(1)
    ).one_or_none()
    if last is not None and last.digest == digest:
        return int(last.version)
    # Versions go on from those that imports remember, also after the integration was deleted and set up again.
    remembered = sa.select(sa.func.max(imports.c.settings_version)).where(imports.c.integration_id == integration_id)
    version = max(last.version if last else 0, connection.execute(remembered).scalar() or 0) + 1
    row = {"integration_id": integration_id, "version": version, "created_at": now, "actor": actor}
    document = encrypt_settings(connection, settings)
    connection.execute(sa.insert(integration_settings), row | {"document": document, "digest": digest})
    return version


def current_settings(connection: sa.Connection, integration_id: str) -> SettingsVersion:
    """The settings in force.

    Raises:
        UnknownName: no such integration, or one that was never set up.
    """
    found = _settings(connection, integration_id, limit=1)
    if not found:
        get_integration(connection, integration_id)
        raise UnknownName(f"{integration_id} has no settings yet: run `hris setup {integration_id}`.")
    return found[0]


def settings_history(connection: sa.Connection, integration_id: str) -> tuple[SettingsVersion, ...]:
    """Every version, the newest first."""
    return _settings(connection, integration_id, limit=None)


def settings_since(connection: sa.Connection, after: datetime | None, limit: int) -> tuple[SettingsVersion, ...]:
    """The settings in force, of all integrations, that were stored later than ``after``: oldest first, so many at most,
    but never only some of those of one instant."""
    newer = integration_settings.alias()
    in_force = (
        sa.select(integration_settings)
        .join(integrations)
        .where(
            integrations.c.deleted_at.is_(None),
            ~sa.exists().where(
                newer.c.integration_id == integration_settings.c.integration_id,
                newer.c.version > integration_settings.c.version,
            ),
        )
    )
    if after is not None:
        in_force = in_force.where(integration_settings.c.created_at > after)
    newest_of_slice = (
        in_force.with_only_columns(integration_settings.c.created_at)
        .order_by(integration_settings.c.created_at)
        .limit(limit)
        .subquery()
    )
    up_to = sa.select(sa.func.max(newest_of_slice.c.created_at)).scalar_subquery()
    rows = in_force.where(integration_settings.c.created_at <= up_to).order_by(integration_settings.c.created_at)
    return tuple(_version(connection, row) for row in connection.execute(rows))


def _settings(connection: sa.Connection, integration_id: str, limit: int | None) -> tuple[SettingsVersion, ...]:
    own = sa.select(integration_settings).where(integration_settings.c.integration_id == integration_id)
    newest_first = own.order_by(integration_settings.c.version.desc()).limit(limit)
    return tuple(_version(connection, row) for row in connection.execute(newest_first))


def _version(connection: sa.Connection, row: sa.Row[Any]) -> SettingsVersion:
    settings = decrypt_settings(connection, row.document)
    return SettingsVersion(row.integration_id, row.version, row.created_at, row.actor, settings, row.digest)
