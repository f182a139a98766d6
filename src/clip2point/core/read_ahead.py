"""Streams: reading ahead in a background thread while the results before are worked on, and batches."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from itertools import islice
from queue import SimpleQueue
from threading import Thread
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_GRACE = 0.2  # seconds that an idle reader has to end


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
    tasks: SimpleQueue[tuple[Future[Result], Item] | None] = SimpleQueue()

    def work() -> None:
        while (task := tasks.get()) is not None:
            future, item = task
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(function(item))
                except BaseException as error:  # raised again where the result is taken
                    future.set_exception(error)

    def take(count: int) -> None:
        for item in islice(remaining, count):
            pending.append(Future())
            tasks.put((pending[-1], item))

    # A daemon, and waited for no longer than an idle one takes to end: an interruption must not last as long as the
    # file that is being read, but a thread that wakes while the interpreter ends may take the process down.
    reader = Thread(target=work, name="clip2point-reader", daemon=True)
    reader.start()
    try:
        take(ahead)
        while pending:
            yield pending.popleft().result()
            take(1)
    finally:
        for future in pending:
            future.cancel()
        tasks.put(None)
        reader.join(_GRACE)


def take_batches(items: Iterable[Item], largest: int) -> Iterator[list[Item]]:
    """Divide a stream into batches that grow, so that the first answers are there early.

    Args:
        items: Items, taken as late as possible.
        largest: Number of items of a full batch, 1 or more; the first ones have 1, 2, 4 and so on.

    Yields:
        Batches, in order; none is empty.

    Examples:
        >>> [len(batch) for batch in take_batches(range(20), 6)]
        [1, 2, 4, 6, 6, 1]
    """
    remaining, size = iter(items), 1
    while batch := list(islice(remaining, min(size, largest))):
        yield batch
        size *= 2
