"""Keys, and what is done with them: what is kept encrypted at rest, and seals, keyed MACs by which a change behind the
pipeline's back is seen, and named.

Fernet keys come from the environment, or from a key file beside the embedded store. Tokens are encrypted, and where
notifications go: an address holds tokens and passwords. A seal over a record has one MAC for each of its parts, so
that it can be said what was changed, and one over all, so that parts of different moments cannot be put together.
Whoever can write to the store but has no key can at most put back what stood there before. What is sealed, and when,
is said where it is written; changing keys is ``rotation``'s.
"""

import hmac
import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from hris_pipeline.contract import COUNTS
from hris_pipeline.environment import Environment
from hris_pipeline.errors import EnvironmentInvalid, Tampered
from hris_pipeline.files import replacing
from hris_pipeline.settings.document import Settings, document_digest

__all__ = [
    "APPROVAL_PARTS",
    "IMPORT_PARTS",
    "KEY_FILE",
    "LOAD_KEYRING",
    "Keyring",
    "add_key_to_file",
    "broken_parts",
    "decrypt_settings",
    "drop_old_keys_of_file",
    "encrypt_settings",
    "is_user_seal",
    "keyring_of",
    "load_keyring",
    "seal_record",
    "seal_user",
    "sealed_message",
    "tampered_error",
]

KEY_FILE = "secret.key"

_HOW = 'python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"'


@dataclass(frozen=True)
class Keyring:
    """Encrypts and seals with the first key, decrypts and proves with any: so keys can change without a pause."""

    keys: tuple[str, ...] = field(repr=False)

    def encrypt(self, text: str) -> str:
        """The text, so that only a holder of the keys can read it."""
        return _build_fernet(self.keys).encrypt(text.encode()).decode()

    def decrypt(self, secret: str) -> str:
        """What was encrypted.

        Raises:
            EnvironmentInvalid: none of the keys is the one it was encrypted with.
        """
        try:
            return _build_fernet(self.keys).decrypt(secret.encode()).decode()
        except InvalidToken:
            raise EnvironmentInvalid(
                "HRIS_SECRET_KEY does not open the stored tokens: add the key they were encrypted with after the new "
                "one, or connect again with `hris connect NAME`."
            ) from None

    def seal(self, message: bytes) -> str:
        """A MAC that only a holder of the keys can make: 64 hexadecimal digits."""
        return _compute_mac(self.keys[0], message)

    def is_seal(self, mac: str, message: bytes) -> bool:
        """Whether it is the message's MAC under any of the keys."""
        return any(hmac.compare_digest(_compute_mac(key, message).encode(), mac.encode()) for key in self.keys)


class _FileKeyring(Keyring):
    """The keys of a key file as it is now: a process that opened it before the keys were changed goes on with the new
    ones and seals nothing with a key that is gone."""

    def __init__(self, path: Path) -> None:
        object.__setattr__(self, "_path", path)
        object.__setattr__(self, "_read", (None, ()))
        self._reload_keys()

    @property
    def keys(self) -> tuple[str, ...]:
        """They are read again when the file is another."""
        return self._reload_keys()

    def _reload_keys(self) -> tuple[str, ...]:
        path: Path = self.__dict__["_path"]
        mark, keys = self.__dict__["_read"]
        if mark is None or mark != _read_file_mark(path):
            mark, keys = _read_file_mark(path), _check_keys(tuple(_key_file(path).split()), str(path))
            object.__setattr__(self, "_read", (mark, keys))
        return tuple(keys)


