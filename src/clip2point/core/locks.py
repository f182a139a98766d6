"""Locks that keep a second writer out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


@contextmanager
def hold_lock(path: Path) -> Iterator[None]:
    """Hold a lock while the block runs; the system releases it when the process ends, however it ends.

    Args:
        path: Lock file, created if need be.

    Raises:
        BlockingIOError: Another process, or this one, holds the lock.
        OSError: The file cannot be created.
    """
    lock = FileLock(path, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise BlockingIOError(f"{path}: locked by another writer") from None
    with lock:
        lock.release()  # of the two holds, the block's own remains
        yield
