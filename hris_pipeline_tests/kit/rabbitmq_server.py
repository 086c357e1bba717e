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

from hris_pipeline_tests.kit.processes import until

__all__ = ["RabbitMQ", "needs_rabbitmq", "rabbitmq_server"]

_SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""Not the wrapper in the path, which changes to a user of its own."""

needs_rabbitmq = pytest.mark.skipif(
    not _SERVER.exists(), reason="rabbitmq-server is not installed: Celery on RabbitMQ was not tested"
)


@dataclass
class RabbitMQ:
    """A broker whose queues are files below ``folder``; ``ports`` are the clients', and that of its own node."""

    folder: Path
    ports: tuple[int, int]
    _process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        """For ``HRIS_BROKER_URL``."""
        return f"amqp://guest:guest@127.0.0.1:{self.ports[0]}//"

    def start(self) -> None:
        """Starts it, with what it had when it was stopped."""
        clients, node = self.ports
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
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"-start_epmd false -erl_epmd_port {node} "
            "-kernel inet_dist_use_interface {127,0,0,1} +S 1:1 +A 4",
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

    def waiting(self, queue: str = "imports") -> int:
        """How many messages no worker has taken."""
        with Connection(self.url) as connection:  # type: ignore[no-untyped-call]
            return int(connection.default_channel.queue_declare(queue, passive=True).message_count)

    def _answers(self) -> bool:
        with suppress(OSError):
            Connection(self.url, connect_timeout=5).ensure_connection(max_retries=1)  # type: ignore[no-untyped-call]
            return True
        return False


@contextmanager
def rabbitmq_server(folder: Path) -> Iterator[RabbitMQ]:
    """A running broker."""
    with socket.create_server(("127.0.0.1", 0)) as first, socket.create_server(("127.0.0.1", 0)) as second:
        ports = (first.getsockname()[1], second.getsockname()[1])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "enabled_plugins").write_text("[].\n")
    broker = RabbitMQ(folder, ports)
    broker.start()
    try:
        yield broker
    finally:
        broker.kill()
