"""The integrations, the state of each, every version of its settings, and the version in force.

Whom ``do_not_archive`` follows stands in ``seals``, automatic imports in ``automation``, tokens in ``tokens``. Settings
that were tampered with are never used: an error names the version, and new ones can be stored in its place.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from hris_pipeline.contract import SLUG
from hris_pipeline.errors import EnvironmentInvalid, Tampered, UnknownName, UsageError
from hris_pipeline.settings.document import Settings
from hris_pipeline.settings.text import suggestion
from hris_pipeline.store.conditions import are_in_force
from hris_pipeline.store.imports import end_import, open_import
from hris_pipeline.store.keyring import decrypt_settings, encrypt_settings, keyring_of
from hris_pipeline.store.seals import (
    AUTOMATIC,
    INTEGRATION,
    KEPT,
    SETTINGS,
    is_intact,
    prove,
    seal_of,
    seal_parts,
    version_taken_away,
)
from hris_pipeline.store.tables import (
    connections,
    imports,
    integration_settings,
    integrations,
    kept_users,
    notifications,
    users,
)

__all__ = [
    "Automatic",
    "Connection",
    "Integration",
    "SettingsVersion",
    "accept_terms",
    "broken_settings",
    "check_name",
    "create_integration",
    "current_settings",
    "delete_integration",
    "describe_integration",
    "get_integration",
    "list_integrations",
    "put_settings",
    "settings_history",
    "settings_since",
    "settings_to_replace",
]

Connection = Literal["none", "connected", "expired", "disconnected"]

Automatic = Literal["off", "running", "paused"]


@dataclass(frozen=True, kw_only=True)
class Integration:
    """One company connected to the store; the fields are the columns of ``integrations``."""

    integration_id: str
    directory_id: str
    display_name: str
    source: str
    connection: Connection
    automatic: Automatic
    automatic_by: str | None
    automatic_at: datetime | None
    automatic_reason: str | None
    last_due_at: datetime | None
    failures: int
    terms_accepted_at: datetime | None
    terms_accepted_by: str | None
    created_at: datetime
    life: int
    deleted_at: datetime | None


_COLUMNS = tuple(integrations.c[field.name] for field in fields(Integration))


def check_name(integration_id: str) -> None:
    """Refuses what can be no integration's name.

    Raises:
        UsageError: it is no slug.
    """
    if not re.fullmatch(SLUG, integration_id):
        raise UsageError(
            f"{integration_id[:80]!r} is no name for an integration: use lower-case letters, digits and hyphens, "
            "starting with a letter or digit, 63 characters at most."
        )


def create_integration(connection: sa.Connection, integration_id: str, *, now: datetime) -> Integration:
    """A new integration, unconnected and with automatic imports off, in a directory of its own. Its source, display
    name and another directory are its settings' to say (``describe_integration``). A deleted one of the same name
    starts another life; its import history stays, and counts for nothing in it.

    Raises:
        UsageError: the name is no slug, or taken.
    """
    check_name(integration_id)
    deleted_at = sa.select(integrations.c.deleted_at, integrations.c.life)
    taken = connection.execute(deleted_at.where(integrations.c.integration_id == integration_id)).one_or_none()
    if taken is not None and taken.deleted_at is None:
        raise UsageError(f"There is an integration {integration_id} already: choose another name.")
    values = {
        "directory_id": integration_id,
        "display_name": integration_id,
        "source": Settings().source,
        "created_at": now,
    }
    if taken is None:
        connection.execute(sa.insert(integrations), values | {"integration_id": integration_id})
    else:
        fresh = {column.name: None for column in integrations.c if column.nullable}
        states: dict[str, Any] = {"connection": "none", "automatic": "off", "failures": 0, "attempts": 0}
        remembered = sa.select(sa.func.max(imports.c.life)).where(imports.c.integration_id == integration_id)
        states["life"] = max(taken.life, connection.execute(remembered).scalar() or 0) + 1
        _update(connection, integration_id, **(fresh | states | values))
    seal_parts(connection, integration_id, INTEGRATION, AUTOMATIC, KEPT)
    return get_integration(connection, integration_id)


def get_integration(
    connection: sa.Connection, integration_id: str, *, deleted: bool = False, proven: bool = False
) -> Integration:
    """The integration of that name; one that was deleted only where that is asked for; ``proven``: only once it is
    certain that its directory, source and life are what was set up.

    Raises:
        UnknownName: there is none, or it was deleted.
        Tampered: to be proven, and changed behind the pipeline's back.
    """
    live = integrations.c.deleted_at.is_(None)
    named = sa.select(*_COLUMNS, integrations.c.seal).where(integrations.c.integration_id == integration_id)
    row = connection.execute(named if deleted else named.where(live)).one_or_none()
    if row is None:
        names = connection.execute(sa.select(integrations.c.integration_id).where(live)).scalars().all()
        remedy = suggestion(integration_id, names) or " `hris integrations` lists them; `hris setup NAME` makes one."
        raise UnknownName(f"There is no integration {integration_id[:80]!r}.{remedy}")
    if proven:
        prove(connection, INTEGRATION, row._mapping)
    return Integration(**{column.name: row._mapping[column.name] for column in _COLUMNS})


def list_integrations(connection: sa.Connection, *, deleted: bool = False) -> tuple[Integration, ...]:
    """Every integration that is not deleted, or those that were, by name."""
    ended = integrations.c.deleted_at.is_not(None) if deleted else integrations.c.deleted_at.is_(None)
    listed = sa.select(*_COLUMNS).where(ended).order_by(integrations.c.integration_id)
    return tuple(Integration(**row._mapping) for row in connection.execute(listed))


def describe_integration(
    connection: sa.Connection, integration_id: str, *, display_name: str, source: str, directory_id: str
) -> None:
    """Copies what the settings say of the integration itself: display name, source, directory.

    Raises:
        UsageError: another directory, although the integration already manages users in the one it has.
        Tampered: what the integration is was changed behind the pipeline's back.
    """
    present = get_integration(connection, integration_id, proven=True)
    if present.directory_id != directory_id:
        managed = sa.select(sa.func.count()).select_from(users).where(users.c.integration_id == integration_id)
        if connection.execute(managed).scalar_one():
            raise UsageError(
                f"{integration_id} already manages users in directory {present.directory_id}: a directory can only be "
                "changed before the first import; delete the integration and set it up again."
            )
    _update(connection, integration_id, display_name=display_name, source=source, directory_id=directory_id)
    seal_parts(connection, integration_id, INTEGRATION)


def accept_terms(connection: sa.Connection, integration_id: str, actor: str, now: datetime) -> None:
    """Records who accepted the terms, and when.

    Raises:
        Tampered: what the integration is was changed behind the pipeline's back.
    """
    get_integration(connection, integration_id, proven=True)
    _update(connection, integration_id, terms_accepted_by=actor, terms_accepted_at=now)
    seal_parts(connection, integration_id, INTEGRATION)


def delete_integration(connection: sa.Connection, integration_id: str, now: datetime) -> int:
    """Removes settings, credentials and open plans, and marks the integration deleted; gives how many users it managed,
    which stay with their history as local users, the id they were linked to on record. Extracts and frames are the
    caller's to remove."""
    source = get_integration(connection, integration_id).source
    for table in (integration_settings, connections, notifications, kept_users):
        connection.execute(sa.delete(table).where(table.c.integration_id == integration_id))
    present = open_import(connection, integration_id)
    if present is not None:
        end_import(connection, present.import_id, "discarded", "the integration was deleted", now)
    unlinked = connection.execute(
        sa.update(users)
        .where(users.c.integration_id == integration_id)
        .values(
            integration_id=None,
            hris_id=None,
            former_source=source,
            former_hris_id=users.c.hris_id,
            version=users.c.version + 1,
            updated_at=now,
        )
    ).rowcount
    _update(connection, integration_id, automatic="off", connection="disconnected", deleted_at=now)
    seal_parts(connection, integration_id, INTEGRATION, AUTOMATIC, KEPT)
    return unlinked


