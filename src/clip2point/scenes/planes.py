"""Support planes of scans: floors, tables and walls, found by chance with a seed and fitted with their noise."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Bool = NDArray[np.bool_]

#: Points by which candidates are judged, and candidates.
_SAMPLE, _CANDIDATES = 4000, 400
#: Tolerance of a candidate, in spacings and as a share of the extent.
_TOLERANCE, _LEAST_TOLERANCE = 1.0, 0.002
#: Least noise, in spacings: samples of meshes have none.
_LEAST_SIGMA = 0.1
#: Least share of a scan's points that its support has, where the up-axis is declared and where it is not.
_LEAST_SHARE, _LEAST_UNDECLARED = 0.15, 0.5
#: Cosine between a declared up-axis and the normal of a support: tables may be tilted by 45 degrees.
_TILT = 0.7
#: Walls: most of them, least share of a scan's points, share of the points that may be beyond one, and largest cosine
#: between its normal and that of the support.
_WALLS, _WALL_SHARE, _BEYOND, _UPRIGHT = 6, 0.06, 0.02, 0.17
#: Deviations above a plane at which things begin.
_CUT = 2.7


@dataclass(frozen=True, eq=False)
class Plane:
    """A support: a plane that may bend a little, and the noise of its points.

    Attributes:
        center: Mean of its points, [3].
        axes: Rows: two directions in the plane and its normal, which points to where things are, [3, 3].
        bend: Coefficients of the cubic polynomial of the height over u and v along ``axes``, [10].
        sigma: Deviation of its points, measured on the side where no things are.
        kind: "support" or "wall".
    """

    center: Float
    axes: Float
    bend: Float
    sigma: float
    kind: str = "support"

    @property
    def normal(self) -> Float:
        """Direction in which things are, [3]."""
        return self.axes[2]

    def heights(self, points: Float) -> Float:
        """Return the heights [N] of points [N, 3] over the bent plane."""
        local = (points - self.center) @ self.axes.T
        heights: Float = local[:, 2] - _terms(local) @ self.bend
        return heights


def find_support(points: Float, spacing: float, up: Float | None = None, seed: int = 0) -> Plane | None:
    """Find the plane that things stand on.

    Args:
        points: [N, 3].
        spacing: Distance between neighbouring points.
        up: Direction that is declared to point up, [3], or None: the side with more points is.
        seed: Seed of the draws.

    Returns:
        The plane with the most points, if it holds a seventh of them, or half where no direction is declared.
    """
    generator = np.random.default_rng(seed)
    sample = points if len(points) <= _SAMPLE else points[generator.choice(len(points), _SAMPLE, replace=False)]
    extent = float(np.linalg.norm(np.ptp(points, axis=0)))
    tolerance = max(_TOLERANCE * spacing, _LEAST_TOLERANCE * extent)
    found = _draw_best(sample, tolerance, up, generator)
    if found is None:
        return None
    normal, offset = found
    near = np.abs(points @ normal - offset) < 2 * tolerance
    if near.mean() < (_LEAST_UNDECLARED if up is None else _LEAST_SHARE):
        return None
    least = _LEAST_SIGMA * spacing
    plane = _fit(points, near, up, least)
    for _ in range(4):  # the first fit had what stands near the plane in it, too
        heights = plane.heights(points)
        plane = _fit(points, np.abs(heights) < 3 * plane.sigma, up, least)
    return plane


def _draw_best(
    sample: Float,
    tolerance: float,
    up: Float | None,
    generator: np.random.Generator,
    beside: Float | None = None,
) -> tuple[Float, float] | None:
    """Return normal and offset of the plane of three drawn points that has the most others near it.

    Args:
        sample: Points to draw from, [N, 3].
        tolerance: Distance from a plane that counts as near.
        up: Direction near which the normal is, or None.
        generator: Source of the draws.
        beside: Direction across which the normal is, or None.
    """
    corners = sample[generator.integers(len(sample), size=(_CANDIDATES, 3))]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    lengths = np.linalg.norm(normals, axis=1)
    usable = lengths > 1e-12 * max(float(np.ptp(sample, axis=0).max()) ** 2, 1e-300)
    if up is not None:
        usable &= np.abs(normals @ up) > _TILT * lengths
    if beside is not None:
        usable &= np.abs(normals @ beside) < _UPRIGHT * lengths
    if not usable.any():
        return None
    normals = normals[usable] / lengths[usable, None]
    offsets = np.einsum("ij,ij->i", normals, corners[usable, 0])
    counts = (np.abs(sample @ normals.T - offsets) < tolerance).sum(axis=0)
    best = int(np.argmax(counts))
    return normals[best], float(offsets[best])


def _terms(local: Float) -> Float:
    """Return the terms [N, 10] of a cubic polynomial: depth cameras bend planes by about as much."""
    u, v = local[:, 0], local[:, 1]
    return np.column_stack([np.ones_like(u), u, v, u * u, u * v, v * v, u * u * u, u * u * v, u * v * v, v * v * v])


def _fit(points: Float, near: Bool, up: Float | None, least_sigma: float) -> Plane:
    """Fit a bent plane to the points that are near it."""
    chosen = points[near]
    center = chosen.mean(axis=0)
    _, _, axes = np.linalg.svd(np.cov((chosen - center).T), hermitian=True)
    far = points - center
    if up is not None:
        sign = np.sign(axes[2] @ up)
    else:
        heights = far @ axes[2]
        limit = 4 * heights[near].std()
        sign = np.sign(np.count_nonzero(heights > limit) - np.count_nonzero(heights < -limit))
    if sign < 0:
        axes = np.array([axes[0], -axes[1], -axes[2]])
    if np.linalg.det(axes) < 0:
        axes[0] *= -1
    local = (chosen - center) @ axes.T
    bend, *_ = np.linalg.lstsq(_terms(local), local[:, 2], rcond=None)
    left = local[:, 2] - _terms(local) @ bend
    under = left[left < 0]
    sigma = max(1.4826 * float(np.median(-under)) if len(under) else 0.0, least_sigma)
    return Plane(center, axes, bend, sigma)


def cut_height(plane: Plane) -> float:
    """Return the height over a plane above which points belong to things."""
    return _CUT * plane.sigma


def find_walls(points: Float, left: NDArray[np.int64], support: Plane, spacing: float, seed: int = 0) -> list[Plane]:
    """Find the walls of a room: large upright planes with the whole scan on one side.

    Args:
        points: [N, 3].
        left: Points that the support does not have.
        support: Plane that things stand on.
        spacing: Distance between neighbouring points.
        seed: Seed of the draws.
    """
    generator = np.random.default_rng(seed)
    extent = float(np.linalg.norm(np.ptp(points, axis=0)))
    tolerance = max(_TOLERANCE * spacing, _LEAST_TOLERANCE * extent)
    walls: list[Plane] = []
    while len(walls) < _WALLS and len(left) > _WALL_SHARE * len(points):
        sample = points[left if len(left) <= _SAMPLE else generator.choice(left, _SAMPLE, replace=False)]
        found = _draw_best(sample, tolerance, None, generator, beside=support.normal)
        if found is None:
            break
        normal, offset = found
        near = np.abs(points[left] @ normal - offset) < 2 * tolerance
        if near.sum() < _WALL_SHARE * len(points):
            break
        wall = replace(_fit(points[left], near, None, _LEAST_SIGMA * spacing), kind="wall")
        far = (points - wall.center) @ wall.normal
        limit = max(4 * wall.sigma, 2 * tolerance)
        if min(np.mean(far < -limit), np.mean(far > limit)) > _BEYOND:
            break
        walls.append(wall)
        left = left[np.abs(wall.heights(points[left])) > cut_height(wall)]
    return walls
