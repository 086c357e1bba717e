"""The ceilings on calls that all processes of all machines share: one row a bucket, one statement a lease of turns.

A row says when its next turn is, by the clock of the store: PostgreSQL's own, so that the clocks of machines need not
agree. Who waits how long is decided in ``sources.pacing``.
"""

import time
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from hris_pipeline.errors import StoreError
from hris_pipeline.sources.pacing import LEAST_PART, RECOVERY, Bucket, Lease
from hris_pipeline.store.engine import Store
from hris_pipeline.store.tables import rate_buckets

__all__ = ["StoredBuckets"]


class StoredBuckets:
    """The buckets of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        postgres = store.dialect == "postgresql"
        self._greatest: Any = sa.func.greatest if postgres else sa.func.max  # SQLite's, of two values
        self._least: Any = sa.func.least if postgres else sa.func.min

    def take(self, buckets: Sequence[Bucket], turns: int) -> tuple[Lease, ...] | None:
        """The next ``turns`` turns of each of the buckets, in one statement; None when the store cannot be asked."""
        now = self._now()
        rows = [
            {
                "bucket_id": bucket.bucket_id,
                "interval_seconds": bucket.interval,
                "next_at": now + (turns - bucket.burst + 1) * bucket.interval,
                "slowed_until": 0.0,
            }
            for bucket in buckets
        ]
        insert: Any = (postgresql if self._store.dialect == "postgresql" else sqlite).insert(rate_buckets).values(rows)
        base, floor = insert.excluded.interval_seconds, insert.excluded.next_at
        recovered = rate_buckets.c.interval_seconds * RECOVERY**-turns
        interval = self._greatest(base, self._least(base / LEAST_PART, recovered))
        earliest = self._greatest(rate_buckets.c.next_at, floor - turns * base)
        leased = insert.on_conflict_do_update(
            index_elements=["bucket_id"], set_={"interval_seconds": interval, "next_at": earliest + turns * interval}
        ).returning(rate_buckets.c.next_at - self._now(), rate_buckets.c.interval_seconds)
        try:
            with self._store.begin() as connection:
                return tuple(Lease(end - turns * seconds, seconds) for end, seconds in connection.execute(leased))
        except StoreError:
            return None

    def slow(self, buckets: Sequence[Bucket], seconds: float) -> None:
        """No turn for so long, and half as many afterwards, unless somebody else has just said so."""
        now, row = self._now(), rate_buckets.c
        try:
            with self._store.begin() as connection:
                for bucket in buckets:
                    halved = self._least(row.interval_seconds * 2, bucket.interval / LEAST_PART)
                    values = {
                        "interval_seconds": sa.case((row.slowed_until <= now, halved), else_=row.interval_seconds),
                        "next_at": self._greatest(row.next_at, now + seconds),
                        "slowed_until": self._greatest(row.slowed_until, now + max(seconds, 1.0)),
                    }
                    connection.execute(sa.update(rate_buckets).where(row.bucket_id == bucket.bucket_id).values(values))
        except StoreError:
            return

    def _now(self) -> Any:
        """Seconds since 1970, as an expression."""
        if self._store.dialect == "postgresql":
            return sa.func.extract("epoch", sa.func.clock_timestamp()).cast(sa.Double)
        return sa.literal(time.time())
