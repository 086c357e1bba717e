"""Processes forked from one that has everything imported, so that hundreds of them are cheap; they may be killed."""

import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from typing import Any, NoReturn

__all__ = ["Child", "Parent", "Processes", "processes"]

REQUEST = 1 << 16


class Parent:
    """Whoever started this process, as seen from it. When that is gone, so is this process."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def tell(self, said: object) -> None:
        """Says something."""
        self._connection.send(said)

    def wait(self) -> None:
        """Returns when let go."""
        try:
            self._connection.recv()
        except (EOFError, ConnectionResetError):
            os._exit(0)

    def stay(self) -> NoReturn:
        """Stands still, until killed."""
        while True:
            self.wait()


Work = Callable[..., object]
"""A module's function, called with the ``Parent`` and the arguments given. At the end its result is told, or the name
of what it raised, as ``("done", …)`` or ``("raised", …)``; the process stays until it is killed."""


class Child:
    """A process at work; it is there until it is killed."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._pid = self._connection.recv()

    def heard(self) -> Any:
        """What it says next; waits for it."""
        return self._connection.recv()

    def go(self) -> None:
        """Lets it go on from where it waits."""
        self._connection.send("go")

    def freeze(self) -> None:
        """Stops it where it is, until it is thawed."""
        os.kill(self._pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Lets a frozen one go on."""
        os.kill(self._pid, signal.SIGCONT)
        self.go()

    def kill(self) -> None:
        """Ends it without any chance to clean up; returns once it is gone."""
        os.kill(self._pid, signal.SIGKILL)
        try:
            while True:
                self._connection.recv()
        except (EOFError, ConnectionResetError):
            self._connection.close()
        with suppress(ProcessLookupError):  # until then it may still have another socket open
            while True:
                os.kill(self._pid, 0)
                time.sleep(0.001)


class Processes:
    """Starts processes from the one at the other end of ``ours``."""

    def __init__(self, ours: socket.socket) -> None:
        self._ours = ours

    def start(self, work: Work, *arguments: object) -> Child:
        """Starts one."""
        near, far = socket.socketpair()
        with far:
            socket.send_fds(self._ours, [pickle.dumps((work, arguments))], [far.fileno()])
            return Child(Connection(near.detach()))


@contextmanager
def processes(*modules: str) -> Iterator[Processes]:
    """Where processes come from that have these modules imported, until the block ends."""
    ours, theirs = socket.socketpair()
    serve = f"import {', '.join(modules)}; from {__name__} import serve; serve({theirs.fileno()})"
    mother = subprocess.Popen([sys.executable, "-c", serve], pass_fds=[theirs.fileno()])
    theirs.close()
    try:
        yield Processes(ours)
    finally:
        ours.close()
        mother.wait()


def serve(descriptor: int) -> None:
    """Forks a process for every request, until the other end closes."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the children
    requests = socket.socket(fileno=descriptor)
    while True:
        request, descriptors, _, _ = socket.recv_fds(requests, REQUEST, 1)
        if not request:
            return
        if os.fork() == 0:
            requests.close()
            _work(request, Connection(descriptors[0]))
        os.close(descriptors[0])


def _work(request: bytes, connection: Connection) -> NoReturn:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    connection.send(os.getpid())
    parent = Parent(connection)
    try:
        work, arguments = pickle.loads(request)
        parent.tell(("done", work(parent, *arguments)))
    except Exception as error:
        parent.tell(("raised", type(error).__name__))
    parent.stay()
