"""Extracts as stored: one zstd-compressed file of JSON lines each, with a manifest beside it, in a folder or a bucket;
and what one process has just read, kept for the step that follows.

How an extract is read from a source, and back to people, is ``extract``'s.
"""

import hashlib
import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from typing import IO, TYPE_CHECKING, NamedTuple

import msgspec

from hris_pipeline.contract import SLUG
from hris_pipeline.errors import FrameInvalid, Tampered, UnknownName
from hris_pipeline.files import Sealer, check_seal, open_root, replacing, require_root, seal_document
from hris_pipeline.sources.protocol import Manifest

if TYPE_CHECKING:
    from upath import UPath

    from hris_pipeline.sources.raw_columns import ColumnBuilder, RawColumns

__all__ = ["Archive", "FreshExtract", "Stored", "hole_line"]

LINES, MANIFEST = ".jsonl.zst", ".json"

_HOLE = b'{"hole":'
"""How a line begins that only tells what the list says of a hole; a member's holds its id in an object of its own."""

BLOCK = 1 << 20

_EXTRACT_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}")


class Stored(NamedTuple):
    """The file that holds an extract's lines: its name below the root, the checksum and size in bytes of what is
    stored."""

    file: str
    sha256: str
    size: int


def hole_line(line: bytes) -> bytes:
    """The list's record of a hole, as an archived line that cannot be taken for a member's."""
    return _HOLE + line + b"}"


