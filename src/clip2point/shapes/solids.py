"""Boxes and solids of revolution, which some formats name instead of storing their triangles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clip2point.shapes.parsed import Parsed

Float = NDArray[np.float64]

SIDES = 32


def make_box(sizes: tuple[float, ...] = (1.0, 1.0, 1.0)) -> Parsed:
    """Return a box around the origin.

    Examples:
        >>> make_box((2, 4, 6)).vertices.max(axis=0).tolist()
        [1.0, 2.0, 3.0]
    """
    corners = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
    quads = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])
    return Parsed(corners * sizes, np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]))


def make_cylinder(radius: float, length: float) -> Parsed:
    """Return a cylinder along z around the origin."""
    half = length / 2
    return revolve(np.array([(0.0, -half), (radius, -half), (radius, half), (0.0, half)]))


def make_cone(radius: float, length: float) -> Parsed:
    """Return a cone along z around the origin, its tip upwards."""
    return revolve(np.array([(0.0, -length / 2), (radius, -length / 2), (0.0, length / 2)]))


def make_capsule(radius: float, length: float = 0.0) -> Parsed:
    """Return a cylinder along z between two half spheres, around the origin; without a length, a sphere."""
    angles = np.linspace(-np.pi / 2, np.pi / 2, SIDES // 2 + 2)
    heights = radius * np.sin(angles) + np.sign(angles) * length / 2
    return revolve(np.stack([radius * np.cos(angles), heights], axis=1))


def revolve(profile: Float) -> Parsed:
    """Return the surface that a profile of radii and heights, [R, 2], sweeps around z."""
    around = np.arange(SIDES) * (2 * np.pi / SIDES)
    radii, heights = profile.T[:, :, None]
    vertices = np.stack(np.broadcast_arrays(radii * np.cos(around), radii * np.sin(around), heights), axis=-1)
    ring = np.arange(len(profile) - 1)[:, None] * SIDES
    here, after = ring + np.arange(SIDES), ring + (np.arange(SIDES) + 1) % SIDES
    quads = np.stack([here, after, after + SIDES, here + SIDES], axis=-1).reshape(-1, 4)
    return Parsed(vertices.reshape(-1, 3), np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]))
