"""Worker processes: results in order, and a crash costs its own item only."""

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

from clip2point.core.safe_path import spawn_safely

Item = TypeVar("Item")
Result = TypeVar("Result")

#: Items in flight for each worker: enough that a slow item at the head does not starve the others.
_AHEAD = 4


def map_in_order(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int, report_crash: Callable[[Item], Result]
) -> Generator[Result, None, None]:
    """Call a function for each item, in processes with one thread each.

    Args:
        function: Function that can be pickled, as can its items and results.
        items: Items, of which only a few are taken ahead of the results.
        workers: Number of processes.
        report_crash: Maker of the result of an item that ends its process (out of memory, a crash in native code).

    Yields:
        Result of each item, in order.
    """
    pool = _start_pool(workers)
    flight: deque[tuple[Item, Future[Result]]] = deque()
    try:
        for item in items:
            try:
                future = pool.submit(function, item)
            except BrokenProcessPool:
                pool = _start_pool(workers)
                future = pool.submit(function, item)
            flight.append((item, future))
            if len(flight) >= _AHEAD * workers:
                yield _wait_for(function, *flight.popleft(), report_crash)
        while flight:
            yield _wait_for(function, *flight.popleft(), report_crash)
    finally:
        pool.shutdown(cancel_futures=True)


def _wait_for(
    function: Callable[[Item], Result], item: Item, future: Future[Result], report_crash: Callable[[Item], Result]
) -> Result:
    """Return the result of an item; after a broken pool the item runs once more alone, to find the one that crashed."""
    try:
        return future.result()
    except BrokenProcessPool:
        with _start_pool(1) as alone:
            try:
                return alone.submit(function, item).result()
            except BrokenProcessPool:
                return report_crash(item)


def _start_pool(workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(workers, spawn_safely(), _set_up_worker)


def _set_up_worker() -> None:
    """Set a worker up: one numba thread, Ctrl-C left to the parent, and an end when the parent ends."""
    os.environ["NUMBA_NUM_THREADS"] = "1"
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
