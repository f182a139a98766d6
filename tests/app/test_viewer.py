import json
from dataclasses import replace

import numpy as np
import pytest

from clip2point.app.viewer import MAX_ELEMENTS, to_glb
from clip2point.shapes import Shape, load_shape
from clip2point.shapes.demo_shapes import demo_files
from clip2point.shapes.orientation import from_y_up
from clip2point.shapes.shape import Material, Mesh


def read_back(glb, tmp_path):
    path = tmp_path / "view.glb"
    path.write_bytes(glb)
    return load_shape(path)


def colors_of(glb):
    """[N, 3] of the vertices."""
    length = int.from_bytes(glb[12:16], "little")
    view = json.loads(glb[20 : 20 + length])["bufferViews"][1]
    start = 28 + length + view["byteOffset"]
    return np.frombuffer(glb[start : start + view["byteLength"]], np.uint8).reshape(-1, 4)[:, :3]


def mesh_shape(mesh, up="y"):
    return Shape(mesh.vertices, mesh, "mesh", up)


@pytest.mark.parametrize("up", ["y", "z", "-x"])
def test_a_mesh_comes_upright_centred_and_of_one_size(up, tmp_path):
    mesh = load_shape(demo_files()["chair"]).mesh
    turned = replace(mesh, vertices=from_y_up(37 * mesh.vertices + 5, up))
    seen = read_back(to_glb(mesh_shape(turned, up)), tmp_path)
    assert len(seen.mesh.faces) == len(mesh.faces)
    low, high = seen.points.min(0), seen.points.max(0)
    np.testing.assert_allclose(low + high, 0, atol=1e-5)
    assert (high - low).max() == pytest.approx(2, abs=1e-5)
    # The same corners in the same places, whichever way was up.
    size = np.ptp(mesh.vertices, axis=0).max()
    middle = (mesh.vertices.min(0) + mesh.vertices.max(0)) / 2
    expected = (mesh.vertices[mesh.faces] - middle) * (2 / size)
    np.testing.assert_allclose(seen.mesh.vertices[seen.mesh.faces], expected, atol=1e-5)


def test_faces_have_the_colours_of_their_materials():
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]], np.float32)
    texture = np.zeros((2, 2, 3), np.uint8)
    texture[0, 1] = 255, 255, 0  # at the top on the right
    mesh = Mesh(
        vertices,
        np.array([[0, 1, 2], [1, 3, 2]], np.int32),
        (Material((1, 0, 0, 1)), Material((1, 1, 1, 1), texture)),
        np.array([0, 1], np.int32),
        uv=np.array([[0, 0], [0.9, 0.1], [0.1, 0.9], [0.9, 0.9]], np.float32),
    )
    colors = colors_of(to_glb(mesh_shape(mesh)))
    # Two vertices belong to both materials, so they appear twice.
    assert sorted(map(tuple, colors.tolist())) == [
        (0, 0, 0),
        (0, 0, 0),
        (255, 0, 0),
        (255, 0, 0),
        (255, 0, 0),
        (255, 255, 0),
    ]


def test_vertex_colours_are_shown():
    mesh = Mesh.plain(np.eye(3), np.array([[0, 1, 2]]))
    painted = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255]], np.uint8)
    mesh = replace(mesh, materials=(Material((1, 1, 1, 1)),), vertex_colors=painted)
    np.testing.assert_array_equal(colors_of(to_glb(mesh_shape(mesh))), painted)


def test_large_meshes_are_thinned_out_and_keep_their_form(tmp_path):
    side = np.linspace(0, 1, 60)
    x, y = (grid.ravel() for grid in np.meshgrid(side, side))
    corner = np.arange(59)[:, None] * 60 + np.arange(59)
    faces = np.concatenate(
        [np.stack([corner, corner + 1, corner + 60], -1), np.stack([corner + 1, corner + 61, corner + 60], -1)]
    )
    sheet = Mesh.plain(np.stack([x, y, np.sin(6 * x)], 1), faces.reshape(-1, 3))
    seen = read_back(to_glb(mesh_shape(sheet), max_elements=1000), tmp_path)
    assert 200 < len(seen.mesh.faces) <= 1000
    np.testing.assert_allclose(np.ptp(seen.points, axis=0) / 2, np.ptp(sheet.vertices, axis=0) / 2, atol=0.1)


def test_clouds_stay_points_and_are_thinned_out(tmp_path):
    points = np.random.default_rng(0).normal(size=(5000, 3)).astype(np.float32)
    whole = read_back(to_glb(Shape(points, up="auto")), tmp_path)
    few = read_back(to_glb(Shape(points, up="auto"), max_elements=100), tmp_path)
    assert whole.mesh is None
    assert (len(whole.points), len(few.points)) == (5000, 100)
    assert to_glb(Shape(points), 100) == to_glb(Shape(points), 100)
    assert MAX_ELEMENTS == 200_000  # what the API page promises
