"""The compression of LAZ, undone in a process of its own.

The native decoder allocates what the compressed data asks for and, where that fails, ends its process; no check from
outside can tell such data from sound data.
"""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import ShapeError
from clip2point.core.native import Arrays, Limits, run_native

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
    memory = _BASE_BYTES + min(count, 2 * _CHUNK) * (size + 4 * _POINT_BYTES) + 3 * count * _POINT_BYTES
    limits = Limits(_BASE_SECONDS + count / _POINTS_PER_SECOND, memory)
    points = run_native(f"{__name__}:decompress_here", data, limits, count=count)["points"]
    if len(points) != count:
        raise ShapeError(
            f"has compressed data that does not give the {count:,} promised points: the file is cut off or damaged; "
            "download it again"
        )
    return points


def decompress_here(payload: bytes, count: int) -> Arrays:
    """Read the coordinates of a LAZ file; called in the child."""
    import laspy

    points, place = np.empty((count, 3)), 0
    with laspy.open(io.BytesIO(payload), laz_backend=laspy.LazBackend.Lazrs) as reader:
        for chunk in reader.chunk_iterator(_CHUNK):
            part = points[place : place + len(chunk)]
            part[:, 0], part[:, 1], part[:, 2] = chunk.x, chunk.y, chunk.z
            place += len(chunk)
    return {"points": points[:place]}
