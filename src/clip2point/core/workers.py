"""Many processes, results in order, and no item that can take the others down."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

#: Items in flight for each worker: enough that a slow item at the head does not starve the others.
_AHEAD = 4


def map_in_order(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int, died: Callable[[Item], Result]
) -> Generator[Result, None, None]:
    """Call a function for all items, in processes with one thread each.

    Args:
        function: can be pickled, as can the items and results.
        items: few of them are taken ahead of the results.
        workers: how many processes.
        died: makes the result of an item that ends its process (out of memory, a crash in native code).

    Yields:
        A result for each item, in order.
    """
    pool = _pool(workers)
    flight: deque[tuple[Item, Future[Result]]] = deque()
    try:
        for item in items:
            try:
                future = pool.submit(function, item)
            except BrokenProcessPool:
                pool = _pool(workers)
                future = pool.submit(function, item)
            flight.append((item, future))
            if len(flight) >= _AHEAD * workers:
                yield _result(function, *flight.popleft(), died)
        while flight:
            yield _result(function, *flight.popleft(), died)
    finally:
        pool.shutdown(cancel_futures=True)


def _result(
    function: Callable[[Item], Result], item: Item, future: Future[Result], died: Callable[[Item], Result]
) -> Result:
    """The result of an item; if its pool broke, it tries again alone, which tells who broke it."""
    try:
        return future.result()
    except BrokenProcessPool:
        with _pool(1) as alone:
            try:
                return alone.submit(function, item).result()
            except BrokenProcessPool:
                return died(item)


def _pool(workers: int) -> ProcessPoolExecutor:
    # Processes are spawned and not forked: the threads of numba and torch do not survive a fork.
    return ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _begin)


def _begin() -> None:
    """Set a worker up: one thread of numba, Ctrl-C left to the parent, no life after the parent's."""
    os.environ["NUMBA_NUM_THREADS"] = "1"
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
