"""Settings as the store keeps them: where notifications go is a secret (an address holds tokens and passwords), so it
is encrypted at rest. Digests are those of the plain document."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from hris_pipeline.settings.document import Settings
from hris_pipeline.store.secrets import Box

__all__ = ["OPEN_BOX", "opened", "sealed"]

OPEN_BOX = "hris_open_box"
"""The execution option by which every connection of a store gives the keys: ``() -> Box``. They are asked for when
there is a secret, so that a store without any needs no keys."""


def sealed(connection: sa.Connection, settings: Settings) -> dict[str, Any]:
    """The settings document as it is stored.

    Raises:
        EnvironmentInvalid: it holds secrets, and there is no key to encrypt them with.
    """
    return _with_channels(connection, settings.document(), Box.encrypt)


def opened(connection: sa.Connection, document: dict[str, Any]) -> Settings:
    """The settings of a stored document.

    Raises:
        EnvironmentInvalid: none of the keys is the one that its secrets were encrypted with.
    """
    return Settings.model_validate(_with_channels(connection, document, Box.decrypt))


def _with_channels(
    connection: sa.Connection, document: dict[str, Any], change: Callable[[Box, str], str]
) -> dict[str, Any]:
    if not document["notify"]:
        return document
    box: Box = connection.get_execution_options()[OPEN_BOX]()
    return document | {"notify": [entry | {"to": change(box, entry["to"])} for entry in document["notify"]]}
