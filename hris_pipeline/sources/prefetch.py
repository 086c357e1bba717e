"""Reading ahead: the next item is fetched in a thread of its own while the caller works on this one."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = [
    "prefetch",
]

T = TypeVar("T")


def prefetch(items: Iterator[T]) -> Iterator[T]:
    """The same items in the same order, never more than one ahead of the caller.

    An error of ``items`` is raised where its item would have come. When the caller stops, nothing more is fetched.
    """
    end = object()
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as thread:
        pending = thread.submit(next, items, end)
        try:
            while (item := pending.result()) is not end:
                pending = thread.submit(next, items, end)
                yield item  # type: ignore[misc]
        finally:
            pending.cancel()
