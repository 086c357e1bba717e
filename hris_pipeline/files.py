"""Files that hold people's data: where they are; written whole or not at all, readable by their owner alone where files
have owners, and sealed, so that a change behind the pipeline's back is seen."""

import errno
import os
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from socket import gaierror
from typing import IO, TYPE_CHECKING, Any, Protocol

import msgspec

from hris_pipeline.errors import EnvironmentInvalid, MachineError, Tampered

if TYPE_CHECKING:
    from upath import UPath

__all__ = [
    "Sealer",
    "check_seal",
    "explaining_machine",
    "machine_words",
    "open_root",
    "replacing",
    "require_root",
    "seal_document",
]


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
    return msgspec.json.format(
        msgspec.json.encode(content | {"seal": sealer.seal(_encode_message(name, content))}), indent=2
    )


def check_seal(sealer: Sealer, name: str, document: bytes) -> None:
    """Proves a document that ``seal_document`` wrote.

    Raises:
        Tampered: it is another, or was changed.
    """
    try:
        content = dict(msgspec.json.decode(document))
    except (msgspec.MsgspecError, TypeError, ValueError):
        content = {}
    if not sealer.is_seal(str(content.pop("seal", "")), _encode_message(name, content)):
        raise Tampered(
            f"The {name} was changed behind the pipeline's back, or was written without its key, and is not used: find "
            "out who writes to HRIS_FILES_URL, then take a new extract with `hris preview NAME`."
        )


