"""Reading ahead: map in a background thread while the results before are worked on."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def read_ahead(function: Callable[[Item], Result], items: Iterable[Item], ahead: int) -> Iterator[Result]:
    """Map in one background thread, in order.

    One thread suffices: reading overlaps with the towers' work, and third-party readers need not be thread-safe.

    Args:
        function: Function of an item.
        items: Items, taken one by one.
        ahead: Largest number of results that wait to be taken.

    Yields:
        Result of each item, in order.

    Examples:
        >>> list(read_ahead(str.upper, "abc", ahead=2))
        ['A', 'B', 'C']
    """
    pending: deque[Future[Result]] = deque()
    remaining = iter(items)
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="clip2point-reader") as pool:
        try:
            for item in islice(remaining, ahead):
                pending.append(pool.submit(function, item))
            while pending:
                yield pending.popleft().result()
                for item in islice(remaining, 1):
                    pending.append(pool.submit(function, item))
        finally:
            for future in pending:
                future.cancel()
