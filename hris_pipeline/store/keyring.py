"""What is kept encrypted at rest and the keys for it: Fernet keys from the environment, or from a key file beside the
embedded store. Tokens are encrypted, and where notifications go: an address holds tokens and passwords."""

import hmac
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from hris_pipeline.environment import Environment
from hris_pipeline.errors import EnvironmentInvalid
from hris_pipeline.files import replacing
from hris_pipeline.settings.document import Settings

__all__ = [
    "KEY_FILE",
    "LOAD_KEYRING",
    "Keyring",
    "add_key_to_file",
    "decrypt_settings",
    "drop_old_keys_of_file",
    "encrypt_settings",
    "load_keyring",
]


KEY_FILE = "secret.key"

_HOW = 'python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"'


@dataclass(frozen=True)
class Keyring:
    """Encrypts and seals with the first key, decrypts and proves with any: so keys can change without a pause."""

    keys: tuple[str, ...] = field(repr=False)

    def encrypt(self, text: str) -> str:
        """The text, so that only a holder of the keys can read it."""
        return self._fernet.encrypt(text.encode()).decode()

    def decrypt(self, secret: str) -> str:
        """What was encrypted.

        Raises:
            EnvironmentInvalid: none of the keys is the one it was encrypted with.
        """
        try:
            return self._fernet.decrypt(secret.encode()).decode()
        except InvalidToken:
            raise EnvironmentInvalid(
                "HRIS_SECRET_KEY does not open the stored tokens: add the key they were encrypted with after the new "
                "one, or connect again with `hris connect NAME`."
            ) from None

    def seal(self, message: bytes) -> str:
        """A MAC that only a holder of the keys can make: 64 hexadecimal digits."""
        return _mac(self.keys[0], message)

    def is_seal(self, mac: str, message: bytes) -> bool:
        """Whether it is the message's MAC under any of the keys."""
        return any(hmac.compare_digest(_mac(key, message).encode(), mac.encode()) for key in self.keys)

    @cached_property
    def _fernet(self) -> MultiFernet:
        return MultiFernet([Fernet(key) for key in self.keys])


def _mac(key: str, message: bytes) -> str:
    """HMAC-SHA256, with a key of its own made from the Fernet key: what encrypts never seals."""
    sealing = hmac.digest(key.encode(), b"hris-pipeline seal 1", "sha256")
    return hmac.digest(sealing, message, "sha256").hex()


def load_keyring(environment: Environment) -> Keyring:
    """The keys of ``HRIS_SECRET_KEY``; with SQLite and none given, those of a key file in ``HRIS_HOME``.

    Raises:
        EnvironmentInvalid: no key with PostgreSQL, or one that is no Fernet key.
    """
    if environment.secret_keys:
        return _keyring(environment.secret_keys, "HRIS_SECRET_KEY")
    if not environment.embedded:
        raise EnvironmentInvalid(
            f"HRIS_SECRET_KEY is not set; it encrypts tokens and seals imports: make one with {_HOW}"
        )
    path = environment.home / KEY_FILE
    return _keyring(tuple(_key_file(path).split()), str(path))


def add_key_to_file(environment: Environment) -> None:
    """A new first key in the key file; those there are stay, for what they encrypted."""
    path = environment.home / KEY_FILE
    with replacing(path) as file:
        file.write(Fernet.generate_key() + b"\n" + _key_file(path).encode())


def drop_old_keys_of_file(environment: Environment) -> None:
    """Only the first key stays, once everything is encrypted and sealed with it."""
    path = environment.home / KEY_FILE
    with replacing(path) as file:
        file.write(_key_file(path).split()[0].encode() + b"\n")


def _keyring(keys: tuple[str, ...], where: str) -> Keyring:
    for number, key in enumerate(keys, start=1):
        try:
            Fernet(key)
        except ValueError:
            raise EnvironmentInvalid(f"{where}: key {number} is no Fernet key: make one with {_HOW}") from None
    if not keys:
        raise EnvironmentInvalid(f"{where} holds no key: make one with {_HOW}")
    return Keyring(keys)


def _key_file(path: Path) -> str:
    """The file's text; of several processes that make it at once, all read what the first wrote."""
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_name(f"{KEY_FILE}.{os.getpid()}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(Fernet.generate_key() + b"\n")
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text()


LOAD_KEYRING = "hris_load_keyring"
"""The execution option by which every connection of a store gives the keys: ``() -> Keyring``. They are asked for when
there is a secret, so that a store without any needs no keys."""


def encrypt_settings(connection: sa.Connection, settings: Settings) -> dict[str, Any]:
    """The settings document as it is stored.

    Raises:
        EnvironmentInvalid: it holds secrets, and there is no key to encrypt them with.
    """
    return _with_channels(connection, settings.document(), Keyring.encrypt)


def decrypt_settings(connection: sa.Connection, document: dict[str, Any]) -> Settings:
    """The settings of a stored document.

    Raises:
        EnvironmentInvalid: none of the keys is the one that its secrets were encrypted with.
    """
    return Settings.model_validate(_with_channels(connection, document, Keyring.decrypt))


def _with_channels(
    connection: sa.Connection, document: dict[str, Any], change: Callable[[Keyring, str], str]
) -> dict[str, Any]:
    if not document["notify"]:
        return document
    keyring: Keyring = connection.get_execution_options()[LOAD_KEYRING]()
    return document | {"notify": [entry | {"to": change(keyring, entry["to"])} for entry in document["notify"]]}
