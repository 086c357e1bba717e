"""Ceilings on calls hold for all processes together, and companies take turns."""

import subprocess
import sys

import pytest
import sqlalchemy as sa

from hris_pipeline.environment import Environment
from hris_pipeline.sources.pacing import Bucket, SharedRateLimiter
from hris_pipeline.store.engine import Store
from hris_pipeline.store.locks import StoredBuckets
from hris_pipeline.store.tables import rate_buckets
from hris_pipeline_tests.kit.many_integrations import counted_statements

APPLICATION = Bucket("application", 10.0, burst=1)


def limiter(store: Store, *buckets: Bucket) -> SharedRateLimiter:
    """As another process on the same store would have it, at a standing clock."""
    return SharedRateLimiter(StoredBuckets(store), lambda _path: buckets, clock=lambda: 0.0)


def test_two_real_processes_keep_one_ceiling_and_neither_waits_for_the_others_end(
    environment: Environment, store: Store
) -> None:
    turns, per_second = 30, 20.0
    command = [sys.executable, "-m", "hris_pipeline_tests.kit.paced_process"]
    environ = {"HRIS_HOME": str(environment.home), "HRIS_STORE_URL": environment.store_url, "PATH": ""}
    processes = [
        subprocess.Popen(
            [*command, name, str(turns), str(per_second)],
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("large", "small")
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    printed = [""] * 2
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for number, process in enumerate(processes):
        printed[number] = process.communicate(timeout=60)[0]
    moments = [[float(line) for line in text.split()] for text in printed]
    assert [len(of_one) for of_one in moments] == [turns, turns]
    together = sorted(moment for of_one in moments for moment in of_one)
    assert together[-1] - together[0] >= (2 * turns - 1) / per_second * 0.95
    first, second = moments
    assert first[0] < second[-1]
    assert second[0] < first[-1]


def test_a_company_with_many_requests_keeps_another_waiting_for_a_second_at_most(store: Store) -> None:
    large, small = limiter(store, APPLICATION), limiter(store, APPLICATION)
    of_large = [large.reserve() for _ in range(6)]
    waits = [small.reserve()]
    of_large += [large.reserve() for _ in range(10)]
    waits += [small.reserve() for _ in range(4)]
    assert waits[0] < 1.6
    assert waits[-1] < max(of_large), "the next slice of the large one comes behind the small one's first"


def test_a_limiter_waits_for_the_slower_of_its_buckets_and_others_for_theirs(store: Store) -> None:
    slow, fast = Bucket("token/slow", 0.05, burst=1), Bucket("token/fast", 5.0, burst=1)
    waits = [limiter(store, slow, APPLICATION).reserve(), limiter(store, fast, APPLICATION).reserve()]
    assert waits[0] == 0
    assert waits[1] <= 0.11
    again = limiter(store, slow, APPLICATION).reserve()
    assert 15 < again <= 20.01


def test_turns_are_leased_in_growing_slices_of_a_second_at_most(store: Store) -> None:
    bucket = Bucket("application", 40.0)
    shared = limiter(store, bucket)
    with counted_statements(store.engine) as statements:
        waits = [shared.reserve() for _ in range(5 + 10 + 20 + 40 + 40)]
    assert len(statements) == 5
    at_a_standing_clock = (len(waits) - bucket.burst) / bucket.per_second
    assert at_a_standing_clock - 2 < waits[-1] <= at_a_standing_clock + 0.01


def test_what_one_process_is_told_slows_all_and_is_over_after_enough_requests(store: Store) -> None:
    bucket = Bucket("application", 100.0, burst=1)
    first, second = limiter(store, bucket), limiter(store, bucket)
    first.reserve()
    second.reserve()
    first.on_throttled(60.0)
    second.on_throttled(60.0)
    assert interval(store) == pytest.approx(0.02), "the second told of the same moment"
    assert first.reserve() == pytest.approx(60.0, abs=10)
    for _ in range(100):
        second.reserve()
    assert interval(store) == pytest.approx(0.01)


def test_a_source_that_says_no_for_ever_still_gets_a_twentieth(store: Store) -> None:
    shared = StoredBuckets(store)
    shared.take((APPLICATION,), 1)
    for _ in range(9):
        shared.slow((APPLICATION,), 0.0)
        with store.begin() as connection:
            connection.execute(sa.update(rate_buckets).values(slowed_until=0.0))
    assert interval(store) == pytest.approx(2.0)


def test_without_its_store_a_process_keeps_the_pace_by_itself() -> None:
    class Away:
        def take(self, buckets: object, turns: int) -> None: ...

        def slow(self, buckets: object, seconds: float) -> None: ...

    alone = SharedRateLimiter(Away(), lambda _path: (APPLICATION,), clock=lambda: 0.0)
    assert [alone.reserve() for _ in range(12)] == pytest.approx([turn / 10 for turn in range(12)])
    alone.on_throttled(3.0)


def interval(store: Store) -> float:
    """Seconds between two turns of the application, as stored."""
    with store.read() as connection:
        select = sa.select(rate_buckets.c.interval_seconds).where(rate_buckets.c.bucket_id == "application")
        return float(connection.execute(select).scalar_one())


def test_a_turn_that_only_a_wrong_clock_can_have_taken_keeps_nobody_waiting(store: Store) -> None:
    limiter(store, APPLICATION).reserve()
    ahead = rate_buckets.c.next_at + 4 * 86_400
    with store.begin() as connection:
        connection.execute(sa.update(rate_buckets).values(next_at=ahead, slowed_until=ahead))
    assert limiter(store, APPLICATION).reserve() < 60
    limiter(store, APPLICATION).on_throttled(5)
    assert 0 < limiter(store, APPLICATION).reserve() < 60
