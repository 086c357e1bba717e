"""A process that takes turns of shared buckets, as a run on some machine does; what it prints are the moments.

Usage: python -m hris_pipeline_tests.kit.paced_process INTEGRATION TURNS APPLICATION_PER_SECOND
"""

import sys
import time

from hris_pipeline.environment import Environment
from hris_pipeline.sources.pacing import Bucket, SharedRateLimiter
from hris_pipeline.store.engine import open_store
from hris_pipeline.store.locks import StoredBuckets

__all__ = ["main"]


def main(integration_id: str, turns: int, per_second: float) -> None:
    """Waits for each turn as a client does, and prints when it came; starts when a line comes in."""
    store = open_store(Environment.read())
    buckets = (Bucket(f"token/{integration_id}", 1000.0), Bucket("application", per_second, burst=1))
    limiter = SharedRateLimiter(StoredBuckets(store), lambda _path: buckets)
    _tell("ready")
    sys.stdin.readline()
    for _ in range(turns):
        time.sleep(limiter.reserve())
        _tell(str(time.time()))
    store.close()


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
