"""States staged as JSON, as the pipeline does, or as columns: what each costs the pipeline and the server.

Usage: python -m benchmarks.staging [--people 100000] [--rounds 3]

After a first import on PostgreSQL, the users' own states are staged again in both ways and made users of a copy of
their table, in turn. What a history would keep as a document either way (``before``, ``after``) is part of the first
way alone: with columns, it would have to be made in addition.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import sqlalchemy as sa

from benchmarks.servers import environment, postgres, sandbox
from hris_pipeline.change_set.directory import state_json
from hris_pipeline.settings.fields import USER_STATE
from hris_pipeline.store import frames
from hris_pipeline.store.tables import users

POSTGRESQL = sa.make_url("postgresql+psycopg://").get_dialect()()
TYPED = ", ".join(f'"{name}" {users.c[name].type.compile(POSTGRESQL)}' for name in USER_STATE)
NAMES = ", ".join(f'"{name}"' for name in USER_STATE)
REST = "directory_id, version, synced_version, created_at, updated_at"
FILLED = "'copy', 1, 1, now(), now()"

TABLES = f"""
CREATE TABLE staged_json (user_id text PRIMARY KEY, after json NOT NULL);
CREATE TABLE staged_columns (user_id text PRIMARY KEY, {TYPED});
CREATE TABLE copied_users (LIKE users INCLUDING ALL);
"""
EMPTIED = "TRUNCATE staged_json, staged_columns, copied_users"
WRITTEN = {
    "staged_json": f"""INSERT INTO copied_users (user_id, {REST}, {NAMES})
        SELECT user_id, {FILLED}, {NAMES} FROM staged_json, json_to_record(after) AS state({TYPED})""",
    "staged_columns": f"""INSERT INTO copied_users (user_id, {REST}, {NAMES})
        SELECT user_id, {FILLED}, {NAMES} FROM staged_columns""",
}


def main() -> None:
    """Prints the median seconds of each step, by way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with postgres() as server, sandbox(options.people) as url, tempfile.TemporaryDirectory() as home:
        store_url = server.created("bench_staging")
        environ = environment(Path(home), store_url, url)
        for step in ("prepare", "import"):
            command = [sys.executable, "-m", "benchmarks.pipeline", step]
            subprocess.run(command, env=environ, check=True, stdout=subprocess.DEVNULL)
        engine = sa.create_engine(store_url)
        with engine.begin() as connection:
            connection.exec_driver_sql(TABLES)
        rounds = [_round(engine, way) for _ in range(options.rounds) for way in WRITTEN]
    for way in WRITTEN:
        theirs = [seconds for name, seconds in rounds if name == way]
        medians = (f"{step} {statistics.median(seconds[step] for seconds in theirs):.2f} s" for step in theirs[0])
        sys.stdout.write(f"{way}: {', '.join(medians)}\n")


def _round(engine: sa.Engine, way: str) -> tuple[str, dict[str, float]]:
    with engine.begin() as connection:
        connection.exec_driver_sql(EMPTIED)
        everybody = frames.read_frame(connection, sa.select(users))
    seconds: dict[str, float] = {}

    with _timed(seconds, "made"):
        if way == "staged_json":
            rows = pd.DataFrame({"user_id": everybody["user_id"], "after": state_json(everybody)})
        else:
            rows = everybody[["user_id", *USER_STATE]]
    table = sa.Table(way, sa.MetaData(), autoload_with=engine)
    with _timed(seconds, "staged"), engine.begin() as connection:
        frames.write_frame(connection, table, rows)
    with _timed(seconds, "written"), engine.begin() as connection:
        connection.exec_driver_sql(WRITTEN[way])
    return way, seconds


@contextmanager
def _timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    seconds[step] = time.perf_counter() - began


if __name__ == "__main__":
    main()
