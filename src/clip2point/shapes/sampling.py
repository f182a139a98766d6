"""A fixed number of points of a shape, drawn with a seed."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import OptionError, ShapeError
from clip2point.shapes.shape import Float32, Shape
from clip2point.shapes.triangles import draw_on_surface

METHODS = ("auto", "surface", "fps", "random")

#: Farthest point sampling starts from a random subset of this many points for each one that is wanted.
_FPS_POOL = 16


def sample_points(shape: Shape, count: int = 1024, seed: int = 0, method: str = "auto") -> Float32:
    """Draw points from a shape; the same seed draws the same points.

    Args:
        shape: Mesh or cloud.
        count: Number of points, at least 1.
        seed: Seed of the random draws, at least 0.
        method: Way of drawing. "surface" draws uniformly by area from the triangles of a mesh; "fps" takes points of
            the cloud (or vertices) by farthest point sampling from a random start, and for clouds of more than
            16 * ``count`` points from a random subset of that size, so that a scan of millions does not take minutes;
            "random" takes points of the cloud at random. "auto" is "surface" for meshes and "fps" for clouds.

    Returns:
        [count, 3] float32 in the shape's unit and axes. "fps" and "random" return a cloud of exactly ``count`` points
        as it is, in its order, and fill up a smaller one with repeated draws from it.

    Raises:
        OptionError: If an argument is out of range.
        ShapeError: If "surface" is asked of a shape that has none.

    Examples:
        >>> from clip2point.shapes import Mesh, Shape
        >>> mesh = Mesh.plain(np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]]), np.array([[0, 1, 2]]))
        >>> points = sample_points(Shape(mesh.vertices, mesh), 100, seed=0)
        >>> points.shape, bool((points.sum(axis=1) <= 1).all())
        ((100, 3), True)
    """
    if count < 1 or seed < 0:
        raise OptionError(f"got count={count}, seed={seed}: expected count >= 1 and seed >= 0")
    if method not in METHODS:
        raise OptionError(f"unknown sampling method {method!r}: expected one of {', '.join(METHODS)}")
    rng = np.random.default_rng(seed)
    if method == "surface" or (method == "auto" and shape.mesh is not None):
        if shape.mesh is None:
            raise ShapeError(f"{shape.source}: has no surface to sample: use the method 'fps' or 'random'")
        try:
            drawn, _ = draw_on_surface(shape.mesh.vertices, shape.mesh.faces, count, rng)
        except ShapeError as error:
            raise ShapeError(f"{shape.source}: {error}") from error
        return drawn.astype(np.float32)
    points = shape.points
    if len(points) == count:
        return points.copy()
    if len(points) < count:
        return np.concatenate([points, points[rng.integers(len(points), size=count - len(points))]])
    if method == "random":
        return points[rng.choice(len(points), size=count, replace=False)]
    if len(points) > _FPS_POOL * count:
        points = points[rng.choice(len(points), size=_FPS_POOL * count, replace=False)]
    return points[farthest_points(points, count, start=int(rng.integers(len(points))))]


def farthest_points(points: NDArray[np.floating], count: int, start: int = 0) -> NDArray[np.int64]:
    """Choose points one after the other, each as far as possible from all chosen before.

    Args:
        points: Finite points, [N, 3].
        count: Number of points to choose, 1 to N.
        start: Index of the first.

    Returns:
        Indices in the order of choice, [count]; of equally far points the first, so that the answer is unique.

    Raises:
        OptionError: If ``count`` or ``start`` does not fit ``points``.

    Examples:
        >>> line = np.array([[0, 0, 0], [1, 0, 0], [2, 0, 0], [10, 0, 0]], dtype=np.float32)
        >>> farthest_points(line, 3).tolist()
        [0, 3, 2]
    """
    if points.ndim != 2 or points.shape[1] != 3:
        raise OptionError(f"got points {list(points.shape)}: expected [N, 3]")
    if not 1 <= count <= len(points) or not 0 <= start < len(points):
        raise OptionError(
            f"got count={count}, start={start} for {len(points)} points: expected 1 <= count <= {len(points)} and "
            f"0 <= start < {len(points)}"
        )
    # One contiguous row for each axis lets the loop run on vector registers. Scaling by the extent keeps squared
    # distances of any unit inside float32.
    rows = np.array(points.T, dtype=np.float64, order="C")
    rows -= rows.min(axis=1, keepdims=True)
    rows /= max(float(rows.max()), np.finfo(np.float64).tiny)
    chosen: NDArray[np.int64] = _farthest_kernel()(rows.astype(np.float32), count, start)
    return chosen


@functools.cache
def _farthest_kernel() -> Callable[..., Any]:
    import numba

    @numba.njit(cache=True, nogil=True)
    def farthest(rows: Float32, count: int, start: int) -> NDArray[np.int64]:
        x, y, z = rows[0], rows[1], rows[2]
        nearest = np.full(x.size, np.float32(np.inf))
        # Floats that are not negative are ordered like their bits, and a maximum of integers is vectorised: 3x faster.
        bits = nearest.view(np.int32)
        chosen = np.empty(count, np.int64)
        current = start
        for step in range(count):
            chosen[step] = current
            cx, cy, cz = x[current], y[current], z[current]
            for i in range(x.size):
                dx, dy, dz = x[i] - cx, y[i] - cy, z[i] - cz
                nearest[i] = min(nearest[i], dx * dx + dy * dy + dz * dz)
            best = np.int32(0)
            for i in range(x.size):
                best = max(best, bits[i])
            current = 0
            while bits[current] != best:
                current += 1
        return chosen

    kernel: Callable[..., Any] = farthest
    return kernel
