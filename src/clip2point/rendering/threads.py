"""Threads of the compiled kernels, shared with PyTorch where both run on OpenMP."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numba


@contextmanager
def share_threads() -> Iterator[None]:
    """Run the block on PyTorch's number of threads, and restore the numbers of both libraries.

    Numba starts a thread per core, and its OpenMP layer sets PyTorch, which has the same pool, to that number.
    Without PyTorch nothing changes.
    """
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    count, kernels = torch.get_num_threads(), numba.get_num_threads()
    numba.set_num_threads(min(count, kernels))
    try:
        yield
    finally:
        numba.set_num_threads(kernels)
        if torch.get_num_threads() != count:
            torch.set_num_threads(count)
