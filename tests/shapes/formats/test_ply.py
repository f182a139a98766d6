"""PLY: text and binary, even and uneven lists, colours, textures."""

import numpy as np
import pytest
from PIL import Image
from sample_files import CLOUD, COLORS, FACES, TEXTURE, UV, VERTICES, box_with_texture, write_sample

from clip2point.core.errors import ShapeError
from clip2point.shapes import load_shape

HEADER = "ply\nformat ascii 1.0\nelement vertex 4\nproperty float x\nproperty float y\nproperty float z\n"
POINTS = "0 0 0\n1 0 0\n1 1 0\n0 1 0.5\n"
FACE = "element face {}\nproperty list uchar int vertex_indices\n"


def load(tmp_path, text):
    path = tmp_path / "shape.ply"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_shape(path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["binary.ply", "text.ply"])
def test_meshes_of_trimesh_are_read(tmp_path, name):
    mesh = load_shape(write_sample(name, tmp_path)).mesh
    np.testing.assert_array_equal(mesh.vertices, VERTICES)
    np.testing.assert_array_equal(mesh.faces, FACES)
    if name == "text.ply":
        np.testing.assert_array_equal(mesh.vertex_colors, COLORS)
        assert mesh.materials[0].color == (1, 1, 1, 1)


def test_clouds_are_read(tmp_path):
    shape = load_shape(write_sample("cloud.ply", tmp_path))
    assert shape.mesh is None
    np.testing.assert_array_equal(shape.points, CLOUD)


def test_faces_of_mixed_sizes_become_triangles(tmp_path):
    binary = load_shape(write_sample("mixed.ply", tmp_path)).mesh
    assert binary.faces.tolist() == [[0, 1, 2], [0, 2, 3], [0, 1, 4]]
    text = load(tmp_path, HEADER + FACE.format(3) + "end_header\n" + POINTS + "3 0 1 2\n4 0 1 2 3\n2 0 1\n")
    assert text.mesh.faces.tolist() == [[0, 1, 2], [0, 1, 2], [0, 2, 3]]


def test_triangle_strips(tmp_path):
    strips = "element tristrips 1\nproperty list int int vertex_indices\nend_header\n"
    mesh = load(tmp_path, HEADER + strips + POINTS + "8 0 1 2 3 -1 3 2 1\n").mesh
    assert mesh.faces.tolist() == [[0, 1, 2], [1, 3, 2], [3, 2, 1]]


def test_colors_of_faces_become_materials(tmp_path):
    head = HEADER + FACE.format(3) + "property uchar red\nproperty uchar green\nproperty uchar blue\nend_header\n"
    mesh = load(tmp_path, head + POINTS + "3 0 1 2 255 0 0\n4 0 1 2 3 0 0 255\n3 1 2 3 255 0 0\n").mesh
    colors = [mesh.materials[i].color for i in mesh.face_materials]
    assert colors == [(1, 0, 0, 1), (0, 0, 1, 1), (0, 0, 1, 1), (1, 0, 0, 1)]


def test_texture_coordinates_of_vertices_are_read(tmp_path):
    Image.fromarray(TEXTURE).save(tmp_path / "my skin.png")
    data = box_with_texture().export(file_type="ply")
    mesh = load(tmp_path, data.replace(b"element vertex", b"comment TextureFile my skin.png\nelement vertex", 1)).mesh
    np.testing.assert_array_equal(mesh.uv, UV)
    np.testing.assert_array_equal(mesh.materials[0].texture, TEXTURE)
    assert load(tmp_path, data).mesh.uv is None


def test_texture_coordinates_of_corners_are_read(tmp_path):
    Image.fromarray(TEXTURE).save(tmp_path / "skin.png")
    head = HEADER.replace("element", "comment TextureFile skin.png\nelement", 1) + FACE.format(2)
    head += "property list uchar float texcoord\nend_header\n"
    faces = "4 0 1 2 3 8 0 0 1 0 1 1 0 1\n3 0 1 2 6 0.1 0.2 0.3 0.4 0.5 0.6\n"
    mesh = load(tmp_path, head + POINTS + faces).mesh
    assert mesh.vertices[mesh.faces].tolist() == [
        [[0, 0, 0], [1, 0, 0], [1, 1, 0]],
        [[0, 0, 0], [1, 1, 0], [0, 1, 0.5]],
        [[0, 0, 0], [1, 0, 0], [1, 1, 0]],
    ]
    np.testing.assert_allclose(mesh.uv[mesh.faces[1]], [[0, 0], [1, 1], [0, 1]])
    np.testing.assert_allclose(mesh.uv[mesh.faces[2]], [[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]])


