"""Changes to point clouds that should not change what they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import OptionError
from clip2point.shapes import to_unit_sphere

Float32 = NDArray[np.float32]

#: Cells along each side of the image by which a one-sided scan tells front from back, and how deep its front is.
_SCAN_CELLS = 32
_SCAN_DEPTH = 0.1


@dataclass(frozen=True)
class AugmentationSettings:
    """Strength of the changes to training clouds; the paper changes nothing but the camera's distance.

    Attributes:
        yaw: Largest rotation about the vertical axis, either way, in degrees; images do not rotate along.
        tilt: Largest rotation about a random horizontal axis, in degrees.
        stretch: Largest factor along each axis, and its inverse; 1 for none.
        noise: Standard deviation of the points' positions, in radii of the unit sphere.
        scans: Fraction of the clouds that are cut down to what one camera sees of them, in [0, 1].
        independent: Points, rotations and noise of their own for the two depth maps of a pair; otherwise they differ
            in the camera's distance alone, as in the paper.
    """

    yaw: float = 0.0
    tilt: float = 0.0
    stretch: float = 1.0
    noise: float = 0.0
    scans: float = 0.0
    independent: bool = False

    def __post_init__(self) -> None:
        for name, low, high in (
            ("yaw", 0, 180),
            ("tilt", 0, 90),
            ("stretch", 1, 4),
            ("noise", 0, 0.5),
            ("scans", 0, 1),
        ):
            if not low <= getattr(self, name) <= high:
                raise OptionError(f"{name} is {getattr(self, name)}: expected {low} to {high}")


def augment(points: Float32, settings: AugmentationSettings, count: int, rng: np.random.Generator) -> Float32:
    """Draw points of a cloud and change them.

    Args:
        points: Cloud, [P, 3] float32 in the unit sphere, y up.
        settings: Strength of the changes.
        count: Number N of points to draw; with repetition if there are fewer.
        rng: Generator of every draw.

    Returns:
        Changed cloud, [N, 3] float32; in the unit sphere again if the shape itself was changed.

    Examples:
        >>> cloud = np.eye(3, dtype=np.float32)
        >>> augment(cloud, AugmentationSettings(yaw=180, noise=0.01), 5, np.random.default_rng(0)).shape
        (5, 3)
    """
    changed = settings.stretch > 1 or settings.scans > 0
    if settings.stretch > 1:
        points = points * _draw_stretch(settings.stretch, rng)
    rotation = _draw_rotation(settings, rng)
    if rotation is not None:
        points = points @ rotation
    if settings.scans > 0 and rng.random() < settings.scans:
        points = scan_one_side(to_unit_sphere(points), rng)
    chosen = rng.choice(len(points), count, replace=len(points) < count)
    drawn = points[chosen]
    if settings.noise > 0:
        drawn = drawn + rng.normal(0.0, settings.noise, drawn.shape).astype(np.float32)
    return to_unit_sphere(drawn) if changed else np.ascontiguousarray(drawn, dtype=np.float32)


def augment_subset(points: Float32, settings: AugmentationSettings, least: float, rng: np.random.Generator) -> Float32:
    """Change a cloud and drop some of its points, the others of which are repeated in their place.

    Args:
        points: [P, 3] float32 in the unit sphere, y up.
        settings: Strength of the changes.
        least: Smallest fraction of the points that remains, in (0, 1].
        rng: Generator of every draw.

    Returns:
        [P, 3] float32: clouds of a batch need the same number of points, and one that comes twice is rendered once.

    Examples:
        >>> cloud = np.eye(3, dtype=np.float32)
        >>> augment_subset(cloud, AugmentationSettings(yaw=10), 0.5, np.random.default_rng(0)).shape
        (3, 3)
    """
    count = max(1, round(len(points) * rng.uniform(least, 1)))
    return augment(points, settings, count, rng)[np.resize(np.arange(count), len(points))]


def scan_one_side(points: Float32, rng: np.random.Generator) -> Float32:
    """Return the points that a depth camera sees from a random side, up to 60 degrees above the horizon.

    Args:
        points: Cloud, [P, 3] in the unit sphere, y up.
        rng: Generator of the side.

    Returns:
        Points, [Q, 3], that lie within a small depth of the nearest one of their image cell; at least one.
    """
    azimuth, elevation = rng.uniform(0, 2 * np.pi), rng.uniform(0, np.pi / 3)
    towards = np.array(
        [np.cos(elevation) * np.sin(azimuth), np.sin(elevation), np.cos(elevation) * np.cos(azimuth)], np.float32
    )
    aside = np.array([np.cos(azimuth), 0, -np.sin(azimuth)], np.float32)
    above = np.cross(towards, aside)
    cells = ((points @ np.stack([aside, above], axis=1) + 1) * (_SCAN_CELLS / 2)).astype(np.int64)
    cell = cells.clip(0, _SCAN_CELLS - 1) @ np.array([_SCAN_CELLS, 1])
    nearness = points @ towards
    nearest = np.full(_SCAN_CELLS**2, -np.inf, np.float32)
    np.maximum.at(nearest, cell, nearness)
    return points[nearness >= nearest[cell] - _SCAN_DEPTH]


def _draw_stretch(largest: float, rng: np.random.Generator) -> Float32:
    """Draw three factors, evenly spread on a logarithmic scale."""
    return np.exp(rng.uniform(-1, 1, 3) * np.log(largest)).astype(np.float32)


def _draw_rotation(settings: AugmentationSettings, rng: np.random.Generator) -> Float32 | None:
    """Draw a rotation, to be multiplied from the right; None if the settings ask for none."""
    if settings.yaw == settings.tilt == 0:
        return None
    yaw, heading = np.radians(settings.yaw) * rng.uniform(-1, 1), rng.uniform(0, 2 * np.pi)
    tilt = np.radians(settings.tilt) * rng.uniform()
    about_y = _rotate_about(np.array([0.0, 1.0, 0.0]), yaw)
    return (about_y @ _rotate_about(np.array([np.cos(heading), 0.0, np.sin(heading)]), tilt)).astype(np.float32)


def _rotate_about(axis: NDArray[np.float64], angle: float) -> NDArray[np.float64]:
    """Return the rotation about a unit axis (Rodrigues' formula)."""
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    rotation: NDArray[np.float64] = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * (cross @ cross)
    return rotation
