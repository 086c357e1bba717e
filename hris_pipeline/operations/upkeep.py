"""Looking after the whole home: checking the store against its own history, every import against its seal and digest
and every user against the fold; and changing keys, everything encrypted and sealed anew, so that the old ones can be
thrown away.

What a probe asks is ``health``'s.
"""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass

import sqlalchemy as sa

from hris_pipeline.contract import OPEN
from hris_pipeline.errors import Tampered
from hris_pipeline.files import Sealer
from hris_pipeline.operations.services import Services
from hris_pipeline.store.frames import has_erased_rows
from hris_pipeline.store.history import Divergence, diverging_users
from hris_pipeline.store.imports import Import, approval_lapses_at, imports_of, tampered_parts
from hris_pipeline.store.integrations import broken_settings, get_integration, list_integrations
from hris_pipeline.store.keyring import add_key_to_file, drop_old_keys_of_file, load_keyring
from hris_pipeline.store.locks import integration_lock
from hris_pipeline.store.rotation import renew_secrets
from hris_pipeline.store.seals import broken_decisions, is_all_broken

__all__ = ["Verification", "describe", "rotate_key", "verify"]

_WORDS = {
    "gone": "the row is gone",
    "set back": "its versions were set back",
    "inserted": "neither an import nor a person made it",
    "protected": "protected was changed",
}


@dataclass(frozen=True)
class Verification:
    """``altered`` gives the parts of imports that are not what was written (their rows, counts, guards, who did it …),
    by import in the order of time; ``divergences`` are users who are not what history says, though no version says that
    anybody else wrote them; ``settings`` are the versions that are not what was stored, ``decided`` names what else of
    the integration is not what was decided; with ``other_key`` nothing at all is. Of ``erased`` imports the digest
    cannot be computed, because a person was erased from them; their seal holds all the same."""

    imports_checked: int
    altered: Mapping[str, tuple[str, ...]]
    erased: tuple[str, ...]
    divergences: tuple[Divergence, ...]
    settings: tuple[int, ...] = ()
    decided: tuple[str, ...] = ()
    other_key: bool = False

    @property
    def ok(self) -> bool:
        """Whether nothing diverges."""
        return not (self.altered or self.divergences or self.settings or self.decided)

    @property
    def first(self) -> str | None:
        """The first divergence in words: what, which user, since which import."""
        if self.other_key:
            return (
                "nothing of it was sealed with a key that is here: add the one that is missing to HRIS_SECRET_KEY, "
                "behind the first, before you look for whoever could have changed everything"
            )
        for version in self.settings:
            return f"version {version} of the settings changed behind the pipeline's back"
        for what in self.decided:
            return f"{what} changed behind the pipeline's back"
        for import_id, parts in self.altered.items():
            return f"import {import_id}: {', '.join(parts)} changed behind the pipeline's back"
        for divergence in self.divergences:
            return f"user {divergence.user_id}: {describe(divergence)}"
        return None


def describe(divergence: Divergence) -> str:
    """What is wrong with a user, in words."""
    words = _WORDS.get(divergence.what, f"{', '.join(divergence.fields)} changed")
    since = f" since import {divergence.import_id}" if divergence.import_id else ""
    return f"{words} behind the pipeline's back{since}"


def verify(services: Services, integration_id: str) -> Verification:
    """Proves every import of the integration, in all its lives, and compares the directory's users with the fold of its
    history.

    Raises:
        UnknownName: no such integration.
    """
    with services.store.read() as connection:
        integration = get_integration(connection, integration_id)
        everything = tuple(reversed(imports_of(connection, integration_id)))
        erased = tuple(record.import_id for record in everything if has_erased_rows(connection, record.import_id))
        altered = {record.import_id: _altered_parts(connection, record) for record in everything}
        divergences = diverging_users(connection, integration.directory_id)
        settings = broken_settings(connection, integration_id)
        decided = broken_decisions(connection, integration_id)
        other_key = bool(settings) and is_all_broken(decided)
    checked = sum(record.status in ("applied", *OPEN) and record.import_id not in erased for record in everything)
    altered_parts = {name: parts for name, parts in altered.items() if parts}
    return Verification(checked, altered_parts, erased, divergences, settings, decided, other_key)


def _altered_parts(connection: sa.Connection, record: Import) -> tuple[str, ...]:
    """The parts of an import that are not what was written; the rows of those never applied go in time."""
    parts = tampered_parts(connection, record, rows=record.status in ("applied", *OPEN))
    try:
        approval_lapses_at(connection, record)
    except Tampered:
        parts = (*parts, "its approval")
    return parts


WAIT_SECONDS = 60.0


def rotate_key(services: Services, reseal_frames: Callable[[Sealer], tuple[int, int]]) -> dict[str, int]:
    """Encrypts and seals everything with the first key of ``HRIS_SECRET_KEY``; where the keys are in a file of
    ``HRIS_HOME``, a new one is made first, and the old ones go last. Gives how many of each, and how many broken seals
    were ``left`` as they are.

    Args:
        services: The store and the archive.
        reseal_frames: Seals the frames anew with that keyring, gives how many, and how many were left.

    Raises:
        EnvironmentInvalid: none of the keys opens something; nothing was changed.
        ImportRunning: an import of some integration does not end within a minute.
    """
    with services.store.read() as connection:
        names = [integration.integration_id for integration in list_integrations(connection)]
    with ExitStack() as locks:
        for name in names:
            locks.enter_context(integration_lock(services.store, name, WAIT_SECONDS))
        if services.environment.keys_in_file:
            add_key_to_file(services.environment)
        keyring = load_keyring(services.environment)
        with services.store.with_keyring(keyring).begin() as connection:
            counts = asdict(renew_secrets(connection))
        manifests, left = services.archive.reseal(keyring)
        frames, left_frames = reseal_frames(keyring)
        counts |= {"manifests": manifests, "frames": frames, "left": counts["left"] + left + left_frames}
        if services.environment.keys_in_file:
            drop_old_keys_of_file(services.environment)
    return counts
