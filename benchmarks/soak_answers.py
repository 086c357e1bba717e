"""A hundred thousand answers of sources: whatever they say, nobody who works is taken for gone.

Usage: python -m benchmarks.soak_answers [--answers 100000] [--sockets 2000] [--seed N]

Four of five are single answers, the others whole readings: lists of any kind, and the question put to the proof. All
go through the real clients and the real reading of all members, ``--sockets`` of them over real sockets. Says how many
were tried; the first that breaks the law is printed by its kind, and the exit code is 1.
"""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from hris_pipeline_tests.kit.answer_trials import Transport, Trial, list_trials, lookup_trials, proof_trials
from hris_pipeline_tests.kit.scripted_http import answered_in_process, serving
from hris_pipeline_tests.oracle.model import Source

__all__ = ["main"]

SOURCES: tuple[Source, ...] = ("justworks", "finch")


def trials(transport: Transport, folder: Path, seed: int, count: int) -> Iterator[Trial]:
    """So many trials of both sources: four fifths single answers, a tenth lists, a tenth proofs."""
    share = count // len(SOURCES)
    for source in SOURCES:
        yield from lookup_trials(source, transport, seed=seed, count=share * 8 // 10)
        yield from list_trials(source, transport, folder, seed=seed, count=share // 10)
        yield from proof_trials(source, transport, folder, seed=seed, count=share // 10)


def main() -> None:
    """Tries them, tells every ten thousand, and stops at the first breach."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--answers", type=int, default=100_000)
    parser.add_argument("--sockets", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    options = parser.parse_args()
    began, tried = time.monotonic(), 0
    with tempfile.TemporaryDirectory(prefix="hris-soak-") as folder:
        asked = chain(
            trials(serving, Path(folder), options.seed + 1, options.sockets),
            trials(answered_in_process, Path(folder), options.seed, options.answers - options.sockets),
        )
        for trial in asked:
            tried += 1
            if trial.breach:
                print(f"{trial.source} {trial.kind}: {trial.breach} (seed {options.seed})")
                sys.exit(1)
            if tried % 10_000 == 0:
                print(f"{tried:,} answers, {time.monotonic() - began:.0f} s", flush=True)
    print(
        f"{tried:,} answers, of which {options.sockets:,} over sockets, seed {options.seed}: nobody who works was gone"
    )


if __name__ == "__main__":
    main()
