"""Surfaces of VTK's cells."""

import numpy as np
import pytest
from sample_files import VERTICES

from clip2point.core.errors import ShapeError
from clip2point.shapes.formats.vtk_cells import make_surface
from clip2point.shapes.triangles import triangle_areas

#: Corners in VTK's order: x first, then y, then z, or around the bottom and the top.
GRID = np.array([[x, y, z] for z in (0, 1) for y in (0, 1) for x in (0, 1)], np.float64)
AROUND = GRID[[0, 1, 3, 2, 4, 5, 7, 6]]


def surface(points, cells, kinds):
    corners, sizes = np.concatenate(cells).astype(np.int64), np.array([len(cell) for cell in cells])
    return make_surface(np.asarray(points, np.float64), corners, sizes, np.array(kinds))


def area(parsed):
    return triangle_areas(parsed.vertices.astype(np.float32), parsed.faces).sum()


@pytest.mark.parametrize(
    ("kind", "points", "expected"),
    [
        (5, AROUND[:3], 0.5),
        (8, GRID[:4], 1),
        (9, AROUND[:4], 1),
        (10, GRID[[0, 1, 2, 4]], 1.5 + np.sqrt(3) / 2),
        (11, GRID, 6),
        (12, AROUND, 6),
        (13, AROUND[[0, 2, 1, 4, 6, 5]], 1 + 2 + np.sqrt(2)),
        (14, [*AROUND[:4], (0.5, 0.5, 0.5)], 1 + 4 * np.sqrt(0.5) / 2),
        (22, [*AROUND[:3], (9, 9, 9), (9, 9, 9), (9, 9, 9)], 0.5),
    ],
)
def test_one_cell_of_each_kind(kind, points, expected):
    parsed = surface(points, [range(len(points))], [kind])
    assert area(parsed) == pytest.approx(expected)
    if kind in (10, 11, 12, 13, 14):  # the faces look outwards
        a, b, c = (parsed.vertices[parsed.faces[:, i]] for i in range(3))
        middle = parsed.vertices.mean(axis=0)
        assert (((a + b + c) / 3 - middle) * np.cross(b - a, c - a)).sum(axis=1).min() > -1e-9


def test_faces_between_cells_are_inside():
    points = np.concatenate([AROUND, AROUND + np.array([1, 0, 0])])
    cells = [[0, 1, 2, 3, 4, 5, 6, 7], [1, 9, 10, 2, 5, 13, 14, 6]]
    assert area(surface(points, cells, [12, 12])) == pytest.approx(10)


def test_concave_polygons_are_cut_along_their_outline():
    arrow = [(0, 0, 0), (4, -4, 0), (0, 4, 0), (-4, -4, 0)]
    assert area(surface(arrow, [[1, 2, 3, 0]], [7])) == pytest.approx(16)


@pytest.mark.parametrize(
    ("cells", "kinds", "message"),
    [
        ([[0, 1, 2]], [42], "kind 42, which is not supported"),
        ([[0, 1, 2]], [12], "kind 12 with too few points"),
        ([[0, 1]], [5], "kind 5 with too few points"),
        ([[0, 1, 9]], [5], "points that do not exist"),
        ([[0, 1, 2]], [5, 5], "do not fit"),
    ],
)
def test_what_does_not_fit_is_refused(cells, kinds, message):
    with pytest.raises(ShapeError, match=message):
        surface(VERTICES, cells, kinds)
