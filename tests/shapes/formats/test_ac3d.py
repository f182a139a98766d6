"""AC3D, and TORCS's dialect of it."""

import numpy as np
import pytest
from sample_files import FACES, TEXTURE, UV, VERTICES, write_sample

from clip2point.core.errors import ShapeError
from clip2point.shapes import load_shape

TRIANGLE = "numvert 3\n0 0 0\n1 0 0\n0 1 0.5\nnumsurf 1\nSURF 0x10\nmat 0\nrefs 3\n0 0 0\n1 1 0\n2 0 1\nkids 0\n"
POLY = "AC3Db\nOBJECT poly\n" + TRIANGLE


def load(tmp_path, text, name="shape.ac"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_shape(path)


def triangles(mesh):
    """The triangles as sets of corners, without order."""
    return sorted(sorted(corners) for corners in mesh.vertices[mesh.faces].tolist())


@pytest.mark.parametrize(
    "text",
    [
        POLY,
        POLY.replace("\n", "\r\n"),
        "\ufeff" + POLY,
        POLY.replace("0 1 0.5\n", "\n0 1 0.5\n\n"),
        POLY.replace("0 0 0\n1 1 0", "0 0 0\n\n1 1 0"),
        POLY.replace("1 0 0\n", "1 0 0 0.6 0.8 0\n"),  # with a normal
        POLY.replace("0x10", "0X30").replace("1 1 0", "1 1 0 0.5 0.5"),
        POLY.replace("numvert", 'name "numvert 9"\ndata 7\nkids 0\n\ncrease 45\nurl "x"\nnumvert'),
        POLY.replace("numsurf 1", "numsurf 2\nSURF 0x2\nmat 0\nrefs 2\n0 0 0\n1 0 0"),
        POLY.replace("kids 0", "kids 3") + "OBJECT light\nloc 5 5 5\nkids 0\n",
    ],
)
def test_ways_to_write_one_triangle(tmp_path, text):
    shape = load(tmp_path, text)
    assert shape.up == "y"
    assert shape.mesh.vertices.tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0.5]]
    assert shape.mesh.faces.tolist() == [[0, 1, 2]]


def test_objects_materials_and_textures_are_read(tmp_path):
    mesh = load_shape(write_sample("box.ac", tmp_path)).mesh
    strip = [VERTICES[[3, 2, 7]].tolist(), VERTICES[[2, 7, 6]].tolist()]
    expected = [*VERTICES[np.delete(FACES, [6, 7], 0)].tolist(), *strip]
    assert triangles(mesh) == sorted(sorted(corners) for corners in expected)
    painted, red = mesh.materials
    assert painted.color == red.color == (1, 0, 0, 0.75)
    np.testing.assert_array_equal(painted.texture, TEXTURE)
    assert red.texture is None
    for face, corners in zip(mesh.faces[:6], FACES[:6], strict=True):
        np.testing.assert_allclose(mesh.uv[face], UV[corners])


def test_texture_coordinates_repeat_and_shift(tmp_path):
    write_sample("box.ac", tmp_path)
    mesh = load(tmp_path, POLY.replace("numvert", 'texture "skin.png"\ntexrep 2 3\ntexoff 0.5 0\nnumvert')).mesh
    np.testing.assert_allclose(mesh.uv[mesh.faces[0]], [[0.5, 0], [2.5, 0], [0.5, 3]])


def test_objects_are_rotated_and_moved_with_their_parents(tmp_path):
    turn = "rot 0 1 0 -1 0 0 0 0 1\n"  # of row vectors: x to y
    text = f"AC3Db\nOBJECT world\nkids 1\nOBJECT group\nloc 0 0 7\n{turn}kids 1\nOBJECT poly\nloc 10 0 0\n{TRIANGLE}"
    mesh = load(tmp_path, text).mesh
    np.testing.assert_allclose(mesh.vertices, [[0, 10, 7], [0, 11, 7], [-1, 10, 7.5]], atol=1e-6)


def test_strips_of_torcs_become_triangles_with_one_orientation(tmp_path):
    strip = "numvert 4\n0 0 0\n1 0 0\n0 1 0\n1 1 0\nnumsurf 1\nSURF 0x14\nmat 0\nrefs 4\n0 0 0\n1 0 0\n2 0 0\n3 0 0\n"
    mesh = load(tmp_path, f"AC3Db\nOBJECT poly\n{strip}kids 0\n", "car.acc").mesh
    a, b, c = (mesh.vertices[mesh.faces[:, corner]] for corner in range(3))
    np.testing.assert_allclose(np.cross(b - a, c - a), [[0, 0, 1], [0, 0, 1]])


def test_odd_materials_keep_their_default(tmp_path):
    material = 'MATERIAL "a rgb 9" rgb one two three\n'
    assert load(tmp_path, POLY.replace("OBJECT", material + "OBJECT")).mesh.materials[0].color == (0.7, 0.7, 0.7, 1.0)
    assert load(tmp_path, POLY.replace("mat 0", "mat 7")).mesh.materials[0].color == (0.7, 0.7, 0.7, 1.0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("OFF\n", "does not begin with AC3D"),
        ("AC3Db\n", "holds no triangles and no points"),
        (POLY.replace("kids 0\n", ""), "ends within an object"),
        (POLY.replace("numvert 3", "numvert 300000000"), "declares 300,000,000 vertices"),
        (POLY.replace("refs 3", "refs 300000000"), "declares 300,000,000 corners"),
        (POLY.replace("refs 3", "refs 6"), "ends within a list of numbers|where numbers were expected"),
        (POLY.replace("numvert 3", "numvert -3"), "b'-3' for a number of vertices"),
        (POLY.replace("SURF 0x10", "SURF ten"), "b'SURF ten', which cannot be read"),
        (POLY.replace("1 1 0\n", "9 1 0\n"), "names vertices beyond the 3 of its object"),
        (POLY.replace("1 1 0\n", "0.5 1 0\n"), "a fraction where an integer was expected"),
        (POLY.replace("1 0 0\n", "1 0\n"), "fewer than 3 numbers"),
        (POLY.replace("numvert", "rot 1 0 0\nnumvert"), "b'1 0 0', which cannot be read"),
        (POLY[: POLY.index("refs")], "ends within a surface"),
        ("AC3Db\n" + "OBJECT group\nkids 0\n" * 100_001, "more than 100,000 objects"),
    ],
)
def test_damaged_files_are_refused(tmp_path, text, message):
    with pytest.raises(ShapeError, match=message):
        load(tmp_path, text)
