"""Polygons: outlines keep their area, convex ones their fans."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clip2point.core.errors import ShapeError
from clip2point.shapes import polygons
from clip2point.shapes.polygons import cut_polygons, cut_rings
from clip2point.shapes.triangles import fan_triangles, triangle_areas

L = np.array([[0, 0, 0], [4, 0, 0], [4, 1, 0], [1, 1, 0], [1, 3, 0], [0, 3, 0.0]])


def area(points):
    following = np.roll(points, -1, axis=0)
    return np.linalg.norm(np.cross(points, following).sum(axis=0)) / 2


def star(radii, tilt):
    """Star-shaped polygon in a tilted plane; nearly always concave."""
    angle = np.linspace(0, 2 * np.pi, len(radii), endpoint=False)
    flat = np.stack([radii * np.cos(angle), radii * np.sin(angle), 0 * angle], axis=1)
    turn = np.linalg.qr(np.random.default_rng(tilt).normal(size=(3, 3)))[0]
    return flat @ turn.T


@given(st.lists(st.floats(0.1, 1), min_size=3, max_size=40), st.integers(0, 99))
def test_area_and_turning_sense_are_those_of_the_outline(radii, tilt):
    points = star(np.array(radii), tilt)
    positions, polygon = cut_polygons(points, np.arange(len(points)), np.array([len(points)]))
    assert triangle_areas(points, positions).sum() == pytest.approx(area(points))
    assert (polygon == 0).all()
    normal = np.cross(points, np.roll(points, -1, axis=0)).sum(axis=0)
    a, b, c = points[positions].transpose(1, 0, 2)
    assert (np.cross(b - a, c - a) @ normal >= -1e-9).all()


@pytest.mark.parametrize("start", range(6))
@pytest.mark.parametrize("step", [1, -1])
def test_an_l_has_the_same_area_from_every_corner(start, step):
    corners = np.roll(np.arange(6), start)[::step]
    positions, _ = cut_polygons(L, corners, np.array([6]))
    assert triangle_areas(L, corners[positions]).sum() == pytest.approx(6)


@pytest.mark.parametrize("start", range(4))
def test_concave_quadrilaterals_are_cut_by_the_diagonal_inside(start):
    arrow = np.array([[0, 0, 0], [4, -4, 0], [0, 4, 0], [-4, -4, 0.0]])
    corners = np.roll(np.arange(4), start)
    positions, polygon = cut_polygons(arrow, corners, np.array([4]))
    assert triangle_areas(arrow, corners[positions]).sum() == pytest.approx(16)
    assert polygon.tolist() == [0, 0]
    assert all({0, 2} <= set(face) for face in corners[positions].tolist())


def test_convex_polygons_and_triangles_stay_fans_beside_concave_ones():
    angle = np.linspace(0, 2 * np.pi, 7, endpoint=False)
    points = np.vstack([L, np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1)])
    sizes = np.array([3, 7, 6, 2, 4, 7])
    l_shape, ring = [1, 2, 3, 4, 5, 0], list(range(6, 13))
    corners = np.array([0, 1, 2, *ring, *l_shape, 0, 1, 0, 1, 2, 3, *ring])
    positions, polygon = cut_polygons(points, corners, sizes)
    fans, owner = fan_triangles(sizes)
    for index in (0, 1, 3, 4, 5):
        np.testing.assert_array_equal(positions[polygon == index], fans[owner == index])
    assert (np.diff(polygon) >= 0).all()
    assert triangle_areas(points, corners[positions[polygon == 2]]).sum() == pytest.approx(6)


def test_bent_quadrilaterals_stay_as_they_are():
    bent = np.array([[0, 0, 0], [1, 0, 0.3], [1, 1, 0], [0, 1, 0.3]])
    assert cut_polygons(bent, np.arange(4), np.array([4]))[0].tolist() == [[0, 1, 2], [0, 2, 3]]


def test_holes_are_left_open():
    square = np.array([[0, 0, 0], [4, 0, 0], [4, 4, 0], [0, 4, 0.0]])
    hole = square / 4 + [1, 1, 0]
    for second in (hole, hole[::-1]):
        points = np.vstack([square, second])[:, [2, 0, 1]]
        triangles = cut_rings(points, np.array([4, 8]))
        assert triangle_areas(points, triangles).sum() == pytest.approx(15)


def test_vertices_that_do_not_exist_or_are_not_finite_are_left_to_the_checks():
    corners = np.array([0, 1, 2, 9])
    assert cut_polygons(L, corners, np.array([4]))[0].tolist() == [[0, 1, 2], [0, 2, 3]]
    broken = L.copy()
    broken[3] = np.nan
    assert len(cut_polygons(broken, np.arange(6), np.array([6]))[0]) == 4
    assert cut_polygons(L, np.zeros(0, int), np.zeros(0, int))[0].shape == (0, 3)


def test_giant_concave_polygons_are_refused(monkeypatch):
    monkeypatch.setattr(polygons, "MAX_CORNERS", 5)
    with pytest.raises(
        ShapeError, match="has a concave polygon of 6 corners: expected at most 5; triangulate the mesh"
    ):
        cut_polygons(L, np.roll(np.arange(6), -1), np.array([6]))
