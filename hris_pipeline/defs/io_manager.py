"""What travels between assets, a table of people that knows which extract and which settings it came from, and where it
is kept: one file an asset and integration, below ``frames`` of ``HRIS_FILES_URL``.

Frames are Parquet (zstd) with their origin in the file's schema metadata; an extract's manifest is JSON. A file
takes its name when it is whole, so that a reader sees the old one or the new one. Local files are their owner's
alone.
"""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import dagster as dg
import msgspec
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from upath import UPath

from hris_pipeline.defs.failures import redacted_errors
from hris_pipeline.environment import Environment
from hris_pipeline.errors import FrameInvalid, Tampered, UnknownName
from hris_pipeline.files import Sealer, check_seal, open_root, replacing, seal_document
from hris_pipeline.sources.protocol import Manifest
from hris_pipeline.store.keyring import load_keyring

__all__ = [
    "FrameIOManager",
    "FrameIOManagerFactory",
    "ManifestIOManager",
    "ManifestIOManagerFactory",
    "Traced",
    "check_frames",
    "check_provenance",
    "frames_root",
    "purge_frames",
    "remove_frames",
    "reseal_frames",
]


@dataclass(frozen=True)
class Traced:
    """``rows`` with what they came from: the extract, the digest of the settings in force (both empty when neither
    matters), and the warnings of the step that made them: hris_ids by code. ``also``: further frames of the same people
    that the next step needs, by name."""

    rows: pd.DataFrame = field(repr=False)
    extract_id: str = ""
    settings_digest: str = ""
    warnings: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    also: Mapping[str, pd.DataFrame] = field(default_factory=dict, repr=False)


def check_provenance(asset: str, frame: Traced, manifest: Manifest) -> None:
    """Refuses a frame of another extract. One of other settings is refused by the plan, which reads those in force.

    Raises:
        FrameInvalid: naming the asset to materialize again.
    """
    if frame.extract_id != manifest.extract_id:
        raise FrameInvalid(
            f"{asset} of {manifest.integration_id} is of extract {frame.extract_id}, justworks_members is extract "
            f"{manifest.extract_id}: materialize {asset} for {manifest.integration_id} again."
        )


_ORIGIN = b"hris_pipeline"
"""The key of the schema metadata under which a frame's origin is kept, as JSON."""

_SEAL, _UNSEALED = b"hris_pipeline_seal", b"not sealed yet".ljust(64, b".")
"""The key of the file's metadata under which its seal is kept: made while that stands in its place."""


class Provenance(msgspec.Struct, frozen=True):
    extract_id: str
    settings_digest: str
    warnings: Mapping[str, tuple[str, ...]]
    also: tuple[str, ...] = ()


def frames_root(files_url: str) -> UPath:
    """The folder, or the bucket's prefix, that holds every asset's value."""
    return open_root(files_url) / "frames"


def remove_frames(root: UPath, integration_id: str) -> None:
    """Removes every asset's value of one integration."""
    for path in _frame_files(root):
        if path.name.partition(".")[0] == integration_id:
            path.unlink(missing_ok=True)


def purge_frames(root: UPath, before: datetime) -> int:
    """Removes what was written before that moment; gives how many files."""
    old = [path for path in _frame_files(root) if path.stat().st_mtime < before.timestamp()]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)


def _frame_files(root: UPath) -> list[UPath]:
    folders = [folder for folder in root.iterdir() if folder.is_dir()] if root.exists() else []
    return [path for folder in folders for path in folder.iterdir() if path.is_file()]


def _frame_key(name: str) -> bytes:
    """The key of the schema metadata under which a further frame is kept."""
    return _ORIGIN + b"." + name.encode()


def _to_frame(table: Any) -> pd.DataFrame:
    frame: pd.DataFrame = table.replace_schema_metadata(None).to_pandas(types_mapper=pd.ArrowDtype)
    return frame


def _to_bytes(frame: pd.DataFrame) -> bytes:
    table = pa.Table.from_pandas(frame, preserve_index=False)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as stream:
        stream.write_table(table)
    return bytes(sink.getvalue())


def _from_bytes(stream: bytes) -> pd.DataFrame:
    return _to_frame(pa.ipc.open_stream(stream).read_all())


class _WholeFiles(dg.UPathIOManager):
    """Reads and writes one kind of value; a file is there wholly or not at all."""

    def __init__(self, root: UPath, sealer: Sealer) -> None:
        super().__init__(root)
        self._sealer = sealer

    @abstractmethod
    def encode(self, value: Any, name: str) -> bytes:
        """The value as it is stored, sealed under that name."""

    @abstractmethod
    def decode(self, content: bytes, name: str) -> Any:
        """What ``encode`` made, once it has proved to be that.

        Raises:
            Tampered: it is something else.
        """

    def dump_to_path(self, context: dg.OutputContext, obj: Any, path: UPath) -> None:
        with redacted_errors(f"keeping {context.asset_key.to_user_string()}"), replacing(path) as file:
            file.write(self.encode(obj, _output_name(context)))

    def keep(self, asset: str, integration_id: str, value: Any) -> None:
        """Keeps a value as the asset of that name would."""
        folder = self._base_path / asset
        self.make_directory(folder)
        with redacted_errors(f"keeping {asset}"), replacing(folder / f"{integration_id}{self.extension}") as file:
            file.write(self.encode(value, f"{asset} of {integration_id}"))

    def load_from_path(self, context: dg.InputContext, path: UPath) -> Any:
        asset, integration_id = context.asset_key.to_user_string(), context.asset_partition_key
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise UnknownName(f"{integration_id} has no {asset} yet: materialize {asset} for it first.") from None
        with redacted_errors(f"reading {asset} of {integration_id}"):
            return self.decode(content, f"{asset} of {integration_id}")

    def make_directory(self, path: UPath) -> None:
        missing = [folder for folder in (path, *path.parents) if not folder.exists()]
        for folder in reversed(missing):
            folder.mkdir(mode=0o700, exist_ok=True)


