"""Second processes on the same store that stand still at a chosen moment, until they are killed.

They are forked from a server that has everything imported, so that many of them are cheap.
"""

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess

from hris_pipeline.environment import Environment
from hris_pipeline.store.engine import Store, open_store

Work = Callable[..., None]
"""Called with the open store, a function that says "here I am", and what else was given."""

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["hris_pipeline_tests.kit.store_builders", "hris_pipeline.store.tokens"])


@contextmanager
def process(environment: Environment, work: Work, *arguments: object) -> Iterator[ForkServerProcess]:
    """Runs ``work``, a function of a module, in another process; given once it said that it is there."""
    ours, theirs = _processes.Pipe(duplex=False)
    child = _processes.Process(target=_run, args=(environment, work, theirs, arguments))
    child.start()
    theirs.close()
    try:
        ours.recv()
        yield child
    finally:
        kill(child)
        child.close()
        ours.close()


def kill(child: ForkServerProcess) -> None:
    """Ends it without any chance to clean up."""
    child.kill()
    child.join()


def _run(environment: Environment, work: Work, connection: Connection, arguments: tuple[object, ...]) -> None:
    store: Store = open_store(environment)
    work(store, lambda: connection.send("here"), *arguments)