def _read_file_mark(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_ino


@lru_cache(maxsize=8)
def _build_fernet(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def _compute_mac(key: str, message: bytes) -> str:
    """HMAC-SHA256 with a key derived from the Fernet key, so that no key serves both to encrypt and to seal."""
    sealing = hmac.digest(key.encode(), b"hris-pipeline seal 1", "sha256")
    return hmac.digest(sealing, message, "sha256").hex()


def load_keyring(environment: Environment) -> Keyring:
    """The keys of ``HRIS_SECRET_KEY``; with SQLite and none given, those of a key file in ``HRIS_HOME``.

    Raises:
        EnvironmentInvalid: no key with PostgreSQL, or one that is no Fernet key.
    """
    if environment.secret_keys:
        return Keyring(_check_keys(environment.secret_keys, "HRIS_SECRET_KEY"))
    if not environment.embedded:
        raise EnvironmentInvalid(
            f"HRIS_SECRET_KEY is not set; it encrypts tokens and seals imports: make one with {_HOW}"
        )
    return _FileKeyring(environment.home / KEY_FILE)


def add_key_to_file(environment: Environment) -> None:
    """A new first key in the key file; those there are stay, for what they encrypted."""
    path = environment.home / KEY_FILE
    with replacing(path) as file:
        file.write(Fernet.generate_key() + b"\n" + _key_file(path).encode())


def drop_old_keys_of_file(environment: Environment) -> None:
    """Removes all keys but the first, once everything is encrypted and sealed with it."""
    path = environment.home / KEY_FILE
    with replacing(path) as file:
        file.write(_key_file(path).split()[0].encode() + b"\n")


def _check_keys(keys: tuple[str, ...], where: str) -> tuple[str, ...]:
    for number, key in enumerate(keys, start=1):
        try:
            Fernet(key)
        except ValueError:
            raise EnvironmentInvalid(f"{where}: key {number} is no Fernet key: make one with {_HOW}") from None
    if not keys:
        raise EnvironmentInvalid(f"{where} holds no key: make one with {_HOW}")
    return keys


def _key_file(path: Path) -> str:
    """The text of the key file, made if missing; of several processes that make it at once all read the first one's."""
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
    return path.read_text("ascii", "replace")  # what is no text is no key either


LOAD_KEYRING = "hris_load_keyring"
"""The execution option by which every connection of a store gives the keys: ``() -> Keyring``. They are asked for when
there is a secret, so that a store without any needs no keys."""


def encrypt_settings(connection: sa.Connection, settings: Settings) -> dict[str, Any]:
    """The settings document as it is stored.

    Raises:
        EnvironmentInvalid: it holds secrets, and there is no key to encrypt them with.
    """
    return _with_channels(connection, settings.document(), Keyring.encrypt)


def decrypt_settings(connection: sa.Connection, document: Any, digest: str) -> Settings | None:
    """The settings of a stored document; None where it is not what was stored with that digest.

    Raises:
        EnvironmentInvalid: none of the keys is the one that its secrets were encrypted with.
    """
    try:
        decrypted = _with_channels(connection, document, Keyring.decrypt)
        settings = Settings.model_validate(decrypted)
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    same = decrypted == settings.document()  # also where a database spells a number otherwise
    return settings if digest in (document_digest(decrypted), settings.digest() if same else "") else None


def _with_channels(
    connection: sa.Connection, document: dict[str, Any], change: Callable[[Keyring, str], str]
) -> dict[str, Any]:
    if not document["notify"]:
        return document
    keyring: Keyring = connection.get_execution_options()[LOAD_KEYRING]()
    return document | {"notify": [entry | {"to": change(keyring, entry["to"])} for entry in document["notify"]]}


Parts = Mapping[str, Collection[str]]

IMPORT_PARTS: Parts = {
    "its status": ("status", "message", "finished_at", "confirmed_at"),
    "its counts": COUNTS,
    "its guards": ("guards",),
    "who is not applied and why": ("diagnostics",),
    "who started or applied it": ("actor", "trigger", "dagster_run_id", "applied_by", "applied_run_id"),
    "what was planned": (
        "integration_id",
        "directory_id",
        "life",
        "planned_at",
        "digest",
        "rows_hash",
        "settings_version",
        "settings_digest",
        "log_lines",
        "extract_id",
        "complete",
        "undoes",
        "replaces",
    ),
}
"""Of an import: columns by what they tell."""

APPROVAL_PARTS: Parts = {"its approval": ("digest", "approved_by", "reason", "approved_at", "lapses_at")}


def keyring_of(connection: sa.Connection) -> Keyring:
    """The keys of the store that the connection belongs to.

    Raises:
        EnvironmentInvalid: there are none.
    """
    keyring: Keyring = connection.get_execution_options()[LOAD_KEYRING]()
    return keyring


def seal_record(keyring: Keyring, key: str, record: Mapping[str, Any], parts: Parts) -> str:
    """The seal over a record: ``key`` says which one it is (``import/<id>``)."""
    return ".".join(keyring.seal(message) for message in _encode_messages(key, record, parts).values())


def broken_parts(
    keyring: Keyring, key: str, record: Mapping[str, Any], parts: Parts, seal: str | None
) -> tuple[str, ...]:
    """The parts of a record that are not what was sealed; none when it is intact."""
    messages = _encode_messages(key, record, parts)
    macs = (seal or "").split(".")
    if len(macs) != len(messages):
        return ("its seal",)
    broken = tuple(
        name for (name, message), mac in zip(messages.items(), macs, strict=True) if not keyring.is_seal(mac, message)
    )
    return tuple(name for name in broken if name) or (("parts of it, back to an earlier state",) if broken else ())


def sealed_message(key: str, record: Mapping[str, Any]) -> bytes:
    """What a seal over one record is made of: ``key`` says which one it is."""
    return _encode([key, {name: _canonicalise_value(value) for name, value in record.items()}])


def seal_user(keyring: Keyring, user_id: str, *, protected: bool) -> str:
    """The seal of a user whom a person made or protected: no import does either."""
    return keyring.seal(_encode(["user", user_id, protected]))


def is_user_seal(keyring: Keyring, seal: str, user_id: str, *, protected: bool) -> bool:
    """Whether the seal says that a person, by this pipeline, made or protected the user as they are."""
    return keyring.is_seal(seal, _encode(["user", user_id, protected]))


def tampered_error(integration_id: str, import_id: str, parts: Collection[str]) -> Tampered:
    """The error about an import that is not what was reviewed."""
    return Tampered(
        f"Import {import_id} is not what was reviewed: {' and '.join(parts)} changed behind the pipeline's "
        f"back, and nothing was applied. Find out who writes to the store (`hris verify {integration_id}` shows "
        f"more), then preview again with `hris preview {integration_id}`."
    )


def _encode_messages(key: str, record: Mapping[str, Any], parts: Parts) -> dict[str, bytes]:
    """What each MAC is over: by part, and under ``""`` all parts together."""
    values = {
        name: {column: _canonicalise_value(record[column]) for column in columns} for name, columns in parts.items()
    }
    messages = {name: _encode([key, name, value]) for name, value in values.items()}
    return messages | {"": _encode([key, values])}


def _encode(value: Any) -> bytes:
    return msgspec.json.encode(value, order="sorted")


def _canonicalise_value(value: Any) -> Any:
    """The value in a form that is the same on every database."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return value.isoformat() if isinstance(value, date) else value