def _update(connection: sa.Connection, integration_id: str, /, **values: Any) -> None:
    of_integration = integrations.c.integration_id == integration_id
    if connection.execute(sa.update(integrations).where(of_integration).values(**values)).rowcount != 1:
        raise UnknownName(f"There is no integration {integration_id[:80]!r}.")


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
    row_of = integrations.c.integration_id == integration_id
    connection.execute(sa.select(integrations.c.integration_id).where(row_of).with_for_update())
    digest = settings.digest()
    of_integration = integration_settings.c.integration_id == integration_id
    last = connection.execute(
        sa.select(integration_settings.c.version, integration_settings.c.digest)
        .where(of_integration)
        .order_by(integration_settings.c.version.desc())
        .limit(1)
    ).one_or_none()
    if last is not None and last.digest == digest and _is_intact(connection, integration_id):
        return int(last.version)
    # Versions go on from those that imports remember, also after the integration was deleted and set up again.
    remembered = sa.select(sa.func.max(imports.c.settings_version)).where(imports.c.integration_id == integration_id)
    version = max(last.version if last else 0, connection.execute(remembered).scalar() or 0) + 1
    row: dict[str, Any] = {"integration_id": integration_id, "version": version, "created_at": now, "actor": actor}
    row |= {"document": encrypt_settings(connection, settings), "digest": digest}
    seal = seal_of(keyring_of(connection), SETTINGS, row)
    connection.execute(sa.insert(integration_settings), row | {"seal": seal})
    return version


