"""OpenVINO on the CPU: graphs of fixed shapes, compiled once, their results independent of what else is computed.

A shape of its own is compiled for each size of a batch, since an axis of changing length costs most of the gain. Work
is cut into batches of one size and the last is filled up, so that a row's result depends on the row alone.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clip2point.core.arrays import Float32
from clip2point.core.machine import available_cores

if TYPE_CHECKING:
    from openvino import CompiledModel, Core, InferRequest, Model

#: Number formats by the engine's names.
_PRECISIONS = {"float32": "f32", "bfloat16": "bf16"}


@lru_cache(maxsize=1)
def start_engine() -> Core:
    """Return the engine; started once in a process."""
    import openvino as ov

    return ov.Core()


class CompiledTower:
    """A network with batches of one size, compiled for each shape of a row when it first comes.

    Args:
        build: Function from the shape of the first input, [I, ...], to a graph with one output.
        batch: Number I of rows that are computed at once.
        dtype: Number format in which the network computes: "float32" or "bfloat16".
    """

    def __init__(self, build: Callable[[tuple[int, ...]], Model], batch: int, dtype: str) -> None:
        self._build, self._batch, self._dtype = build, batch, dtype
        self._compiled: dict[tuple[int, ...], CompiledModel] = {}

    def __call__(self, *inputs: NDArray[Any]) -> Float32:
        """Return the output [N, D] float32 of inputs [N, ...]."""
        shape = (self._batch, *inputs[0].shape[1:])
        if shape not in self._compiled:
            self._compiled[shape] = _compile(self._build(shape), self._dtype)
        compiled, count = self._compiled[shape], len(inputs[0])
        found = np.empty((count, compiled.output(0).shape[1]), np.float32)
        starts = range(0, count, self._batch)
        idle = [compiled.create_infer_request() for _ in range(min(count_threads(), len(starts)))]
        running: deque[tuple[int, InferRequest]] = deque()

        # Callbacks of the engine would need the interpreter in its threads, even while the interpreter ends.
        def finish() -> InferRequest:
            start, request = running.popleft()
            request.wait()
            found[start : start + self._batch] = request.get_output_tensor().data[: count - start]
            return request

        for start in starts:
            request = idle.pop() if idle else finish()
            rows = [_fill_up(values[start : start + self._batch], self._batch) for values in inputs]
            request.start_async(rows)
            running.append((start, request))
        while running:
            finish()
        return found


def _compile(graph: Model, dtype: str) -> CompiledModel:
    """Compile a graph for as many streams as there are threads.

    A batch is computed by one thread, and the batches side by side: sums of several threads would be rounded otherwise
    for another number of them.
    """
    threads = count_threads()
    options = {
        "INFERENCE_PRECISION_HINT": _PRECISIONS[dtype],
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": threads,
        "ENABLE_CPU_PINNING": False,  # several processes on one machine would be pinned to the same cores
    }
    return start_engine().compile_model(graph, "CPU", options)


def count_threads() -> int:
    """Return the number of threads of the engine: ``OMP_NUM_THREADS`` where it is set, else all cores."""
    value = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    return int(value) if value.isdigit() and int(value) > 0 else available_cores()


def _fill_up(rows: NDArray[Any], count: int) -> NDArray[Any]:
    """Return rows, the first repeated until there are so many, contiguous in memory."""
    if len(rows) < count:
        rows = np.concatenate([rows, np.repeat(rows[:1], count - len(rows), axis=0)])
    return np.ascontiguousarray(rows)


def choose_length(length: int, lengths: Sequence[int]) -> int:
    """Return the least of some lengths that is not below the given one, or the last.

    Examples:
        >>> choose_length(7, (8, 16)), choose_length(9, (8, 16)), choose_length(99, (8, 16))
        (8, 16, 16)
    """
    return next((each for each in lengths if each >= length), lengths[-1])
