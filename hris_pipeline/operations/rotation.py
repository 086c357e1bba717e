"""Changing keys: everything encrypted and sealed anew, so that the old ones can be thrown away.

Stands alone because it is the one operation about the whole home: store, archive and frames at once.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict

from hris_pipeline.files import Sealer
from hris_pipeline.operations.services import Services
from hris_pipeline.store.integrations import list_integrations
from hris_pipeline.store.keyring import add_key_to_file, drop_old_keys_of_file, load_keyring
from hris_pipeline.store.locks import integration_lock
from hris_pipeline.store.rotation import renew_secrets

__all__ = ["rotate_key"]

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
