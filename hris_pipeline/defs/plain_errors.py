"""Errors that carry nobody's data into Dagster."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from hris_pipeline.errors import HrisError

__all__ = ["plain_errors"]


@contextmanager
def plain_errors(what: str) -> Iterator[None]:
    """Lets errors of this project through alone, without what caused them; of any other only its kind and place remain.

    Dagster stores every error with its causes, and a database's or a parser's message may quote a person's data.
    """
    try:
        yield
    except dg.Failure:
        raise
    except HrisError as error:
        raise error from None
    except Exception as error:
        message = f"{what} failed unexpectedly ({type(error).__name__}): the stack trace of its run shows where."
        raise HrisError(message).with_traceback(error.__traceback__) from None
