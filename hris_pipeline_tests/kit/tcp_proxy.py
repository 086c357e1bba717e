"""The network between a process and a server, to be cut, mended, and led elsewhere."""

import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

__all__ = ["Network", "network"]

CHUNK = 1 << 16

Address = str | tuple[str, int]
"""A socket's path, or host and port."""


@dataclass
class Network:
    """Listens on a port of this machine and carries everything to the server behind it."""

    server: Address
    port: int
    _listener: socket.socket
    _pairs: list[tuple[socket.socket, socket.socket]] = field(default_factory=list)
    _open: threading.Event = field(default_factory=threading.Event)
    _frozen: threading.Event = field(default_factory=threading.Event)
    _over: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def cut(self) -> None:
        """Every connection breaks, and no new one is made, until ``mend``."""
        self._open.clear()
        self.drop()

    def drop(self) -> None:
        """Every connection breaks, as when the server restarts; new ones are made."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            _close(pair)

    def freeze(self) -> None:
        """Nothing arrives any more, and nobody is told, until ``mend``."""
        self._frozen.set()

    @property
    def is_frozen(self) -> bool:
        """Whether nothing arrives."""
        return self._frozen.is_set()

    def mend(self) -> None:
        """What is sent arrives again."""
        self._frozen.clear()
        self._open.set()

    def close(self) -> None:
        """No network any more."""
        self._over.set()
        self.drop()
        self._listener.close()

    def accept(self) -> None:
        """Serves until ``close``."""
        self._listener.settimeout(0.1)
        while not self._over.is_set():
            try:
                client, _ = self._listener.accept()
            except (TimeoutError, OSError):
                continue
            if not self._open.is_set():
                client.close()
                continue
            kind = socket.AF_UNIX if isinstance(self.server, str) else socket.AF_INET
            server = socket.socket(kind)
            try:
                server.connect(self.server)
            except OSError:
                _close((client, server))
                continue
            with self._lock:
                self._pairs.append((client, server))
            threading.Thread(target=self._carry, args=(client, server), daemon=True).start()

    def _carry(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError, ValueError), selectors.DefaultSelector() as selector:
            selector.register(client, selectors.EVENT_READ, server)
            selector.register(server, selectors.EVENT_READ, client)
            while not self._over.is_set():
                for key, _ in selector.select(0.05):
                    while self._frozen.is_set() and not self._over.wait(0.02):
                        pass
                    source: socket.socket = key.fileobj  # type: ignore[assignment]
                    if not (data := source.recv(CHUNK)):
                        return _close((client, server))
                    key.data.sendall(data)
        return _close((client, server))


@contextmanager
def network(server: Address) -> Iterator[Network]:
    """A network that works, until the block ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    proxy = Network(server, listener.getsockname()[1], listener)
    proxy.mend()
    thread = threading.Thread(target=proxy.accept, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.close()
        thread.join()


def _close(pair: tuple[socket.socket, socket.socket]) -> None:
    for end in pair:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()
