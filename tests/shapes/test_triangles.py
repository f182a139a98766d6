"""Index arithmetic: fans, strips, seams, areas."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from clip2point.shapes.triangles import (
    fan_triangles,
    find_used_vertices,
    split_corners,
    strip_triangles,
    triangle_areas,
)


def test_polygons_of_every_size_become_fans():
    triangles, polygon = fan_triangles(np.array([3, 2, 5, 0, 4]))
    assert triangles.tolist() == [[0, 1, 2], [5, 6, 7], [5, 7, 8], [5, 8, 9], [10, 11, 12], [10, 12, 13]]
    assert polygon.tolist() == [0, 2, 2, 2, 4, 4]


def test_strips_keep_one_orientation():
    assert strip_triangles(5).tolist() == [[0, 1, 2], [1, 3, 2], [2, 3, 4]]
    assert strip_triangles(2).shape == (0, 3)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=40))
def test_split_corners_lists_each_combination_once(corners):
    columns = np.array(corners).T
    distinct, combination = split_corners(*columns)
    np.testing.assert_array_equal(np.stack(distinct)[:, combination], columns)
    assert len(distinct[0]) == len(set(corners))


def test_find_used_vertices_drops_only_a_surplus():
    faces = np.array([[7, 9, 7]])
    used, places = find_used_vertices(faces, 10)
    assert used.tolist() == [7, 9]
    assert places.tolist() == [[0, 1, 0]]
    assert find_used_vertices(faces, 3)[0] == slice(None)  # out of range: left to be refused
    assert find_used_vertices(np.array([[0, 1, 2]]), 3)[0] == slice(None)


def test_areas_are_those_of_the_triangles():
    vertices = np.array([[0, 0, 0], [2, 0, 0], [0, 0, 3]], np.float32)
    assert triangle_areas(vertices, np.array([[0, 1, 2], [0, 0, 1]])).tolist() == [3.0, 0.0]
