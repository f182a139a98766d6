"""Functions over native code, called in a process of their own: with little memory, little time and a safe path.

A decoder in C or C++ may crash, never end or allocate whatever damaged data asks for, and no check from outside can
tell. So it runs in a child, and whatever happens there is one error here. The child imports nothing from the current
directory or from the folder of a script, and what it gives back is arrays: nothing of it is unpickled.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import ShapeError
from clip2point.core.extras import explain_absence
from clip2point.core.safe_path import start_python

Arrays = dict[str, NDArray[Any]]

_USER_ERROR, _TOO_MUCH = 3, 4
#: A thread reserves megabytes of address space, and machines have many cores.
_ONE_THREAD = dict.fromkeys(
    ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "PXR_WORK_THREAD_LIMIT"), "1"
)


@dataclass(frozen=True)
class Limits:
    """What a child may use.

    Attributes:
        seconds: Time by the clock.
        memory: Bytes of address space beyond those of the interpreter and NumPy; a library reserves far more than it
            touches.
    """

    seconds: float = 60.0
    memory: int = 4 * 1024**3


def require_package(module: str, purpose: str) -> None:
    """Raise ShapeError unless an optional package is installed.

    Args:
        module: Top-level module of the package.
        purpose: Phrase for what needs it, as the subject of a sentence.
    """
    if find_spec(module) is None:
        raise ShapeError(explain_absence(module, purpose) or f"{purpose} needs {module}: install it")


def run_native(target: str, payload: bytes, limits: Limits, **options: Any) -> Arrays:
    """Call a function in a child process.

    Args:
        target: Function as "module:name", which takes the payload and the options, and returns arrays by name.
        payload: Data to decode.
        limits: Time and memory of the child; the bytes of the payload are added to its memory.
        options: More arguments, of kinds that JSON has.

    Returns:
        Arrays of the function.

    Raises:
        ShapeError: The function raises one, crashes, or takes more than its limits.
    """
    request = json.dumps([target, limits.memory + 2 * len(payload), options])
    try:
        child = subprocess.run(
            start_python("from clip2point.core.native import main; main()", request),
            input=payload,
            capture_output=True,
            timeout=limits.seconds,
            env=os.environ | _ONE_THREAD,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ShapeError(f"takes more than {limits.seconds:g} s to decode: simplify it or export it again") from None
    if child.returncode == _USER_ERROR:
        raise ShapeError(child.stdout.decode("utf-8", "replace"))
    if child.returncode == _TOO_MUCH:
        raise ShapeError(f"takes more than {limits.memory / 1024**3:.0f} GiB to decode: simplify it or export it again")
    try:
        if child.returncode:
            raise ValueError
        return _unpack(child.stdout)
    except Exception:
        raise ShapeError("cannot be decoded: the file is cut off or damaged; export or download it again") from None


def main() -> None:
    """Answer the request of the command line; called in the child."""
    target, memory, options = json.loads(sys.argv[1])
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # native libraries print
    payload = sys.stdin.buffer.read()
    limit_memory(memory)
    status = 0
    try:
        module, _, name = target.partition(":")
        arrays = getattr(__import__(module, fromlist=[name]), name)(payload, **options)
        for piece in _pack(arrays):
            answer.write(piece)
    except ShapeError as error:
        answer.write(str(error).encode("utf-8", "replace"))
        status = _USER_ERROR
    except MemoryError:
        status = _TOO_MUCH
    answer.flush()
    os._exit(status)  # without the clean-up of libraries, in which some crash


def _pack(arrays: Arrays) -> Iterator[bytes | memoryview]:
    """Yield arrays as bytes: a line of their names, types and shapes, and then their numbers."""
    plain = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    if any(array.dtype.hasobject or array.dtype.names for array in plain.values()):
        raise TypeError("arrays of plain numbers or texts are expected")
    layouts = [[name, array.dtype.str, np.shape(arrays[name])] for name, array in plain.items()]
    yield json.dumps(layouts).encode() + b"\n"
    for array in plain.values():
        yield array.reshape(-1).view(np.uint8).data if array.size else b""


def _unpack(packed: bytes) -> Arrays:
    """Return the arrays that ``_pack`` wrote; ValueError if there are too few bytes or too many."""
    place = packed.index(b"\n") + 1
    arrays: Arrays = {}
    for name, code, shape in json.loads(packed[:place]):
        dtype = np.dtype(code)
        count = math.prod(shape)
        arrays[name] = np.frombuffer(packed, dtype, count, place).reshape(shape) if count else np.zeros(shape, dtype)
        place += count * dtype.itemsize
    if place != len(packed):
        raise ValueError("more bytes than arrays")
    return arrays


def limit_memory(limit: int) -> None:
    """Bound the address space of this process to so many bytes more than it has, where the system can."""
    if sys.platform != "win32":
        import resource

        statistics = Path("/proc/self/statm")
        if statistics.exists():
            limit += int(statistics.read_text().split()[0]) * resource.getpagesize()
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        if hard != resource.RLIM_INFINITY:
            limit = min(limit, hard)
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
