"""RabbitMQ as a broker of one's own, where Debian's package is installed; it listens on this machine alone."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from kombu.connection import Connection
from kombu.exceptions import OperationalError

from hris_pipeline_tests.kit.processes import until

__all__ = ["RabbitMQ", "needs_rabbitmq", "rabbitmq_server"]

_SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""Not the wrapper in the path, which changes to a user of its own."""

needs_rabbitmq = pytest.mark.skipif(
    not _SERVER.exists(), reason="rabbitmq-server is not installed: Celery on RabbitMQ was not tested"
)


@dataclass
class RabbitMQ:
    """A broker whose queues are files below ``folder``; ``ports`` are the clients', that of its own node, and that of
    Erlang's register of nodes."""

    folder: Path
    ports: tuple[int, int, int]
    _process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        """For ``HRIS_BROKER_URL``."""
        return f"amqp://guest:guest@127.0.0.1:{self.ports[0]}//"

    def start(self) -> None:
        """Starts it, with what it had when it was stopped."""
        clients, node, _ = self.ports
        (self.folder / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{clients}\n")
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "RABBITMQ_NODENAME": f"hris{node}@localhost",
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_DIST_PORT": str(node),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +S 1:1 +A 4",
            **self._register,
        }
        with (self.folder / "rabbitmq.log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(_SERVER)], env=environ, stdout=log, stderr=log, start_new_session=True
            )
        until(self._answers, 180, what="rabbitmq")

    def kill(self) -> None:
        """As when its machine loses power."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None
            until(self._end_register, what="the end of the register of nodes")

    def _end_register(self) -> bool:
        environ = {"PATH": os.environ["PATH"], **self._register}
        ended = subprocess.run(["epmd", "-kill"], env=environ, capture_output=True, check=False)
        return b"living nodes" not in ended.stdout + ended.stderr

    @property
    def _register(self) -> dict[str, str]:
        """It is a process that the server starts, and leaves behind."""
        return {"ERL_EPMD_ADDRESS": "127.0.0.1", "ERL_EPMD_PORT": str(self.ports[2])}

    def waiting(self, queue: str = "imports") -> int:
        """How many messages no worker has taken."""
        with Connection(self.url) as connection:  # type: ignore[no-untyped-call]
            return int(connection.default_channel.queue_declare(queue, passive=True).message_count)

    def _answers(self) -> bool:
        with suppress(OSError, OperationalError), Connection(self.url, connect_timeout=5) as connection:  # type: ignore[no-untyped-call]
            connection.ensure_connection(max_retries=1)
            return True
        return False


@contextmanager
def rabbitmq_server(folder: Path) -> Iterator[RabbitMQ]:
    """A running broker."""
    free = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    clients, node, register = (server.getsockname()[1] for server in free)
    for server in free:
        server.close()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "enabled_plugins").write_text("[].\n")
    broker = RabbitMQ(folder, (clients, node, register))
    try:
        broker.start()
        yield broker
    finally:
        broker.kill()
