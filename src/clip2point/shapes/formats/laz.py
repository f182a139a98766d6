"""The compression of LAZ, undone in a process of its own.

The native decoder allocates what the compressed data asks for and, where that fails, ends its process; no check from
outside can tell such data from sound data. So it runs in a child process with bounded memory, and whatever
happens there is one error here.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import ShapeError

_CHUNK = 1_000_000
_POINT_BYTES = 3 * 8
#: What the child needs beside the data: the interpreter and its libraries, mostly reserved and never touched.
_BASE_BYTES = 2 * 1024**3
_BASE_SECONDS, _POINTS_PER_SECOND = 20, 100_000


def decompress(data: bytes, count: int, size: int) -> NDArray[np.float64]:
    """Return the coordinates [count, 3] of a LAZ file whose records have ``size`` bytes once unfolded.

    Raises:
        ShapeError: If the data is damaged, or there are more or fewer points than promised.
    """
    memory = _BASE_BYTES + 3 * len(data) + min(count, 2 * _CHUNK) * (size + 4 * _POINT_BYTES)
    try:
        child = subprocess.run(
            [sys.executable, "-c", f"from {__name__} import main; main()", str(memory)],
            input=data,
            capture_output=True,
            timeout=_BASE_SECONDS + count / _POINTS_PER_SECOND,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ShapeError("takes too long to decompress: the file is damaged; download it again") from None
    if child.returncode or len(child.stdout) != count * _POINT_BYTES:
        raise ShapeError(
            f"has compressed data that does not give the {count:,} promised points: the file is cut off or damaged; "
            "download it again"
        )
    return np.frombuffer(child.stdout).reshape(count, 3)


def main() -> None:
    """Read a LAZ file from standard input and write its coordinates as float64 to standard output."""
    _limit_memory(int(sys.argv[1]))
    import laspy

    with laspy.open(io.BytesIO(sys.stdin.buffer.read()), laz_backend=laspy.LazBackend.Lazrs) as reader:
        for chunk in reader.chunk_iterator(_CHUNK):
            sys.stdout.buffer.write(np.stack([chunk.x, chunk.y, chunk.z], axis=1).astype(np.float64).tobytes())


def _limit_memory(limit: int) -> None:
    if sys.platform != "win32":
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        if hard != resource.RLIM_INFINITY:
            limit = min(limit, hard)
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
