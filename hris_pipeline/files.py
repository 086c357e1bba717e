"""Writing files that hold people's data: whole or not at all, readable by their owner alone where files have owners."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from upath import UPath

__all__ = ["replacing"]


@contextmanager
def replacing(path: UPath) -> Iterator[IO[bytes]]:
    """A file to write that takes its name when it is whole; nothing of it stays when writing fails."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        if isinstance(temporary, Path):
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "wb") as file:
                yield file
                file.flush()
                os.fsync(descriptor)
        else:
            with temporary.open("wb") as file:
                yield file
        temporary.rename(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
