"""Everything an import does, against floors and the usual loader measured in the same run; writes docs/performance.md.

Usage: python -m benchmarks.run [PEOPLE …] [--rounds N] [--databases postgresql,sqlite] [--peers PYTHON] [--write]

Server, sandbox and each measurement are processes of their own. A round measures floors, imports and peers in turn, so
that a busy machine slows all of them alike; ratios are taken within a round, and their median and range are told.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import httpx
import msgspec
import sqlalchemy as sa

from benchmarks.measure import Measured, measured
from benchmarks.report import Result, Round, write_report
from benchmarks.servers import Postgres, environment, postgres, sandbox

WRITTEN = ("users", "import_rows", "imports")
PEER = Path(__file__).with_name("peers.py")
LARGEST = 1_000_000
"""So many people are imported once, by name, and without the peers."""
LIBRARIES = ("dagster", "pandas", "pyarrow", "pandera", "sqlalchemy", "psycopg", "httpx", "msgspec")


def main() -> None:
    """Runs the rounds and prints, or writes, the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("people", nargs="*", type=int, default=[1_000, 10_000, 100_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--databases", default="postgresql,sqlite")
    parser.add_argument("--peers", help="The Python that has dlt; without it the peers are left out.")
    parser.add_argument("--latency", type=float, nargs="*", default=[], help="Seconds a page; measured at 10 000.")
    parser.add_argument("--call-latency", type=float, nargs="*", default=[], help="A custom field call; at 1 000.")
    parser.add_argument("--write", action="store_true", help="Write the tables into docs/performance.md.")
    options = parser.parse_args()
    results: list[Result] = []
    with postgres() as server:
        for people in options.people:
            with sandbox(people) as url:
                for database in options.databases.split(","):
                    peers = options.peers if database == "postgresql" and people < LARGEST else None
                    number = options.rounds if people < LARGEST else 1
                    rounds = [_round(server, url, database, people, peers) for _ in range(number)]
                    results.append(Result(people, database, rounds))
                    _progress(f"{people:,} people on {database}: measured")
        for slowness, seconds in ((PAGES, options.latency), (VALUES, options.call_latency)):
            if seconds:
                with sandbox(slowness.people) as url:
                    results += [_slow(server, url, slowness, latency, options.rounds) for latency in seconds]
    write_report(results, _machine(), into_docs=options.write)


@dataclass(frozen=True)
class Slowness:
    """Which answers of the source are slow, at how many people, and what is measured then: the floor that fetches them,
    and the pipeline's preparation."""

    what: str
    people: int
    floor: str
    preparation: str


PAGES = Slowness("a page", 10_000, "fetch", "prepare")
VALUES = Slowness("a custom field call", 1_000, "values", "prepare-custom")


def _slow(server: Postgres, url: str, slowness: Slowness, seconds: float, rounds: int) -> Result:
    """Fetching alone and imports, with so many seconds more an answer; with custom field calls a page takes as much."""
    httpx.delete(f"{url}/sandbox/faults").raise_for_status()
    fault = {"kind": "slow", "path": "/v1/members", "seconds": seconds}
    httpx.post(f"{url}/sandbox/faults", json=fault).raise_for_status()
    measurements = [_imports_only(server, url, slowness) for _ in range(rounds)]
    httpx.delete(f"{url}/sandbox/faults").raise_for_status()
    return Result(slowness.people, "postgresql", measurements, seconds, slowness.what)


def _round(server: Postgres, url: str, database: str, people: int, peers: str | None) -> Round:
    """Floors, imports and peers, once each and in turn."""
    with tempfile.TemporaryDirectory() as home, _databases(server, database, Path(home)) as (store_url, peer_url):
        environ = environment(Path(home), store_url, url)
        token = _prepare(environ)
        results: dict[str, Measured] = {"fetch": measured("floors", "fetch", url, token, environ=environ)}
        statements: dict[str, int] = {}
        rows: dict[str, dict[str, int]] = {}
        counted = server if database == "postgresql" else None

        def pipeline(name: str, kind: str) -> None:
            sent, before = _sent(counted), _written(counted, store_url)
            results[name] = measured("pipeline", kind, environ=environ)
            if counted is not None:
                statements[name] = _sent(counted) - sent
                after = _written(counted, store_url)
                rows[name] = {table: after[table] - before[table] for table in WRITTEN}

        floors = database == "postgresql"
        if floors:
            results["floor: first"] = measured("floors", "first", url, token, environ=environ)
        pipeline("first import", "import")
        if peers:
            for kind in ("documented", "best"):
                results[f"dlt {kind}: first"] = _peer(peers, kind, url, token, peer_url, home)
        if floors:
            results["floor: no change"] = measured("floors", "unchanged", url, token, environ=environ)
        pipeline("no change", "import")
        if peers:
            for kind in ("documented", "best"):
                results[f"dlt {kind}: no change"] = _peer(peers, kind, url, token, peer_url, home)
        pipeline("preview only", "preview")
        _change(url, max(1, people // 100))
        pipeline("1 % changed", "import")
        pipeline("review page", "review")
        pipeline("undo", "undo")
        return Round(results, statements, rows)


def _imports_only(server: Postgres, url: str, slowness: Slowness) -> Round:
    with tempfile.TemporaryDirectory() as home, _databases(server, "postgresql", Path(home)) as (store_url, _):
        environ = environment(Path(home), store_url, url)
        token = _prepare(environ, slowness.preparation)
        results = {"fetch": measured("floors", slowness.floor, url, token, environ=environ)}
        results["first import"] = measured("pipeline", "import", environ=environ)
        results["no change"] = measured("pipeline", "import", environ=environ)
        return Round(results, {}, {})


class _databases:  # noqa: N801 - used as a function
    """Fresh databases for the store and for the peers; gone afterwards."""

    def __init__(self, server: Postgres, database: str, home: Path) -> None:
        self._server, self._database, self._home = server, database, home

    def __enter__(self) -> tuple[str, str]:
        if self._database == "sqlite":
            return f"sqlite:///{self._home / 'store.db'}", ""
        return self._server.created("bench_store"), self._server.created("bench_peers")

    def __exit__(self, *_: object) -> None:
        if self._database == "postgresql":
            self._server.dropped("bench_store")
            self._server.dropped("bench_peers")


def _prepare(environ: dict[str, str], kind: str = "prepare") -> str:
    command = [sys.executable, "-m", "benchmarks.pipeline", kind]
    return subprocess.run(command, env=environ, stdout=subprocess.PIPE, check=True, text=True).stdout.split()[-1]


def _peer(python: str, kind: str, url: str, token: str, database_url: str, home: str) -> Measured:
    # dlt wants a host and a password in the address, though the socket in the query is what counts.
    address = database_url.replace("+psycopg", "").replace("postgres:@/", "postgres:unused@localhost/")
    command = [python, str(PEER), kind, url, token, address, home]
    environ = {"PATH": os.environ["PATH"], "HOME": home, "RUNTIME__DLTHUB_TELEMETRY": "false"}
    done = subprocess.run(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=Measured)


def _change(url: str, people: int) -> None:
    """So many people get another job title."""
    with httpx.Client(base_url=url, timeout=120) as client:
        for member_id in _active(client, people):
            changes = {"job_title": f"Changed {os.urandom(3).hex()}"}
            client.post("/sandbox/edit", json={"member_id": member_id, "changes": changes}).raise_for_status()


def _active(client: httpx.Client, people: int) -> Iterator[str]:
    members = client.request("GET", "/sandbox/members").raise_for_status().json()["members"]
    active = [member["id"] for member in members if member["active"]]
    return iter(active[:: max(1, len(active) // people)][:people])


def _sent(server: Postgres | None) -> int:
    return 0 if server is None else server.statements().total()


def _written(server: Postgres | None, store_url: str) -> dict[str, int]:
    """Rows inserted, updated or deleted so far, by table, as the server counts them."""
    if server is None:
        return {}
    engine = sa.create_engine(store_url, poolclass=sa.NullPool)
    counted = "SELECT relname, n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_user_tables"
    with engine.connect() as connection:
        counts = {row[0]: int(row[1]) for row in connection.execute(sa.text(counted))}
    return {table: counts.get(table, 0) for table in WRITTEN}


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, Python {platform.python_version()}, {libraries}"


def _progress(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    main()