def test_other_elements_and_lists_are_passed_over(tmp_path):
    head = "ply\nformat ascii 1.0\nobj_info x\nelement camera 2\nproperty list uchar float k\nproperty int id\n"
    head += HEADER.split("\n", 2)[2] + "property list uint8 int neighbours\nend_header\n"
    rows = "1 0.5 7\n3 1 2 3 8\n" + POINTS.replace("\n", " 2 5 6\n")
    assert load(tmp_path, head + rows).points.tolist() == [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0.5]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("This is a text file.\n", "has no PLY header from 'ply' to 'end_header'"),
        (HEADER, "has no PLY header"),
        (HEADER.replace("ascii", "utf8") + "end_header\n" + POINTS, "has the PLY format 'utf8'"),
        (HEADER.replace("float z", "quad z") + "end_header\n" + POINTS, "has the PLY type 'quad'"),
        (HEADER + "hello\nend_header\n" + POINTS, "has a header line 'hello' that is no PLY"),
        (HEADER.replace("float z", "float w") + "end_header\n" + POINTS, "has no vertices with x, y, z"),
        (HEADER.replace("vertex 4", "vertex 1000000000") + "end_header\n" + POINTS, "declares 1,000,000,000 vertex"),
        (HEADER + FACE.format(10**9) + "end_header\n" + POINTS, "declares 1,000,000,000 face rows"),
        (HEADER + "end_header\n" + POINTS.replace("1", "1.0")[:-6], "ends before its 4 vertex rows do"),
        (HEADER + FACE.format(1) + "end_header\n" + POINTS + "3 0 1\n", "ends before its 1 face rows do"),
        (HEADER + FACE.format(1) + "end_header\n" + POINTS + "999999999 0 1\n", "ends before its 1 face rows do"),
        (HEADER + FACE.format(1) + "end_header\n" + POINTS + "3 0 1 9\n", "names vertices which do not exist"),
        (HEADER + FACE.format(1) + "end_header\n" + POINTS + "3 0 1 0.5\n", "has a fraction"),
        (HEADER + "end_header\n" + POINTS.replace("0.5", "top"), "has text where numbers"),
        (HEADER.replace("vertex 4", "vertex 0") + "end_header\n", "has no vertices with x, y, z"),
    ],
)
def test_damaged_files_are_refused(tmp_path, text, message):
    with pytest.raises(ShapeError, match=message):
        load(tmp_path, text)


@pytest.mark.parametrize("size", [b"\xff", b"\x04"])
def test_a_binary_list_that_promises_too_much(tmp_path, size):
    path = write_sample("mixed.ply", tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[:-13] + size + data[-12:])  # the size of the last face
    with pytest.raises(ShapeError, match="ends before its 2 face rows do"):
        load_shape(path)


def test_compressed_splats_are_unpacked(tmp_path):
    box = ("min_x", "min_y", "min_z", "max_x", "max_y", "max_z")
    header = ["ply", "format binary_little_endian 1.0", "element chunk 2", *(f"property float {name}" for name in box)]
    header += ["element vertex 257", "property uint packed_position", "property uint packed_color", "end_header", ""]
    packed = np.zeros((257, 2), "<u4")
    packed[1, 0], packed[2, 0], packed[3, 0] = 2047 << 21, 1023 << 11, 2047
    packed[256, 0] = 0xFFFFFFFF
    chunks = np.array([[0, 0, 0, 1, 2, 3], [5, 5, 5, 6, 7, 8]], "<f4")
    path = tmp_path / "splats.ply"
    path.write_bytes("\n".join(header).encode() + chunks.tobytes() + packed.tobytes())
    points = load_shape(path).points
    assert points[[0, 1, 2, 3, 256]].tolist() == [[0, 0, 0], [1, 0, 0], [0, 2, 0], [0, 0, 3], [6, 7, 8]]
    one = "\n".join(header).replace("chunk 2", "chunk 1").encode()
    path.write_bytes(one + chunks[:1].tobytes() + packed.tobytes())
    with pytest.raises(ShapeError, match="has 1 chunks, too few for 257 splats"):
        load_shape(path)
