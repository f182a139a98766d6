"""OFF and its variants."""

import gzip

import numpy as np
import pytest
import trimesh
from sample_files import FACES, VERTICES, box, write_sample

from clip2point.core.errors import ShapeError
from clip2point.shapes import load_shape


def load(tmp_path, text):
    path = tmp_path / "shape.off"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_shape(path)


TRIANGLE = "0 0 0\n1 0 0\n0 1 0.5\n3 0 1 2\n"


@pytest.mark.parametrize(
    "text",
    [
        "OFF\n3 1 0\n" + TRIANGLE,
        "OFF3 1 0\n" + TRIANGLE,  # ModelNet
        "OFF 3 1 0\n" + TRIANGLE,
        "OFF\n3 1\n" + TRIANGLE,
        ("OFF\n3 1 0\n" + TRIANGLE).replace("\n", "\r\n"),
        "\ufeffOFF # a comment\n# one more\n\n3 1 0 # counts\n\n" + TRIANGLE.replace("0.5\n", "0.5 # top\n\n"),
        "# made by hand\n\n # twice\nOFF\n3 1 0\n" + TRIANGLE,
        "OFF\n3 1 0\n" + TRIANGLE.replace("\n", " "),
        "OFF\n3 1 0\n" + TRIANGLE + "\n\n",
        "OFF\n3 1 0\n" + TRIANGLE.replace("3 0 1 2", "3 0 1 2 255 0 0"),
        "OFF\n3 1 0\n" + TRIANGLE.replace("3 0 1 2", "3 0 1 2 0.5 0.25 0 1"),
        "NOFF\n3 1 0\n0 0 0 0 0 1\n1 0 0 0 0 1\n0 1 0.5 0 0 1\n3 0 1 2\n",
    ],
)
def test_ways_to_write_one_triangle(tmp_path, text):
    mesh = load(tmp_path, text).mesh
    assert mesh.vertices.tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0.5]]
    assert mesh.faces.tolist() == [[0, 1, 2]]
    assert mesh.vertex_colors is None


def test_vertex_colors_and_polygons_with_colors(tmp_path):
    mesh = load_shape(write_sample("colored.off", tmp_path)).mesh
    assert mesh.vertex_colors.tolist() == [[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 9, 9]]
    assert mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3], [0, 1, 2], [0, 2, 3]]
    assert mesh.materials[0].color == (1, 1, 1, 1)


def test_polygons_need_no_line_ends(tmp_path):
    text = "OFF\n5 3 0\n0 0 0 1 0 0 1 1 0 0 1 0 0 0 1 4 0 1 2 3 3 0 1 4 5 0 1 2 3 4"
    mesh = load(tmp_path, text).mesh
    assert mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3], [0, 1, 4], [0, 1, 2], [0, 2, 3], [0, 3, 4]]


def binary(name: str, vertices, faces, counts=None) -> bytes:
    head = np.array([len(vertices), len(faces), 0] if counts is None else counts, ">i4")
    return b"".join([name.encode(), b"\n", head.tobytes(), np.array(vertices, ">f4").tobytes(), *faces])


def test_binary_files_are_read(tmp_path):
    square = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    faces = [np.array([4, 0, 1, 2, 3, 0], ">i4").tobytes()]
    faces += [np.array([3, 0, 1, 2, 3], ">i4").tobytes() + np.array([1, 0, 0], ">f4").tobytes()]
    path = tmp_path / "binary.off"
    path.write_bytes(binary("OFF BINARY", square, faces))
    mesh = load_shape(path).mesh
    np.testing.assert_array_equal(mesh.vertices, square)
    assert mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3], [0, 1, 2]]
    path.write_bytes(binary("COFF BINARY", np.hstack([square, [[1, 0, 0, 1]] * 4]), faces))
    assert load_shape(path).mesh.vertex_colors.tolist() == [[255, 0, 0]] * 4
    path.write_bytes(binary("OFF BINARY", square, faces)[:-30])
    with pytest.raises(ShapeError, match="is incomplete|declares"):
        load_shape(path)
    path.write_bytes(binary("OFF BINARY", square, faces, (10**9, 1, 0)))
    with pytest.raises(ShapeError, match="declares 1,000,000,000 vertices"):
        load_shape(path)


