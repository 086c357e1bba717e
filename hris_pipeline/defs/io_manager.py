"""Where the values of assets are kept: one file an asset and integration, below ``frames`` of ``HRIS_FILES_URL``.

Frames are Parquet (zstd) with their origin in the file's schema metadata; an extract's manifest is JSON. A file comes
under a temporary name and is renamed, so that a reader sees the old one or the new one. Local files are readable by
their owner alone.
"""

from abc import abstractmethod
from collections.abc import Mapping
from datetime import datetime
from typing import IO, Any

import dagster as dg
import msgspec
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from upath import UPath

from hris_pipeline.defs.failures import redacted_errors
from hris_pipeline.defs.provenance import Traced
from hris_pipeline.environment import Environment
from hris_pipeline.errors import UnknownName
from hris_pipeline.files import replacing
from hris_pipeline.sources.protocol import Manifest

__all__ = [
    "FrameIOManager",
    "FrameIOManagerFactory",
    "ManifestIOManager",
    "ManifestIOManagerFactory",
    "frames_root",
    "purge_frames",
    "remove_frames",
]

_ORIGIN = b"hris_pipeline"
"""The key of the schema metadata under which a frame's origin is kept, as JSON."""


class Provenance(msgspec.Struct, frozen=True):
    extract_id: str
    settings_digest: str
    warnings: Mapping[str, tuple[str, ...]]


def frames_root(files_url: str) -> UPath:
    """The folder, or the bucket's prefix, that holds every asset's value."""
    root = UPath(files_url)
    return (UPath(root.path) if root.protocol in ("file", "local") else root) / "frames"


def remove_frames(root: UPath, integration_id: str) -> None:
    """Removes every asset's value of one integration."""
    for path in _files(root):
        if path.name.partition(".")[0] == integration_id:
            path.unlink(missing_ok=True)


def purge_frames(root: UPath, before: datetime) -> int:
    """Removes what was written before that moment; gives how many files."""
    old = [path for path in _files(root) if path.stat().st_mtime < before.timestamp()]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)


def _files(root: UPath) -> list[UPath]:
    folders = [folder for folder in root.iterdir() if folder.is_dir()] if root.exists() else []
    return [path for folder in folders for path in folder.iterdir() if path.is_file()]


class _WholeFiles(dg.UPathIOManager):
    """Reads and writes one kind of value; a file is there wholly or not at all."""

    @abstractmethod
    def encode(self, value: Any, file: IO[bytes]) -> None:
        """Writes the value."""

    @abstractmethod
    def decode(self, file: IO[bytes]) -> Any:
        """Reads what ``encode`` wrote."""

    def dump_to_path(self, context: dg.OutputContext, obj: Any, path: UPath) -> None:
        with redacted_errors(f"keeping {context.asset_key.to_user_string()}"), replacing(path) as file:
            self.encode(obj, file)

    def load_from_path(self, context: dg.InputContext, path: UPath) -> Any:
        asset, integration_id = context.asset_key.to_user_string(), context.asset_partition_key
        try:
            with path.open("rb") as file, redacted_errors(f"reading {asset} of {integration_id}"):
                return self.decode(file)
        except FileNotFoundError:
            raise UnknownName(f"{integration_id} has no {asset} yet: materialize {asset} for it first.") from None

    def make_directory(self, path: UPath) -> None:
        missing = [folder for folder in (path, *path.parents) if not folder.exists()]
        for folder in reversed(missing):
            folder.mkdir(mode=0o700, exist_ok=True)


class FrameIOManager(_WholeFiles):
    """Keeps a ``Traced`` as Parquet."""

    extension = ".parquet"

    def encode(self, value: Traced, file: IO[bytes]) -> None:
        origin = Provenance(value.extract_id, value.settings_digest, value.warnings)
        table = pa.Table.from_pandas(value.rows, preserve_index=False)
        pq.write_table(table.replace_schema_metadata({_ORIGIN: msgspec.json.encode(origin)}), file, compression="zstd")

    def decode(self, file: IO[bytes]) -> Traced:
        table = pq.read_table(file)
        origin = msgspec.json.decode(table.schema.metadata[_ORIGIN], type=Provenance)
        rows = table.replace_schema_metadata(None).to_pandas(types_mapper=pd.ArrowDtype)
        return Traced(rows, origin.extract_id, origin.settings_digest, origin.warnings)


class ManifestIOManager(_WholeFiles):
    """Keeps the manifest of the extract that an integration's assets are made from."""

    extension = ".json"

    def encode(self, value: Manifest, file: IO[bytes]) -> None:
        file.write(msgspec.json.format(msgspec.json.encode(value), indent=2))

    def decode(self, file: IO[bytes]) -> Manifest:
        return msgspec.json.decode(file.read(), type=Manifest)


class FrameIOManagerFactory(dg.ConfigurableIOManagerFactory[FrameIOManager]):
    """Frames below ``HRIS_FILES_URL``."""

    def create_io_manager(self, _context: dg.InitResourceContext) -> FrameIOManager:
        return FrameIOManager(frames_root(Environment.read().files_url))


class ManifestIOManagerFactory(dg.ConfigurableIOManagerFactory[ManifestIOManager]):
    """Manifests below ``HRIS_FILES_URL``."""

    def create_io_manager(self, _context: dg.InitResourceContext) -> ManifestIOManager:
        return ManifestIOManager(frames_root(Environment.read().files_url))
