"""The place that a scan was taken from: the one from which the fewest points hide behind others."""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from clip2point.scenes.planes import Plane

Float = NDArray[np.float64]
Int = NDArray[np.int64]

#: Candidates: directions around the support, elevations in degrees, distances in extents of the scan.
_AZIMUTHS, _ELEVATIONS, _DISTANCES = 36, (15.0, 25.0, 35.0, 45.0, 55.0, 65.0, 75.0, 88.0), (0.6, 1.0, 1.6)
#: Points by which candidates are judged.
_SAMPLE = 12_000
#: A point hides if it is this much farther away than another of the same pixel, as a share of the extent.
_BEHIND = 0.03
#: Largest share of hidden points of a scan from one place.
_HIDDEN = 0.012
#: Hidden points by which a place may be worse than the best and still be as likely.
_ALIKE = 1
#: Steps of the refinement, in degrees and as a factor of the distance.
_STEPS = (5.0, 2.5, 1.2)


@dataclass(frozen=True, eq=False)
class Viewpoint:
    """A place that a scan was taken from.

    Attributes:
        position: [3].
        hidden: Share of the points that hide behind others, in [0, 1].
    """

    position: Float
    hidden: float


def find_viewpoint(points: Float, spacing: float, plane: Plane, center: Float, seed: int = 0) -> Viewpoint | None:
    """Find the place from which a scan was taken.

    Args:
        points: [N, 3], the support's among them.
        spacing: Distance between neighbouring points.
        plane: Support; the place is above it.
        center: Middle of the things, [3].
        seed: Seed of the draw of points that candidates are judged by.

    Returns:
        The best place, or None if too many points hide from everywhere: several scans were joined.
    """
    generator = np.random.default_rng(seed)
    sample = (
        points if len(points) <= _SAMPLE else points[np.sort(generator.choice(len(points), _SAMPLE, replace=False))]
    )
    local = np.ascontiguousarray((sample - center) @ plane.axes.T)
    extent = float(np.linalg.norm(np.ptp(points, axis=0)))
    pixel = 0.9 * spacing * float(np.sqrt(len(points) / len(sample)))

    def judge(azimuth: float, elevation: float, distance: float) -> float:
        return count_hidden(local, _place(azimuth, elevation, distance * extent), pixel, _BEHIND * extent)

    tried = [
        (azimuth * 360 / _AZIMUTHS, elevation, distance)
        for distance in _DISTANCES
        for elevation in _ELEVATIONS
        for azimuth in range(_AZIMUTHS)
    ]
    judged = {candidate: judge(*candidate) for candidate in tried}
    best = min(judged, key=lambda candidate: judged[candidate])
    for step in _STEPS:
        around = [
            (best[0] + a * step, min(best[1] + e * step, 89.0), best[2] * (1 + d * step / 30))
            for a in (-1, 0, 1)
            for e in (-1, 0, 1)
            for d in (-1, 0, 1)
        ]
        judged |= {candidate: judge(*candidate) for candidate in around}
        best = min(judged, key=lambda candidate: judged[candidate])
    hidden = judged[best] / len(sample)
    if hidden > _HIDDEN:
        return None
    # Several places may explain a scan as well: the middle of those near the best is the likeliest.
    alike = [_place(a, e, d * extent) for (a, e, d), count in judged.items() if count <= judged[best] + _ALIKE]
    return Viewpoint(np.mean(alike, axis=0) @ plane.axes + center, hidden)


def _place(azimuth: float, elevation: float, distance: float) -> Float:
    a, e = np.deg2rad(azimuth), np.deg2rad(elevation)
    place: Float = distance * np.array([np.cos(a) * np.cos(e), np.sin(a) * np.cos(e), np.sin(e)])
    return place


def count_hidden(local: Float, place: Float, pixel: float, behind: float) -> float:
    """Count the points that hide behind others.

    Args:
        local: Points [N, 3] around the origin, which the camera looks at.
        place: Camera, [3].
        pixel: Width of a pixel at the origin.
        behind: Least distance behind another point.
    """
    right, upward, ahead = _camera_axes(place)
    moved = local - place
    depth = moved @ ahead
    if (depth < 0.05 * np.linalg.norm(place)).any():
        return float(len(local))
    scale = float(np.linalg.norm(place)) / pixel
    u = np.floor(moved @ right / depth * scale).astype(np.int64)
    v = np.floor(moved @ upward / depth * scale).astype(np.int64)
    u -= u.min()
    v -= v.min()
    width, height = int(u.max()) + 1, int(v.max()) + 1
    if width * height > 20_000_000:
        return float(len(local))
    return float(_count_behind(u * height + v, depth, width * height, behind))


def _camera_axes(place: Float) -> tuple[Float, Float, Float]:
    ahead = -place / np.linalg.norm(place)
    helper = np.array([0.0, 0.0, 1.0]) if abs(ahead[2]) < 0.99 else np.array([1.0, 0.0, 0.0])
    right = np.cross(ahead, helper)
    right /= np.linalg.norm(right)
    return right, np.cross(right, ahead), ahead


@numba.njit(cache=True, nogil=True)
def _count_behind(pixels: Int, depth: Float, count: int, behind: float) -> int:
    nearest = np.full(count, np.inf)
    for a in range(len(pixels)):
        nearest[pixels[a]] = min(nearest[pixels[a]], depth[a])
    hidden = 0
    for a in range(len(pixels)):
        hidden += depth[a] > nearest[pixels[a]] + behind
    return hidden


class DepthImage:
    """What a camera saw: the nearest depth of each pixel.

    Args:
        points: All points of the scan, [N, 3].
        position: Place of the camera, [3].
        center: Place that it looks at, [3].
        pixel: Width of a pixel at the center.
        behind: Difference of depth from which a point is behind another.
    """

    def __init__(self, points: Float, position: Float, center: Float, pixel: float, behind: float) -> None:
        self._position, self._behind = position, behind
        self._axes = np.array(_camera_axes(position - center))
        self._scale = float(np.linalg.norm(position - center)) / pixel
        pixels, depth = self._project(points)
        self._low, self._shape = pixels.min(axis=0), np.ptp(pixels, axis=0) + 1
        self._nearest = np.full(tuple(self._shape.tolist()), np.inf)
        np.minimum.at(self._nearest, tuple((pixels - self._low).T), depth)

    def _project(self, points: Float) -> tuple[Int, Float]:
        local = (points - self._position) @ self._axes.T
        pixels = np.floor(local[:, :2] / local[:, 2:] * self._scale).astype(np.int64)
        return pixels, local[:, 2]

    def compare(self, points: Float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Tell for each point [N, 3] whether it is hidden, and whether it is seen that nothing is there."""
        pixels, depth = self._project(points)
        pixels = np.clip(pixels - self._low, 0, self._shape - 1)
        nearest = self._nearest[tuple(pixels.T)]
        return nearest < depth - self._behind, np.isfinite(nearest) & (nearest > depth + self._behind)
