"""Threads of the compiled kernels, which they share with PyTorch where both run on OpenMP."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numba


@contextmanager
def shared_threads() -> Iterator[None]:
    """Draw on as many threads as PyTorch was told to take, and leave the numbers of both as they were.

    Numba takes a thread for each core, and as its OpenMP layer starts it tells PyTorch, which has the same pool, to do
    likewise. Where PyTorch is not loaded nothing is changed.
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