class Archive:
    """All extracts under one root: a local folder, readable by its owner alone, or any bucket URL. With ``sealer``,
    which is asked for when there is something to seal, a manifest changed by whoever has no key is refused; it holds
    the checksum of the extract."""

    def __init__(self, root: "UPath | str", sealer: Callable[[], Sealer] | None = None) -> None:
        self._sealer = sealer
        self._url = root
        require_root(root)

    @cached_property
    def _root(self) -> "UPath":
        return open_root(self._url)

    def new_id(self, integration_id: str, moment: datetime) -> str:
        """An id that sorts by time, and after every other of the same second."""
        second = moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        count = sum(extract_id.startswith(second) for extract_id in self._list_ids(integration_id, LINES))
        return f"{second}-{count:03x}{secrets.token_hex(2)[:3]}"

    def write(self, integration_id: str, extract_id: str, lines: Iterable[bytes]) -> Stored:
        """Stores the lines as they come, none of them kept in memory; if ``lines`` raises, nothing stays."""
        import pyarrow as pa  # noqa: PLC0415 - most commands write nothing

        path = self._locate_file(integration_id, extract_id, LINES)
        with self._open_replacement(path) as file:
            counted = _Counted(file)
            with pa.CompressedOutputStream(pa.PythonFile(counted, mode="w"), "zstd") as stream:
                for block in _join_blocks(lines):
                    stream.write(block)
        return Stored(path.relative_to(self._root).as_posix(), counted.sha256.hexdigest(), counted.size)

    def record(self, manifest: Manifest) -> None:
        """Writes the manifest of a written extract: from now on the extract exists."""
        path = self._locate_file(manifest.integration_id, manifest.extract_id, MANIFEST)
        body = msgspec.json.encode(manifest)
        if self._sealer is not None:
            body = seal_document(
                self._sealer(), self._manifest_name(manifest.integration_id, manifest.extract_id), body
            )
        with self._open_replacement(path) as file:
            file.write(body)

    def lines(self, manifest: Manifest) -> Iterator[bytes]:
        """The lines of the extract's members, once what is stored has proved to be what the manifest says.

        Raises:
            UnknownName: the lines are gone.
            FrameInvalid: the file is damaged.
        """
        return (line for line in self._proven_lines(manifest) if not line.startswith(_HOLE))

    def hole_lines(self, manifest: Manifest) -> Iterator[bytes]:
        """What the list tells of each hole, as lines of members; otherwise as ``lines``."""
        return (line[len(_HOLE) : -1] for line in self._proven_lines(manifest) if line.startswith(_HOLE))

    def _proven_lines(self, manifest: Manifest) -> Iterator[bytes]:
        self.check(manifest)
        return _read_lines(self._locate_file(manifest.integration_id, manifest.extract_id, LINES))

    def check(self, manifest: Manifest) -> None:
        """Proves that what is stored is what the manifest says.

        Raises:
            UnknownName: the lines are gone.
            FrameInvalid: the file is damaged.
        """
        try:
            damaged = (
                _hash_file(self._locate_file(manifest.integration_id, manifest.extract_id, LINES)) != manifest.sha256
            )
        except FileNotFoundError:
            raise self._unknown_extract(manifest.integration_id, manifest.extract_id) from None
        if damaged:
            raise FrameInvalid(
                f"Extract {manifest.extract_id} of {manifest.integration_id} is damaged (not the recorded checksum): "
                f"take a new one with `hris preview {manifest.integration_id}`."
            )

    def manifest(self, integration_id: str, extract_id: str) -> Manifest:
        """The manifest of one extract.

        Raises:
            UnknownName: there is no such extract, or no longer.
            FrameInvalid: the manifest cannot be read.
            Tampered: the manifest is not what this pipeline wrote.
        """
        if not _EXTRACT_ID.fullmatch(extract_id) or not re.fullmatch(SLUG, integration_id):
            raise self._unknown_extract(integration_id, extract_id)
        try:
            body = self._locate_file(integration_id, extract_id, MANIFEST).read_bytes()
        except FileNotFoundError:
            raise self._unknown_extract(integration_id, extract_id) from None
        try:
            manifest = msgspec.json.decode(body, type=Manifest)
        except msgspec.MsgspecError:
            raise FrameInvalid(
                f"The manifest of extract {extract_id} of {integration_id} is damaged: "
                f"take a new extract with `hris preview {integration_id}`."
            ) from None
        if self._sealer is not None:
            check_seal(self._sealer(), self._manifest_name(integration_id, extract_id), body)
        return manifest

    def mentions(self, integration_id: str, text: str) -> bool:
        """Whether any kept extract of the integration holds that very text as a value."""
        quoted = msgspec.json.encode(text)
        return any(
            quoted in line
            for extract_id in self.extracts(integration_id)
            for line in _read_lines(self._locate_file(integration_id, extract_id, LINES))
        )

    def extracts(self, integration_id: str) -> tuple[str, ...]:
        """The ids of the integration's extracts, oldest first."""
        return self._list_ids(integration_id, MANIFEST)

    def latest(self, integration_id: str) -> Manifest | None:
        """The newest extract of all members, if there is any."""
        newest_first = (self.manifest(integration_id, name) for name in reversed(self.extracts(integration_id)))
        return next((manifest for manifest in newest_first if not manifest.first_page), None)

    def latest_look(self, integration_id: str) -> Manifest | None:
        """The newest extract of all members; without one, what was read when connecting."""
        ids = self.extracts(integration_id)
        return self.latest(integration_id) or (self.manifest(integration_id, ids[-1]) if ids else None)

    def reseal(self, sealer: Sealer) -> tuple[int, int]:
        """Seals every manifest anew with the sealer's first key; gives how many, and how many were left because they
        are not what this pipeline wrote."""
        extracts = self._root / "extracts"
        renewed, left = 0, 0
        for folder in list(extracts.iterdir()) if extracts.exists() else []:
            for extract_id in self.extracts(folder.name):
                path, name = (
                    self._locate_file(folder.name, extract_id, MANIFEST),
                    self._manifest_name(folder.name, extract_id),
                )
                document = path.read_bytes()
                try:
                    check_seal(sealer, name, document)
                except Tampered:
                    left += 1
                    continue
                with self._open_replacement(path) as file:
                    file.write(seal_document(sealer, name, document))
                renewed += 1
        return renewed, left

    def delete(self, integration_id: str) -> None:
        """Removes every extract of an integration; what is already gone is no error."""
        folder = self._locate_folder(integration_id)
        for path in self._list_files(folder):
            path.unlink(missing_ok=True)
        if folder.exists() and not any(folder.iterdir()):
            folder.rmdir()

    def purge(self, before: datetime) -> int:
        """Removes what was extracted, or left half-written, before that moment; gives the number of extracts
        removed."""
        first_kept = before.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        extracts = self._root / "extracts"
        folders = list(extracts.iterdir()) if extracts.exists() else []
        old = [path for folder in folders for path in self._list_files(folder) if _id_of(path.name) < first_kept]
        for path in sorted(
            old, key=lambda path: path.name.endswith(LINES)
        ):  # manifests first: no manifest without lines
            path.unlink(missing_ok=True)
        return sum(path.name.endswith(LINES) and not path.name.startswith(".") for path in old)

    def _locate_folder(self, integration_id: str) -> "UPath":
        return self._root / "extracts" / integration_id

    def _locate_file(self, integration_id: str, extract_id: str, suffix: str) -> "UPath":
        return self._locate_folder(integration_id) / f"{extract_id}{suffix}"

    def _list_ids(self, integration_id: str, suffix: str) -> tuple[str, ...]:
        names = (path.name for path in self._list_files(self._locate_folder(integration_id)))
        return tuple(sorted(_id_of(name) for name in names if name.endswith(suffix) and not name.startswith(".")))

    @staticmethod
    def _manifest_name(integration_id: str, extract_id: str) -> str:
        return f"manifest of extract {extract_id} of {integration_id}"

    @staticmethod
    def _list_files(folder: "UPath") -> "list[UPath]":
        return [path for path in folder.iterdir() if _id_of(path.name)] if folder.exists() else []

    @staticmethod
    def _unknown_extract(integration_id: str, extract_id: str) -> UnknownName:
        name = extract_id if _EXTRACT_ID.fullmatch(extract_id) else "of that name"
        return UnknownName(
            f"There is no extract {name} of {integration_id}, or no longer: "
            f"take a new one with `hris preview {integration_id}`."
        )

    @contextmanager
    def _open_replacement(self, path: "UPath") -> Iterator[IO[bytes]]:
        """A file to write that takes its name when it is whole; nothing of it stays when writing fails."""
        for folder in (self._root, self._root / "extracts", path.parent):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with replacing(path) as file:
            yield file


