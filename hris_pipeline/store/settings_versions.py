"""Every version of an integration's settings, and the one in force."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from hris_pipeline.errors import UnknownName
from hris_pipeline.settings.document import Settings
from hris_pipeline.store.integrations import get_integration
from hris_pipeline.store.keyring import decrypt_settings, encrypt_settings
from hris_pipeline.store.tables import imports, integration_settings, integrations

__all__ = ["SettingsVersion", "current_settings", "put_settings", "settings_history"]


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


def _settings(connection: sa.Connection, integration_id: str, limit: int | None) -> tuple[SettingsVersion, ...]:
    own = sa.select(integration_settings).where(integration_settings.c.integration_id == integration_id)
    newest_first = own.order_by(integration_settings.c.version.desc()).limit(limit)
    return tuple(
        SettingsVersion(
            row.integration_id,
            row.version,
            row.created_at,
            row.actor,
            decrypt_settings(connection, row.document),
            row.digest,
        )
        for row in connection.execute(newest_first)
    )
