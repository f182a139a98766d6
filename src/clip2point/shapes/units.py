"""Real-world sizes, for formats that know their unit."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def note_size(vertices: NDArray[Any], metres: float) -> str:
    """Return the note on the size of a shape.

    Args:
        vertices: Positions, [N, 3], in the file's unit.
        metres: Length of that unit.

    Examples:
        >>> note_size(np.array([[0, 0, 0], [400, 500, 1200]]), 0.001)
        'size 0.4 x 0.5 x 1.2 m'
    """
    if not len(vertices):
        return "size unknown"
    sizes = (np.nanmax(vertices, axis=0).astype(np.float64) - np.nanmin(vertices, axis=0)) * metres
    return "size " + " x ".join(f"{size:.3g}" for size in sizes) + " m"