def current_settings(
    connection: sa.Connection, integration_id: str, earlier: SettingsVersion | None = None
) -> SettingsVersion:
    """The settings in force. While that is still ``earlier``, its document is not read again.

    Raises:
        UnknownName: no such integration, or one that was never set up.
        Tampered: the document is not what was stored.
    """
    if earlier is not None and _is_in_force(connection, integration_id, earlier):
        return earlier
    row = connection.execute(_newest_first(integration_id).limit(1)).one_or_none()
    if row is None:
        get_integration(connection, integration_id)
        raise UnknownName(f"{integration_id} has no settings yet: run `hris setup {integration_id}`.")
    taken_away = version_taken_away(connection, integration_id, row.version)
    if taken_away is not None:
        raise _not_as_stored(integration_id, taken_away)
    return _read_version(connection, row)


def _is_in_force(connection: sa.Connection, integration_id: str, version: SettingsVersion) -> bool:
    columns = (integration_settings.c.version, integration_settings.c.digest, integration_settings.c.created_at)
    newest = (
        sa.select(*columns)
        .where(integration_settings.c.integration_id == integration_id)
        .order_by(integration_settings.c.version.desc())
        .limit(1)
    )
    row = connection.execute(newest).one_or_none()
    same = (version.version, version.digest, version.created_at)
    return version.integration_id == integration_id and row is not None and tuple(row) == same


def settings_to_replace(connection: sa.Connection, integration_id: str) -> Settings | None:
    """The settings that are about to be replaced: the newest version that was not tampered with; None without one.

    Raises:
        UnknownName: no such integration, or one that was never set up.
    """
    try:
        return current_settings(connection, integration_id).settings
    except Tampered:
        intact = settings_history(connection, integration_id)
        return intact[0].settings if intact else None


def settings_history(connection: sa.Connection, integration_id: str) -> tuple[SettingsVersion, ...]:
    """Every version that is what was stored, the newest first."""
    return tuple(_read_intact_versions(connection, connection.execute(_newest_first(integration_id)).all()))


def broken_settings(connection: sa.Connection, integration_id: str) -> tuple[int, ...]:
    """The versions that are not what was stored, cannot be opened with the keys, or were taken away, the oldest
    first."""
    rows = connection.execute(_newest_first(integration_id)).all()
    taken_away = version_taken_away(connection, integration_id, rows[0].version if rows else 0)
    broken = [] if taken_away is None else [taken_away]
    for row in rows:
        try:
            _read_version(connection, row)
        except (EnvironmentInvalid, Tampered):
            broken.append(int(row.version))
    return tuple(sorted(broken))


def settings_since(connection: sa.Connection, after: datetime | None, limit: int) -> tuple[SettingsVersion, ...]:
    """The settings in force, of all integrations, that were stored later than ``after``, oldest first; about ``limit``
    of them, as those of one instant come together. Tampered ones are left out."""
    in_force = (
        sa.select(integration_settings)
        .join(integrations)
        .where(
            integrations.c.deleted_at.is_(None),
            are_in_force(),
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
    return tuple(_read_intact_versions(connection, connection.execute(rows).all()))


def _newest_first(integration_id: str) -> sa.Select[Any]:
    of_integration = integration_settings.c.integration_id == integration_id
    return sa.select(integration_settings).where(of_integration).order_by(integration_settings.c.version.desc())


def _read_version(connection: sa.Connection, row: sa.Row[Any]) -> SettingsVersion:
    settings = decrypt_settings(connection, row.document, row.digest)
    if settings is None or not is_intact(keyring_of(connection), SETTINGS, row._mapping):
        raise _not_as_stored(row.integration_id, row.version)
    return SettingsVersion(row.integration_id, row.version, row.created_at, row.actor, settings, row.digest)


def _not_as_stored(integration_id: str, version: int) -> Tampered:
    return Tampered(
        f"The settings of {integration_id}, version {version}, are not what was stored: they were changed or taken "
        "away behind the pipeline's back, another version of hris-pipeline wrote them, or HRIS_SECRET_KEY lacks the "
        f"key they were sealed with. Nothing was done. Next: `hris settings apply {integration_id} FILE` stores them "
        f"anew; `hris settings history {integration_id}` shows what they were."
    )


def _read_intact_versions(connection: sa.Connection, rows: Iterable[sa.Row[Any]]) -> Iterator[SettingsVersion]:
    for row in rows:
        with suppress(Tampered):
            yield _read_version(connection, row)


def _is_intact(connection: sa.Connection, integration_id: str) -> bool:
    with suppress(Tampered):
        current_settings(connection, integration_id)
        return True
    return False