def test_files_of_trimesh_are_read(tmp_path):
    mesh = load(tmp_path, box().export(file_type="off")).mesh
    np.testing.assert_array_equal(mesh.vertices, VERTICES)
    np.testing.assert_array_equal(mesh.faces, FACES)


def test_trimesh_reads_the_same(tmp_path):
    path = write_sample("box.off.gz", tmp_path)
    plain = tmp_path / "plain.off"
    plain.write_bytes(gzip.decompress(path.read_bytes()))
    theirs = trimesh.load(plain, process=False)
    ours = load_shape(path).mesh
    np.testing.assert_array_equal(ours.vertices, theirs.vertices)
    np.testing.assert_array_equal(ours.faces, theirs.faces)


def test_points_without_faces_are_a_cloud(tmp_path):
    assert load(tmp_path, "OFF\n2 0 0\n0 0 0\n1 2 3\n").mesh is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("solid\n", "does not begin with OFF: this is no OFF file"),
        ("OFF\n", "has no counts after OFF"),
        ("OFF\nthree 1 0\n", "has no counts after OFF"),
        ("OFF BINARY\n3 1 0\n", "has no counts after OFF BINARY"),
        ("4OFF\n3 1 0\n", "is a 4-dimensional OFF file: expected one in 3D"),
        ("OFF\n1000000000 1 0\n" + TRIANGLE, "declares 1,000,000,000 vertices, but only .* bytes follow"),
        ("OFF\n3 1000000000 0\n" + TRIANGLE, "declares 1,000,000,000 faces, but only .* bytes follow"),
        ("OFF\n3 1 0\n0 0.00 0\n1 0 0\n0 1\n", "too few for 3 vertices: the file is cut off"),
        ("OFF\n3 2 0\n" + TRIANGLE, "face 1 of 2 is incomplete: the file is cut off"),
        ("OFF\n3 1 0\n" + TRIANGLE[:-2], "face 0 of 1 is incomplete"),
        ("OFF\n3 1 0\n" + TRIANGLE.replace("3 0", "-3 0"), "face 0 of 1 is incomplete"),
        ("OFF\n3 1 0\n" + TRIANGLE.replace("0.5", "half"), "has text where numbers were expected"),
        ("OFF\n3 1 0\n" + TRIANGLE.replace("0.5", "nan"), "has NaN or infinite coordinates in 1 of 3 points"),
        ("OFF\n3 1 0\n" + TRIANGLE.replace("0.5", "inf"), "has NaN or infinite coordinates in 1 of 3 points"),
        ("OFF\n3 1 0\n" + TRIANGLE.replace("0.5", "1e300"), r"has coordinates up to 1e\+300"),
        ("OFF\n3 1 0\n" + TRIANGLE.replace("0 1 2", "0 1 3"), "names vertices which do not exist"),
        ("OFF\n3 1 0\n" + TRIANGLE.replace("0 1 2", "0 1 1.5"), "has a fraction where an integer was expected"),
        ("OFF\n3 1 0\n" + TRIANGLE.replace("0 1 2", "0 1 1e20"), r"indices or counts beyond 2\^53"),
        ("OFF\n0 0 0\n", "has 0 points: expected at least 2"),
        ("OFF\n1 0 0\n1 2 3\n", "has 1 point: expected at least 2"),
        ("OFF\n2 0 0\n1 2 3\n1 2 3\n", "has 2 points that are all equal"),
    ],
)
def test_damaged_files_are_refused(tmp_path, text, message):
    with pytest.raises(ShapeError, match=message):
        load(tmp_path, text)