class FrameIOManager(_WholeFiles):
    """Keeps a ``Traced`` as Parquet."""

    extension = ".parquet"

    def encode(self, value: Traced, name: str) -> bytes:
        origin = Provenance(value.extract_id, value.settings_digest, value.warnings, tuple(value.also))
        table = pa.Table.from_pandas(value.rows, preserve_index=False)
        frames = {_frame_key(also): _to_bytes(frame) for also, frame in value.also.items()}
        table = table.replace_schema_metadata({_ORIGIN: msgspec.json.encode(origin), **frames})
        buffer = pa.BufferOutputStream()
        with pq.ParquetWriter(buffer, table.schema, compression="zstd") as writer:
            writer.write_table(table)
            writer.add_key_value_metadata({_SEAL: _UNSEALED})
        unsealed: bytes = buffer.getvalue().to_pybytes()
        return _replace_last(unsealed, _UNSEALED, self._sealer.seal(name.encode() + unsealed).encode())

    def decode(self, content: bytes, name: str) -> Traced:
        check_frame(self._sealer, content, name)
        table = pq.read_table(pa.BufferReader(content))
        metadata = table.schema.metadata
        origin = msgspec.json.decode(metadata[_ORIGIN], type=Provenance)
        also = {key: _from_bytes(metadata[_frame_key(key)]) for key in origin.also}
        return Traced(_to_frame(table), origin.extract_id, origin.settings_digest, origin.warnings, also)


class ManifestIOManager(_WholeFiles):
    """Keeps the manifest of the extract that an integration's assets are made from."""

    extension = ".json"

    def encode(self, value: Manifest, name: str) -> bytes:
        return seal_document(self._sealer, name, msgspec.json.encode(value))

    def decode(self, content: bytes, name: str) -> Manifest:
        check_seal(self._sealer, name, content)
        return msgspec.json.decode(content, type=Manifest)


def check_frame(sealer: Sealer, content: bytes, name: str) -> None:
    """Proves that a Parquet file is what ``FrameIOManager`` wrote under that name.

    Raises:
        Tampered: it is another, or was changed.
    """
    try:
        mac = pq.read_metadata(pa.BufferReader(content)).metadata[_SEAL]
    except (pa.ArrowInvalid, OSError, KeyError, TypeError):
        mac = b""
    unsealed = _replace_last(content, mac, _UNSEALED) if len(mac) == len(_UNSEALED) else b""
    if not sealer.is_seal(mac.decode(errors="replace"), name.encode() + unsealed):
        raise Tampered(
            f"The stored {name} was changed behind the pipeline's back, or was written without its key, and is not "
            "used: find out who writes to HRIS_FILES_URL, then take a new extract with `hris preview NAME`."
        )


def reseal_frames(root: UPath, sealer: Sealer) -> tuple[int, int]:
    """Seals everything that is kept anew with the sealer's first key; gives how many, and how many were left because
    they are not what this pipeline wrote."""
    managers: dict[str, _WholeFiles] = {
        manager.extension: manager for manager in (FrameIOManager(root, sealer), ManifestIOManager(root, sealer))
    }
    resealed, foreign = 0, 0
    for path in _frame_files(root):
        manager = managers.get(path.suffix)
        if manager is None:
            continue
        name = f"{path.parent.name} of {path.stem}"
        try:
            content = manager.encode(manager.decode(path.read_bytes(), name), name)
        except Tampered:
            foreign += 1
            continue
        with replacing(path) as file:
            file.write(content)
        resealed += 1
    return resealed, foreign


def _replace_last(content: bytes, old: bytes, new: bytes) -> bytes:
    """The file's own metadata are its end."""
    before, _, after = content.rpartition(old)
    return before + new + after


def check_frames(root: UPath, sealer: Sealer, integration_id: str) -> None:
    """Proves every frame that is kept of an integration.

    Raises:
        Tampered: naming one that is not what this pipeline wrote.
    """
    for path in _frame_files(root):
        if path.name == f"{integration_id}{FrameIOManager.extension}":
            check_frame(sealer, path.read_bytes(), f"{path.parent.name} of {integration_id}")


def _output_name(context: dg.OutputContext) -> str:
    return f"{context.asset_key.to_user_string()} of {context.asset_partition_key}"


class FrameIOManagerFactory(dg.ConfigurableIOManagerFactory[FrameIOManager]):
    """Frames below ``HRIS_FILES_URL``."""

    def create_io_manager(self, _context: dg.InitResourceContext) -> FrameIOManager:
        environment = Environment.read()
        return FrameIOManager(frames_root(environment.files_url), load_keyring(environment))


class ManifestIOManagerFactory(dg.ConfigurableIOManagerFactory[ManifestIOManager]):
    """Manifests below ``HRIS_FILES_URL``."""

    def create_io_manager(self, _context: dg.InitResourceContext) -> ManifestIOManager:
        environment = Environment.read()
        return ManifestIOManager(frames_root(environment.files_url), load_keyring(environment))
