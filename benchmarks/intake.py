"""What taking in one member costs, without a network: microseconds of computing, and calls of Python functions.

Each page is taken in many times in short bursts of which the quickest counts, so that neighbours on the machine matter
little; the ratio to decoding alone, in the same run, matters even less.

Usage: python -m benchmarks.intake
"""

import gc
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from hris_pipeline.sandbox import Company
from hris_pipeline.sandbox.wire import profile
from hris_pipeline.sources.decoding import decode
from hris_pipeline.sources.justworks_wire import Reception, read_company
from hris_pipeline.sources.protocol import Record
from hris_pipeline.sources.raw_columns import ColumnBuilder

T = TypeVar("T")

PAGES, PAGE, BURSTS = 20, 100, 20


def pages() -> list[bytes]:
    """Pages of members as the sandbox sends them."""
    company = Company(PAGES * PAGE, seed=7)
    bodies = [company.encoded(member_id) for member_id in company.member_ids]
    return [b"[" + b",".join(bodies[first : first + PAGE]) + b"]" for first in range(0, len(bodies), PAGE)]


def gather(records: list[Record]) -> None:
    """The records' rows as columns."""
    builder = ColumnBuilder()
    builder.extend(records)
    builder.finish()


def take_in(reception: Reception, members: object) -> list[Record]:
    """The records of a page."""
    records = reception.records(members) if isinstance(members, list) else []
    return [record for record in records if record is not None]


def quickest(prepare: Callable[[], T], work: Callable[[T], object]) -> float:
    """Microseconds a member of the quickest burst of ``work`` on what ``prepare`` gives."""
    best = float("inf")
    for _ in range(BURSTS):
        prepared = prepare()
        began = time.thread_time()
        work(prepared)
        best = min(best, time.thread_time() - began)
    return best / PAGE * 1e6


def calls(work: Callable[[], object]) -> int:
    """How many Python functions are called."""
    count = 0

    def note(_: object, event: str, __: object) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(note)
    work()
    sys.setprofile(None)
    return count


def main() -> None:
    """Measures and prints."""
    receive = partial(take_in, Reception(read_company(profile("c", "Acme"))))
    bodies = pages()
    gather(receive(decode(bodies[0])))
    gc.collect()
    gc.freeze()
    stages = {"decode": 0.0, "records": 0.0, "columns": 0.0}
    called = 0
    for body in bodies:
        page = partial(decode, body)
        stages["decode"] += quickest(lambda: None, lambda _, page=page: page())  # type: ignore[misc]
        stages["records"] += quickest(page, receive)
        stages["columns"] += quickest(lambda page=page: receive(page()), gather)  # type: ignore[misc]
        called += calls(lambda page=page: gather(receive(page())))  # type: ignore[misc]
    for stage, total in stages.items():
        sys.stdout.write(f"{stage}: {total / PAGES:.1f} us a member\n")
    together = sum(stages.values())
    sys.stdout.write(f"all: {together / PAGES:.1f} us, {together / stages['decode']:.1f} times decoding; ")
    sys.stdout.write(f"{called / PAGES / PAGE:.0f} calls of Python functions a member\n")


if __name__ == "__main__":
    main()
