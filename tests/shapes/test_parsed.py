"""From raw arrays to a Shape: the checks that every file passes, and joining the parts of scenes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clip2point.core.errors import ShapeError
from clip2point.shapes import Material, guards
from clip2point.shapes.parsed import Parsed, Scene, colors_to_uint8, to_shape

TRIANGLE = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float64)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (np.zeros((0, 3)), "has 0 points: expected at least 2 that differ"),
        (np.ones((1, 3)), "has 1 point: expected at least 2 that differ"),
        (np.full((7, 3), 0.1), "has 7 points that are all equal: expected a shape with some extent"),
        (np.full((7, 3), 5e6) + 1e-10, "all equal"),
        (np.array([[0, 0, 0], [np.nan, 0, 0]]), "NaN or infinite coordinates in 1 of 2 points"),
        (np.array([[0, 0, 0], [np.inf, 0, 0], [1, -np.inf, 1]]), "NaN or infinite coordinates in 2 of 3 points"),
        (np.array([[0, 0, 0], [1e300, 0, 0]]), r"coordinates up to 1e\+300: expected at most 1e\+30; scale"),
        (np.array([[0, 0, 0], [1e-40, 0, 0]]), "is only 1e-40 across: expected at least 1e-30; scale"),
        (np.zeros((4, 2)), r"has an array \[4, 2\]: expected points \[N, 3\]"),
    ],
)
def test_arrays_that_are_no_shape(points, message):
    with pytest.raises(ShapeError, match=message):
        to_shape(Parsed(points), "x")


def test_points_that_are_not_finite_are_left_out_and_said():
    points = np.array([[0, 0, 0], [np.nan, 0, 0], [1, 1, 1], [0, np.inf, -np.inf]])
    shape = to_shape(Parsed(points, notes=("said by the reader",)), "x")
    assert shape.points.tolist() == [[0, 0, 0], [1, 1, 1]]
    assert shape.notes == ("said by the reader", "2 of 4 points have NaN or infinite coordinates: left out")


@pytest.mark.parametrize("unused", [[0, 0, 0], [1e9, 0, 0], [np.nan, 0, 0]])
def test_vertices_that_no_face_uses_decide_about_nothing(unused):
    away = TRIANGLE + np.array([500_000.0, 5_400_000.0, 300.0])
    alone = to_shape(Parsed(away, np.array([[0, 1, 2]])), "x")
    shape = to_shape(Parsed(np.vstack([unused, away]), np.array([[1, 2, 3]])), "x")
    np.testing.assert_array_equal(shape.points, alone.points)
    np.testing.assert_array_equal(shape.mesh.faces, alone.mesh.faces)
    assert shape.notes == ("1 of 4 vertices belong to no face: left out",)
    assert alone.notes == ()


def test_notes_of_a_scene_are_its_own_and_those_of_its_parts():
    scene = Scene()
    scene.notes.append("of the scene")
    for _ in range(2):
        scene.add(Parsed(TRIANGLE, np.array([[0, 1, 2]]), notes=("of a part",)))
    assert scene.join().notes == ("of the scene", "of a part")


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.int64, np.uint8])
def test_near_coordinates_are_kept(dtype):
    points = np.array([[0, 1, 2], [3, 4, 5]], dtype)
    shape = to_shape(Parsed(points), "x")
    assert shape.points.dtype == np.float32
    np.testing.assert_array_equal(shape.points, points)


@pytest.mark.slow
@given(st.floats(-1e8, 1e8), st.integers(0, 1000))
def test_far_shapes_keep_their_form(offset, seed):
    form = np.random.default_rng(seed).normal(size=(20, 3))
    shape = to_shape(Parsed(form + np.array([offset, -offset, offset / 3])), "x")
    np.testing.assert_allclose(shape.points - shape.points[0], form - form[0], atol=5e-5)


def test_numbers_at_the_edge_of_float32_still_make_a_shape():
    for scale in (1e-29, 1e29):
        assert np.isfinite(to_shape(Parsed(TRIANGLE * scale, np.array([[0, 1, 2]])), "x").mesh.vertices).all()


@pytest.mark.parametrize("faces", [[[0, 1, 3]], [[0, 1, 2], [-1, 0, 1]], [[0, 1, 2**40]]])
def test_faces_that_name_no_vertex_are_refused(faces):
    with pytest.raises(ShapeError, match="has a face that names vertices which do not exist .* from 0 to 2"):
        to_shape(Parsed(TRIANGLE, np.array(faces)), "x")


def test_a_mesh_without_area_is_a_cloud_and_one_with_some_is_a_mesh():
    assert to_shape(Parsed(TRIANGLE, np.array([[0, 1, 1], [0, 0, 0]])), "x").mesh is None
    assert to_shape(Parsed(TRIANGLE, np.zeros((0, 3), int)), "x").mesh is None
    mesh = to_shape(Parsed(TRIANGLE, np.array([[0, 1, 1], [0, 1, 2]])), "x").mesh
    assert mesh.faces.tolist() == [[0, 1, 1], [0, 1, 2]]
    assert mesh.faces.dtype == mesh.face_materials.dtype == np.int32


def test_the_user_knows_the_up_axis_better_than_the_file():
    parsed = Parsed(TRIANGLE, up="z")
    assert to_shape(parsed, "x").up == "z"
    assert to_shape(parsed, "x", "-y").up == "-y"


def test_too_many_points_or_faces(monkeypatch):
    monkeypatch.setattr(guards, "MAX_ELEMENTS", 2)
    monkeypatch.setattr("clip2point.shapes.parsed.MAX_ELEMENTS", 2)
    with pytest.raises(ShapeError, match="has 3 points: expected at most 2; thin the shape out first"):
        to_shape(Parsed(TRIANGLE), "x")
    scene = Scene()
    with pytest.raises(ShapeError, match="has 3 vertices: expected at most 2"):
        scene.add(Parsed(TRIANGLE))


def test_scenes_join_parts_with_their_materials():
    red, picture = Material((1, 0, 0, 1)), Material(texture=np.zeros((2, 2, 3), np.uint8))
    scene = Scene()
    scene.add(Parsed(TRIANGLE, np.array([[0, 1, 2]]), (red,)))
    move = np.eye(4)
    move[:3, 3] = 10, 20, 30
    uv = np.array([[0, 0], [1, 0], [0, 1]])
    scene.add(Parsed(TRIANGLE, np.array([[0, 1, 2]]), (picture, red), np.array([0]), uv=uv), move)
    scene.add(Parsed(TRIANGLE))  # loose points beside a mesh
    mesh = to_shape(scene.join(), "x").mesh
    assert mesh.faces.tolist() == [[0, 1, 2], [3, 4, 5]]
    np.testing.assert_array_equal(mesh.vertices[3:], (TRIANGLE + move[:3, 3]).astype(np.float32))
    assert [mesh.materials[i] for i in mesh.face_materials] == [red, picture]
    assert len(mesh.materials) == 2
    np.testing.assert_array_equal(mesh.uv, np.vstack([np.zeros((3, 2)), uv]))


def test_a_mirrored_part_is_turned_right_side_out():
    scene = Scene()
    scene.add(Parsed(TRIANGLE, np.array([[0, 1, 2]])), np.diag([-1.0, 1, 1, 1]))
    assert scene.join().faces.tolist() == [[2, 1, 0]]


def test_an_empty_scene_is_refused():
    with pytest.raises(ShapeError, match="holds no triangles and no points"):
        Scene().join()


def test_colors_are_fractions_or_levels():
    assert colors_to_uint8(np.array([[0, 0.5, 1, 0.2]])).tolist() == [[0, 128, 255]]
    assert colors_to_uint8(np.array([[0, 128, 999]])).tolist() == [[0, 128, 255]]
    assert colors_to_uint8(np.array([[np.nan, -3.0, 1.0]])).tolist() == [[0, 0, 255]]


def test_texture_coordinates_without_a_number_become_zero():
    material = Material(texture=np.zeros((1, 1, 3), np.uint8))
    uv = np.array([[np.nan, 0.5], [np.inf, 1e300], [1, 2]])
    mesh = to_shape(Parsed(TRIANGLE, np.array([[0, 1, 2]]), (material,), uv=uv), "x").mesh
    assert mesh.uv.tolist() == [[0, 0.5], [0, 0], [1, 2]]


def test_a_texture_without_coordinates_is_left_out():
    textured = Material((1.0, 0.5, 0.25, 1.0), np.zeros((2, 2, 3), np.uint8))
    mesh = to_shape(Parsed(np.eye(3), np.array([[0, 1, 2]]), (textured,)), "here").mesh
    assert mesh.uv is None
    assert mesh.materials[0].texture is None
    assert mesh.materials[0].color == textured.color


@pytest.mark.parametrize(("alphas", "expected"), [((0, 0.01), (1, 1)), ((0, 0.5), (0, 0.5)), ((1, 0), (1, 0))])
def test_a_shape_of_which_nothing_is_visible_is_shown_opaque(alphas, expected):
    materials = tuple(Material((1.0, 0.0, 0.0, alpha)) for alpha in alphas)
    parsed = Parsed(np.eye(3), np.array([[0, 1, 2], [0, 2, 1]]), materials, np.array([0, 1]))
    shape = to_shape(parsed, "test")
    assert tuple(material.color[3] for material in shape.mesh.materials) == expected
    assert shape.notes == (("all materials are fully transparent: shown opaque",) if expected != alphas else ())
