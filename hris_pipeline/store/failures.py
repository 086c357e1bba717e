"""What a broken database says, in words: what, where, what to do. The driver's own text never leaves: it quotes values.

Translated at the edge, where a transaction begins and ends; rules that a statement broke are the callers' to judge.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from hris_pipeline.errors import HrisError, StoreError
from hris_pipeline.files import machine_words

__all__ = ["SERIALIZATION_FAILURE", "error_code", "translating"]

SERIALIZATION_FAILURE = "40001"
"""Somebody wrote what a transaction writes that sees one moment of the store; tried again, it sees that."""

_AGAIN = "then run this again"

WORDS: tuple[tuple[str, str, str], ...] = (
    ("SQLITE_FULL", "its disk is full", f"free some space, {_AGAIN}"),
    (
        "SQLITE_READONLY",
        "it may not be written",
        f"let this user write the file and its folder, {_AGAIN}",
    ),
    ("SQLITE_BUSY", "another process has it locked for more than a minute", f"wait for that one to end, {_AGAIN}"),
    ("SQLITE_LOCKED", "another process has it locked", f"wait for that one to end, {_AGAIN}"),
    ("SQLITE_IOERR", "its disk fails or is full", f"look at the disk, {_AGAIN}"),
    (
        "SQLITE_CANTOPEN",
        "it, or a file beside it, cannot be opened",
        f"look at its folder's rights and this user's limit of open files (`ulimit -n`), {_AGAIN}",
    ),
    ("SQLITE_CORRUPT", "it is damaged", "restore it from a backup"),
    ("SQLITE_NOTADB", "it is no SQLite database", "check HRIS_STORE_URL"),
    ("SQLITE_TOOBIG", "a value is too large for it", "look at what the source sends"),
    ("53100", "its disk is full", f"free some space there, {_AGAIN}"),
    ("53200", "it is out of memory", f"give it more, {_AGAIN}"),
    ("53300", "it has no connection left", f"end others or raise max_connections, {_AGAIN}"),
    ("57P01", "it is being shut down or somebody ended this connection", f"wait until it runs, {_AGAIN}"),
    ("57P02", "it crashed", f"wait until it runs, {_AGAIN}"),
    ("57P03", "it is starting or stopping", f"wait until it runs, {_AGAIN}"),
    ("25006", "it is read-only, as a standby is", "let HRIS_STORE_URL name the primary server"),
    ("55P03", "another process has what is needed locked for more than a minute", f"wait for that one, {_AGAIN}"),
    ("57014", "a statement took longer than it may, or somebody cancelled it", f"look at what keeps it busy, {_AGAIN}"),
    ("40P01", "two processes waited for each other", f"wait a moment, {_AGAIN}"),
    ("42501", "this user may not do that there", "give the user of HRIS_STORE_URL its rights on the tables"),
    ("42P01", "a table is missing", "run `hris store upgrade`"),
    ("58", "its own disk or system fails", f"look at its log, {_AGAIN}"),
    ("08", "the connection was cut", f"look at the network and whether it runs, {_AGAIN}"),
    ("XX", "it is damaged or has a fault", "look at its log"),
)
"""By the beginning of the driver's code: what happened and what to do."""


@contextmanager
def translating(where: str) -> Iterator[None]:
    """The body of a transaction: whatever breaks in the database or below it comes out as a ``StoreError`` in words.

    A rule that was broken (unique, foreign key …) and a failed serialisation stay what they are.
    """
    try:
        yield
    except (HrisError, sa.exc.IntegrityError):
        raise
    except sa.exc.DBAPIError as error:
        if error_code(error) == SERIALIZATION_FAILURE:
            raise
        raise StoreError(_explained(error, where)) from None
    except OSError as error:
        words = machine_words(error)
        raise StoreError(f"{where}: {words}") if words else error from None
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in ("psycopg", "sqlite3"):  # a driver used directly
            raise
        raise StoreError(_explained(error, where)) from None


def error_code(error: BaseException) -> str:
    """The driver's code: SQLite's name, PostgreSQL's five letters, ``""`` when it gives none, as for a cut."""
    original = getattr(error, "orig", None) or error
    code = getattr(original, "sqlite_errorname", None) or getattr(original, "sqlstate", None)
    return str(code or "")


def _explained(error: BaseException, where: str) -> str:
    code = error_code(error)
    for beginning, what, remedy in WORDS:
        if code.startswith(beginning):
            return f"{where} cannot be used: {what} ({code}). Next: {remedy}."
    if not code:
        return f"{where} cannot be used: the connection was cut. Next: look whether it runs, {_AGAIN}."
    return f"{where} refuses a statement ({code}, {type(error).__name__}); nothing was stored. Please report it."
