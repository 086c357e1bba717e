"""Looking without storing: the change set under other settings, or from an earlier extract, beside today's.

What would be planned after a change of settings is found by making the change, and planning, in a transaction that is
taken back: so what cannot be set cannot be looked at either, and what is shown is what the next plan shows."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import sqlalchemy as sa

from hris_pipeline.change_set.plan import Plan
from hris_pipeline.errors import UsageError
from hris_pipeline.operations.extraction import kept_manifest
from hris_pipeline.operations.planning import compute_plan
from hris_pipeline.operations.services import Services
from hris_pipeline.operations.settings import check_settings, put_change
from hris_pipeline.operations.transformation import Transformed, read_users
from hris_pipeline.settings.document import Settings
from hris_pipeline.settings.loading import set_values
from hris_pipeline.sources.protocol import Manifest
from hris_pipeline.store.engine import Store
from hris_pipeline.store.settings_versions import current_settings

__all__ = ["WhatIf", "what_if"]


@dataclass(frozen=True)
class WhatIf:
    """Two plans of the same extract: under the settings in force, and under the others; nothing of them is stored."""

    extract_id: str
    complete: bool
    today: Plan
    then: Plan
    settings: Settings


def what_if(
    services: Services,
    integration_id: str,
    *,
    changes: Sequence[str] = (),
    settings: Settings | None = None,
    extract_id: str | None = None,
) -> WhatIf:
    """What an import of a kept extract (the latest by default) would do with some settings changed.

    Args:
        services: The store, the archive and the clock.
        integration_id: The integration.
        changes: Settings as ``key=value``, on top of ``settings``.
        settings: The other settings as a whole; those in force by default.
        extract_id: Which kept extract.

    Raises:
        SettingsInvalid: a change is no valid setting, or impossible here.
        UsageError: a change cannot be made any more, or another source is not what the extract was read from.
        FrameInvalid: the extract cannot be used, under the settings in force or under the others.
        UnknownName: no such extract is kept.
    """
    manifest = kept_manifest(services, integration_id, extract_id)
    with services.store.read() as connection:
        current = current_settings(connection, integration_id).settings
    other = set_values(settings or current, list(changes)) if changes else settings or current
    before = read_users(services, manifest, current)
    if other == current:
        with services.store.read() as connection:
            today = _plan(services, connection, manifest, before, current)
        return WhatIf(manifest.extract_id, manifest.complete, today, today, other)
    if other.source != manifest.source:
        raise UsageError(
            f"Extract {manifest.extract_id} of {integration_id} was read from {manifest.source}: what {other.source} "
            "would give can only be seen once it is connected and read."
        )
    check_settings(services, integration_id, other)
    after = read_users(services, manifest, other)
    with _taken_back(services.store) as connection:
        today = _plan(services, connection, manifest, before, current)
        put_change(connection, integration_id, other, actor="what-if", now=services.now())
        then = _plan(services, connection, manifest, after, other)
    return WhatIf(manifest.extract_id, manifest.complete, today, then, other)


def _plan(
    services: Services, connection: sa.Connection, manifest: Manifest, transformed: Transformed, settings: Settings
) -> Plan:
    return compute_plan(
        services,
        connection,
        manifest,
        transformed.mapped.users,
        settings,
        bad=transformed.quarantined,
        warnings=transformed.warnings,
    )


class _TakenBackError(Exception):
    """Ends a transaction of which nothing is to stay."""


@contextmanager
def _taken_back(store: Store) -> Iterator[sa.Connection]:
    """A transaction in which anything may be written, and of which nothing stays."""
    with suppress(_TakenBackError), store.begin() as connection:
        yield connection
        raise _TakenBackError
