"""What runs print, kept in the folder or bucket of ``HRIS_FILES_URL`` instead of on the machine that ran them.

Dagster captures into local files and asks this to upload them; siblings of it exist for each cloud, this one is for
whatever fsspec reaches. Nobody's data is printed (see ``failures``).
"""

import tempfile
from collections.abc import Mapping, Sequence
from typing import IO, Any, Self

from dagster import DagsterInstance
from dagster._config import UserConfigSchema
from dagster._core.storage.cloud_storage_compute_log_manager import TruncatingCloudStorageComputeLogManager
from dagster._core.storage.compute_log_manager import ComputeIOType
from dagster._core.storage.local_compute_log_manager import IO_TYPE_EXTENSION, LocalComputeLogManager
from dagster._serdes import ConfigurableClass, ConfigurableClassData
from upath import UPath

from hris_pipeline.environment import Environment
from hris_pipeline.files import open_root

__all__ = ["FilesComputeLogManager"]


class FilesComputeLogManager(TruncatingCloudStorageComputeLogManager[DagsterInstance], ConfigurableClass):
    """Keeps each run's output below ``compute_logs`` of ``HRIS_FILES_URL``, uploaded when its process ends."""

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        self._inst_data = inst_data
        self._local = LocalComputeLogManager(tempfile.mkdtemp(prefix="hris-compute-logs-"))
        super().__init__()  # type: ignore[no-untyped-call]

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        """What dagster.yaml says of it."""
        return self._inst_data

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        """Nothing: the environment says where files are."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """What dagster.yaml describes."""
        return cls(inst_data=inst_data, **config_value)

    @property
    def local_manager(self) -> LocalComputeLogManager:
        """Where output is before it is uploaded."""
        return self._local

    @property
    def upload_interval(self) -> int | None:
        """None: once, in the end."""
        return None

    def delete_logs(self, log_key: Sequence[str] | None = None, prefix: Sequence[str] | None = None) -> None:
        """Removes the output of one key, or of all keys that begin so."""
        self._local.delete_logs(log_key, prefix)
        if log_key is not None:
            for io_type in ComputeIOType:
                self._path(log_key, io_type).unlink(missing_ok=True)
        elif prefix:
            folder = self._root().joinpath(*prefix)
            for path in list(folder.rglob("*")) if folder.exists() else []:
                if path.is_file():
                    path.unlink(missing_ok=True)

    def download_url_for_type(
        self,
        log_key: Sequence[str],  # noqa: ARG002
        io_type: ComputeIOType,  # noqa: ARG002
    ) -> str | None:
        """None: a bucket gives nothing to a browser."""
        return None

    def display_path_for_type(self, log_key: Sequence[str], io_type: ComputeIOType) -> str:
        """Where it is."""
        return str(self._path(log_key, io_type))

    def cloud_storage_has_logs(self, log_key: Sequence[str], io_type: ComputeIOType, partial: bool = False) -> bool:
        """Whether it was uploaded."""
        return not partial and self._path(log_key, io_type).exists()

    def download_from_cloud_storage(
        self, log_key: Sequence[str], io_type: ComputeIOType, partial: bool = False
    ) -> None:
        """Fetches it for whoever looks at the run."""
        local = UPath(self._local.get_captured_local_path(log_key, IO_TYPE_EXTENSION[io_type], partial=partial))
        local.parent.mkdir(parents=True, exist_ok=True)
        local.write_bytes(self._path(log_key, io_type).read_bytes())

    def _upload_file_obj(
        self, data: IO[bytes], log_key: Sequence[str], io_type: ComputeIOType, partial: bool = False
    ) -> None:
        content = data.read()
        if content and not partial:
            path = self._path(log_key, io_type)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def _root(self) -> UPath:
        return open_root(Environment.read().files_url) / "compute_logs"

    def _path(self, log_key: Sequence[str], io_type: ComputeIOType) -> UPath:
        *folders, name = log_key
        return self._root().joinpath(*folders, f"{name}.{IO_TYPE_EXTENSION[io_type]}")