def _encode_message(name: str, content: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode([name, content], order="sorted")


def open_root(url: "str | UPath") -> "UPath":
    """The folder, or the prefix of a bucket, that a URL names. Nothing is asked of it yet.

    A bucket's listings are never kept: in a process that lives long they would miss what others wrote since.

    Raises:
        EnvironmentInvalid: no kind of place that is known.
        MachineError: the library for that kind of place is not installed.
    """
    from upath import UPath  # noqa: PLC0415 - a third of a second that commands without files need not pay

    require_root(url)
    root = UPath(url)
    if root.protocol in ("", "file", "local"):
        return UPath(root.path)
    return UPath(url, use_listings_cache=False) if root.protocol in ("s3", "s3a") else root


def require_root(url: "str | UPath") -> None:
    """Refuses a place that cannot be used: a bucket opens without its library, and fails long after, in the middle of
    an import.

    Raises:
        EnvironmentInvalid, MachineError: as ``open_root``.
    """
    protocol, separator, _ = url.partition("://") if isinstance(url, str) else ("", "", "")
    if not separator:
        return
    from fsspec.registry import known_implementations  # noqa: PLC0415 - as above

    if protocol not in _PLACES:
        raise EnvironmentInvalid(
            f"HRIS_FILES_URL names no kind of place that is known ({protocol[:20]!r}): give a folder, or a bucket as "
            "s3://bucket/prefix."
        )
    library = str(known_implementations.get(protocol, {}).get("class", "fsspec")).partition(".")[0]
    if find_spec(library) is None:
        install = _EXTRAS.get(library, library)
        raise MachineError(
            f"HRIS_FILES_URL names a place ({protocol}://) whose library is not installed here: run "
            f"`pip install {install}`."
        )


_PLACES = frozenset(("file", "local", "memory", "s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl"))
"""Folders and buckets: what can be listed, and where a file appears whole. A web server or FTP is neither."""

_ERRNO_WORDS: Mapping[int, str] = {
    errno.ENOSPC: "the disk is full: free some space, then run this again",
    errno.EDQUOT: "this user's share of the disk is used up: free some space, then run this again",
    errno.EFBIG: "the file may not grow further: raise this user's limit (`ulimit -f`), or use a disk that takes more",
    errno.ENOLCK: "the disk gives no locks, as some network drives do: put HRIS_HOME on a disk of this machine",
    errno.EROFS: "the disk is read-only: use another place, or mount it to be written",
    errno.EACCES: "this user may not: change the rights, or use another place",
    errno.EPERM: "this user may not: change the rights, or use another place",
    errno.EMFILE: "this process has too many files open: raise its limit (`ulimit -n`), then run this again",
    errno.ENFILE: "this machine has too many files open: end other processes, then run this again",
    errno.EIO: "the disk fails: look at the machine's log",
    errno.ENOMEM: "this machine has no memory left: end other processes, then run this again",
    errno.ENOTDIR: "a file stands where a folder is needed: move it away",
    errno.EISDIR: "a folder stands where a file is needed: give another name",
    errno.ENAMETOOLONG: "the name is too long: use another place",
    errno.EEXIST: "something stands there already: move it away",
    errno.ENOENT: "it is not there: check the path, and the variable that names it",
    errno.ESTALE: "the network drive lost it: mount it again",
    errno.ETIMEDOUT: "it does not answer: look at the network, then run this again",
    errno.ECONNREFUSED: "nothing listens there: check the address and whether it runs",
    errno.EADDRINUSE: "another process listens there already: use another port",
    errno.EADDRNOTAVAIL: "this machine has no such address: use another",
}

_EXTRAS = {"s3fs": "'hris-pipeline[s3]'", "socksio": "'httpx[socks]'"}
"""By library: what to install, where it is not the library itself."""

_LIBRARIES = {"s3fs": "s3", "gcsfs": "gs", "adlfs": "az", "socksio": "SOCKS proxies"}


_BUCKET_LIBRARIES = frozenset({"aiobotocore", "aiohttp", "botocore"})
"""What fails below an S3 server's file system, where that has no word of its own."""

_BUCKET_WORDS = (
    "the bucket of HRIS_FILES_URL cannot be reached, or takes no request: look at its server, AWS_ENDPOINT_URL and its "
    "keys, then run this again"
)

_WORDS_OF: dict[type[BaseException], str] = {
    MemoryError: _ERRNO_WORDS[errno.ENOMEM],
    gaierror: "the name of a server is not known here: check the address, and whether the network is there",
    OverflowError: "a date or number is further away than can be counted: give one between the years 1 and 9998",
}


def machine_words(error: BaseException) -> str | None:
    """What is wrong with this machine, and what to do, when that is why something failed; never a value of anybody's.
    None when it is not the machine's fault."""
    if isinstance(error, UnicodeEncodeError):
        return f"the terminal or file only takes {error.encoding}: set PYTHONIOENCODING=utf-8 or LC_ALL=C.UTF-8"
    if isinstance(error, ImportError):
        return _library_words(error)
    if isinstance(error, OSError) and error.errno is not None and type(error).__module__ == "builtins":
        place = f"{error.filename}: " if isinstance(error.filename, str) else ""
        words = f"{os.strerror(error.errno).lower()}: look what is wrong there, then run this again"
        return f"{place}{_ERRNO_WORDS.get(error.errno, words)}"
    if type(error).__module__.partition(".")[0] in _BUCKET_LIBRARIES:
        return _BUCKET_WORDS
    return next((words for kind, words in _WORDS_OF.items() if isinstance(error, kind)), None)


def _library_words(error: ImportError) -> str | None:
    library = next((name for name in _LIBRARIES if name in str(error)), None)
    if library is None:
        return None
    install = _EXTRAS.get(library, library)
    return f"the library for {_LIBRARIES[library]} is not installed: run `pip install {install}`"


@contextmanager
def explaining_machine(what: str) -> Iterator[None]:
    """Says in words what this machine lacks for what is done in the block.

    Raises:
        MachineError: ``what`` could not be done, and why.
    """
    try:
        yield
    except (OSError, ImportError, MemoryError) as error:
        words = machine_words(error)
        if words is None or isinstance(error, FileNotFoundError):
            raise
        raise MachineError(f"{what} failed: {words}.") from None


@contextmanager
def replacing(path: "Path | UPath") -> Iterator[IO[bytes]]:
    """A file to write that takes its name when it is whole; nothing of it stays when writing fails.

    Raises:
        MachineError: the disk is full, read-only, or the like.
    """
    with (
        explaining_machine(f"Writing {path}"),
        _write_and_rename(path) if isinstance(path, Path) else _write_and_upload(path) as file,
    ):
        yield file


@contextmanager
def _write_and_rename(path: Path) -> Iterator[IO[bytes]]:
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
def _write_and_upload(path: "UPath") -> Iterator[IO[bytes]]:
    """An object of a bucket appears whole or not at all, so it needs no temporary name there; but a writer that is
    closed by an exception uploads what it has, so what is written waits on this machine's disk."""
    with tempfile.NamedTemporaryFile(prefix="hris-") as file:
        yield file
        file.flush()
        path.fs.put_file(file.name, path.path)
