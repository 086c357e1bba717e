"""Files that hold people's data: where they are; written whole or not at all, readable by their owner alone where files
have owners, and sealed, so that a change behind the pipeline's back is seen."""

import os
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

import msgspec
from upath import UPath

from hris_pipeline.errors import Tampered

__all__ = ["Sealer", "check_seal", "open_root", "replacing", "seal_document"]


class Sealer(Protocol):
    """Makes keyed MACs, and proves them (``store.keyring.Keyring``)."""

    def seal(self, message: bytes) -> str:
        """A MAC that only a holder of the keys can make."""

    def is_seal(self, mac: str, message: bytes) -> bool:
        """Whether it is the message's MAC."""


def seal_document(sealer: Sealer, name: str, document: bytes) -> bytes:
    """A JSON object with its seal, in place of any it has, as one more key; ``name`` says what it is, so that none
    takes another's place."""
    content = {key: value for key, value in msgspec.json.decode(document).items() if key != "seal"}
    return msgspec.json.format(msgspec.json.encode(content | {"seal": sealer.seal(_message(name, content))}), indent=2)


def check_seal(sealer: Sealer, name: str, document: bytes) -> None:
    """Proves a document that ``seal_document`` wrote.

    Raises:
        Tampered: it is another, or was changed.
    """
    try:
        content = dict(msgspec.json.decode(document))
    except (msgspec.MsgspecError, TypeError, ValueError):
        content = {}
    if not sealer.is_seal(str(content.pop("seal", "")), _message(name, content)):
        raise Tampered(
            f"The {name} was changed behind the pipeline's back, or was written without its key, and is not used: find "
            "out who writes to HRIS_FILES_URL, then take a new extract with `hris preview NAME`."
        )


def _message(name: str, content: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode([name, content], order="sorted")


def open_root(url: str | UPath) -> UPath:
    """The folder, or the prefix of a bucket, that a URL names.

    A bucket's listings are never kept: in a process that lives long they would miss what others wrote since.
    """
    root = UPath(url)
    if root.protocol in ("", "file", "local"):
        return UPath(root.path)
    return UPath(url, use_listings_cache=False) if root.protocol in ("s3", "s3a") else root


@contextmanager
def replacing(path: UPath) -> Iterator[IO[bytes]]:
    """A file to write that takes its name when it is whole; nothing of it stays when writing fails."""
    with _renamed(path) if isinstance(path, Path) else _uploaded(path) as file:
        yield file


@contextmanager
def _renamed(path: Path) -> Iterator[IO[bytes]]:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
        temporary.rename(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def _uploaded(path: UPath) -> Iterator[IO[bytes]]:
    """An object of a bucket appears whole or not at all, so it needs no temporary name there; but a writer that is
    closed by an exception uploads what it has, so what is written waits on this machine's disk."""
    with tempfile.NamedTemporaryFile(prefix="hris-") as file:
        yield file
        file.flush()
        path.fs.put_file(file.name, path.path)
