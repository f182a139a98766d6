"""Scans into supports and the things on them, without learning and without a parameter to set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clip2point.scenes.borders import refine_borders
from clip2point.scenes.joins import join_columns, join_floating, join_regions
from clip2point.scenes.planes import Plane, cut_height, find_support, find_walls
from clip2point.scenes.regions import find_regions
from clip2point.scenes.surfaces import LINKS, Surface, describe_surface
from clip2point.scenes.viewpoint import DepthImage, Viewpoint, find_viewpoint
from clip2point.shapes.groups import sort_by_size
from clip2point.shapes.neighbours import connect, find_neighbours, measure_spacing, thin_out

Float = NDArray[np.float64]
Int = NDArray[np.int64]

#: Points of the smallest thing, and its share of the points on the support.
_LEAST, _LEAST_SHARE = 30, 0.006
#: Points below which a cloud is not taken for a scan of several things.
_FEWEST = 200
#: Height of the feet of things, in spacings.
_FEET = 6.0
#: Points that are split as they are; of more, one in each cell of a grid.
_MANY = 250_000
#: Share of the rim of a plane that things may cover, and what is near it as a share of the plane's extent.
_COVERED, _RIM = 0.3, 0.03
#: Share of the points from which a plane with nothing on it is a plane alone, and no thing with a flat side.
_ALONE = 0.9
#: Share of a scan's points that may lie below its support.
_BELOW = 0.05
#: Distance between parts of a cloud without support, as a share of its extent and in spacings.
_GAP, _GAP_SPACINGS = 0.1, 4.0


@dataclass(frozen=True, eq=False)
class Split:
    """What a scan shows.

    Attributes:
        instances: Number of the thing that each point belongs to, [N], the largest first; -1 for none.
        supports: The support first, then walls; empty if there is none.
        on_support: Number of the support of each point, [N], -1 for none.
        viewpoint: Place that the scan was taken from, or None if it is from several or unknown.
        notes: Remarks, each one line.
    """

    instances: Int
    supports: tuple[Plane, ...] = ()
    on_support: Int | None = None
    viewpoint: Viewpoint | None = None
    notes: tuple[str, ...] = ()


def split_cloud(points: NDArray[np.floating], up: Float | None = None, seed: int = 0) -> Split:
    """Split a scan into its supports and the things on them.

    Args:
        points: [N, 3] finite points.
        up: Direction that is declared to point up, [3], or None.
        seed: Seed of the draws in the search for planes and viewpoint.

    Returns:
        The split. A cloud without a support is one thing, or as many as lie apart.

    Examples:
        >>> generator = np.random.default_rng(0)
        >>> floor = generator.uniform(-1, 1, (4000, 3)) * [1, 0, 1]
        >>> block = generator.uniform(-0.2, 0.2, (2000, 3)) + [0, 0.3, 0]
        >>> int(split_cloud(np.concatenate([floor, block])).instances.max())
        0
    """
    exact = points.astype(np.float64)
    if len(exact) <= _MANY:
        return _split(exact, up, seed)
    kept, cell = thin_out(exact, _cell_size(exact, measure_spacing(exact)))
    split = _split(exact[kept], up, seed)
    on_support = None if split.on_support is None else split.on_support[cell]
    notes = (*split.notes, f"split by {len(kept):,} of {len(points):,} points")
    return Split(split.instances[cell], split.supports, on_support, split.viewpoint, notes)


def _cell_size(points: Float, spacing: float) -> float:
    """Return a size of cells by which at most about _MANY points are left."""
    size = 0.5 * spacing * float(np.sqrt(len(points) / _MANY))
    while len(thin_out(points, size)[0]) > _MANY:
        size *= 1.2
    return size


def _split(points: Float, up: Float | None, seed: int) -> Split:
    spacing = measure_spacing(points)
    plane = find_support(points, spacing, up, seed) if len(points) >= _FEWEST and spacing > 0 else None
    if plane is None:
        return _split_apart(points, spacing, "no support was found")
    heights, cut = plane.heights(points), cut_height(plane)
    on_support = np.where(np.abs(heights) <= cut, 0, -1)
    if np.mean(heights < -2 * cut) > _BELOW:
        return _split_apart(points, spacing, "what is below the largest plane is no scan of things on it")
    left = np.flatnonzero(heights > cut)
    walls = find_walls(points, left, plane, spacing, seed)
    for number, wall in enumerate(walls):
        on_wall = left[np.abs(wall.heights(points[left])) <= cut_height(wall)]
        on_support[on_wall] = number + 1
        left = left[on_support[left] < 0]
    supports = (plane, *walls)
    if len(left) < _LEAST or np.percentile(heights[left], 99) < 2 * cut:
        if walls or np.count_nonzero(on_support == 0) < _ALONE * len(points):
            return _split_apart(points, spacing, "nothing stands on the largest plane")
        note = "a plane with nothing on it"
        return Split(np.full(len(points), -1, dtype=np.int64), supports, on_support, None, (note,))
    if not walls and _covers_rim(plane, points, heights, left, spacing):
        return _split_apart(points, spacing, "the largest plane is a side of the thing")
    return _split_things(points, left, supports, on_support, spacing, seed)


def _split_things(
    points: Float, left: Int, supports: tuple[Plane, ...], on_support: Int, spacing: float, seed: int
) -> Split:
    """Split the points that no support has."""
    plane, things = supports[0], points[left]
    center, cut = things.mean(axis=0), cut_height(plane)
    least = max(_LEAST, int(_LEAST_SHARE * len(things)))
    camera = find_viewpoint(points, spacing, plane, center, seed)
    if camera is None:
        found = connect(find_neighbours(things, 2 * spacing, LINKS))
    else:
        surface = describe_surface(things, spacing, camera.position)
        # Furniture is full of concave edges: in a room, what touches is one thing.
        regions = connect(surface.links) if len(supports) > 1 else find_regions(surface)
        regions = absorb_crumbs(surface, regions, least)
        regions = refine_borders(surface.points, regions, spacing)
        image = DepthImage(points, camera.position, center, 1.5 * spacing, 6 * plane.sigma + spacing)
        found = join_regions(surface, regions, plane, image, spacing, least)
        found = join_floating(surface, found, plane, image, spacing)
    if camera is None or len(supports) > 1:
        found = join_columns(found, (things - plane.center) @ plane.axes[:2].T, 3 * spacing)
    instances = np.full(len(points), -1, dtype=np.int64)
    instances[left] = drop_small(found, plane.heights(things), least, 2 * cut)
    instances = sort_by_size(_refine_feet(points, instances, plane, spacing))
    on_support = np.where(instances >= 0, -1, on_support)
    crumbs = int(np.count_nonzero((instances < 0) & (on_support < 0) & (plane.heights(points) > cut)))
    notes = (f"{crumbs:,} points in pieces of fewer than {least}, or hardly above the support: left out",)
    return Split(instances, supports, on_support, camera, notes if crumbs else ())


def _split_apart(points: Float, spacing: float, why: str) -> Split:
    """Return what lies apart in a cloud without support; crumbs go with the largest."""
    extent = float(np.linalg.norm(np.ptp(points, axis=0)))
    size = max(_GAP * extent, _GAP_SPACINGS * spacing)
    if size == 0:
        return Split(np.zeros(len(points), dtype=np.int64), notes=(f"{why}: taken as one thing",))
    kept, cell = thin_out(points, size / 4)
    found = connect(find_neighbours(points[kept], size, 32))[cell]
    sizes = np.bincount(found)
    found[sizes[found] < max(_LEAST, 0.02 * len(points))] = 0
    found = sort_by_size(found)
    count = int(found.max()) + 1
    what = "one thing" if count == 1 else f"{count} things that lie apart"
    return Split(found, notes=(f"{why}: taken as {what}",))


def _covers_rim(plane: Plane, points: Float, heights: Float, left: Int, spacing: float) -> bool:
    """Tell whether things stand along the rim of a plane: then it is one of their sides, no support.

    The rim is told by the farthest points of the plane in 64 directions.
    """
    local = (points - plane.center) @ plane.axes[:2].T
    angles = np.linspace(0, 2 * np.pi, 65)[:-1]
    directions = np.column_stack([np.cos(angles), np.sin(angles)])
    flat = local[np.abs(heights) <= cut_height(plane)]
    rim = flat[np.argmax(flat @ directions.T, axis=0)]
    things = local[left[heights[left] > 4 * cut_height(plane)]]
    if not len(things):
        return False
    width = max(_RIM * float(np.ptp(flat, axis=0).max()), 3 * spacing)
    near = [bool((((things - place) ** 2).sum(axis=1) < width**2).any()) for place in rim]
    return float(np.mean(near)) > _COVERED


def absorb_crumbs(surface: Surface, regions: Int, least: int) -> Int:
    """Give regions of few points to the region that they have the most links to."""
    regions = regions.copy()
    sizes = np.bincount(regions)
    order = np.argsort(regions, kind="stable")
    starts = np.append(0, np.cumsum(sizes))
    for crumb in np.flatnonzero(sizes < least)[::-1]:
        rows = order[starts[crumb] : starts[crumb + 1]]
        links = surface.links[rows]
        around = regions[links[links >= 0]]
        around = around[around != crumb]
        if len(around):
            regions[rows] = np.argmax(np.bincount(around))
    return regions


def drop_small(found: Int, heights: Float, least: int, lowest: float) -> Int:
    """Number things anew, without those of few points and those that hardly rise over the support."""
    kept = np.full(len(found), -1, dtype=np.int64)
    for number in np.flatnonzero(np.bincount(found[found >= 0]) >= least):
        rows = np.flatnonzero(found == number)
        if np.percentile(heights[rows], 90) > lowest:
            kept[rows] = number
    return sort_by_size(kept)


def _refine_feet(points: Float, instances: Int, plane: Plane, spacing: float) -> Int:
    """Give points near the feet of things to the thing or the support, whichever surface they lie on."""
    count = int(instances.max(initial=-1)) + 1
    low = np.flatnonzero(plane.heights(points) < _FEET * spacing)
    if not count or not len(low):
        return instances
    numbers = instances[low]
    sharpened = refine_borders(points[low], np.where(numbers < 0, count, numbers), spacing)
    result = instances.copy()
    result[low] = np.where(sharpened == count, -1, sharpened)
    return result