class _Counted:
    """Counts and digests what passes through to a file; the file stays open."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.sha256 = hashlib.sha256()
        self.size = 0
        self.closed = False

    def write(self, block: bytes) -> int:
        self.sha256.update(block)
        self.size += len(block)
        return self._file.write(block)

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self.closed = True


def _id_of(name: str) -> str:
    """The extract id that a file's name holds, '' when it is none of ours."""
    match = _EXTRACT_ID.match(name.removeprefix("."))
    return match.group() if match else ""


def _hash_file(path: "UPath") -> str:
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _join_blocks(lines: Iterable[bytes]) -> Iterator[bytes]:
    """The lines in blocks worth compressing at once."""
    waiting: list[bytes] = []
    size = 0
    for line in lines:
        waiting.append(line)
        size += len(line)
        if size >= BLOCK:
            yield b"\n".join((*waiting, b""))
            waiting, size = [], 0
    yield b"\n".join((*waiting, b""))


def _read_lines(path: "UPath") -> Iterator[bytes]:
    import pyarrow as pa  # noqa: PLC0415 - most commands read nothing

    with path.open("rb") as file, pa.CompressedInputStream(pa.PythonFile(file, mode="r"), "zstd") as stream:
        rest = b""
        while block := stream.read(BLOCK):
            *lines, rest = (rest + block).split(b"\n")
            yield from lines


class FreshExtract:
    """The columns of the extract that this process read last, gathered while it was archived: whoever goes on from
    there need not read the archive again. They can be taken once, and only for that very extract."""

    def __init__(self) -> None:
        self._manifest: Manifest | None = None
        self._columns: ColumnBuilder | None = None

    def keep(self, manifest: Manifest, columns: "ColumnBuilder") -> None:
        """Keeps the columns of an extract, in place of any other's."""
        self._manifest, self._columns = manifest, columns if columns.is_whole else None

    def take(self, manifest: Manifest, archive: Archive) -> "RawColumns | None":
        """The raw columns of that extract, if they are here; given once, then forgotten.

        Raises:
            UnknownName, FrameInvalid: the extract's lines are gone or damaged, though it was read just now.
        """
        if self._columns is None or self._manifest != manifest:
            return None
        archive.check(manifest)
        columns, self._columns = self._columns, None
        return columns.finish()
