"""OBJ with MTL: every way to write faces, materials, textures, seams."""

import numpy as np
import pytest
from PIL import Image
from sample_files import FACES, TEXTURE, UV, VERTICES, box, box_with_texture, write_sample

from clip2point.core.errors import ShapeError
from clip2point.shapes import load_shape

SQUARE = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0.5\nvt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\nvn 0 0 1\n"


def load(tmp_path, text):
    path = tmp_path / "shape.obj"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_shape(path)


def test_textures_and_materials_are_read(tmp_path):
    mesh = load_shape(write_sample("box.obj", tmp_path)).mesh
    np.testing.assert_array_equal(mesh.vertices[mesh.faces], VERTICES[FACES])
    np.testing.assert_array_equal(mesh.uv[mesh.faces], UV[FACES])
    painted, red = (mesh.materials[i] for i in mesh.face_materials[[0, 11]])
    np.testing.assert_array_equal(painted.texture, TEXTURE)
    assert (red.color, red.texture) == ((1, 0, 0, 0.5), None)
    assert [mesh.materials[i] for i in mesh.face_materials] == [painted] * 8 + [red] * 4


def test_files_of_trimesh_are_read(tmp_path):
    mesh = load(tmp_path, box().export(file_type="obj")).mesh
    np.testing.assert_array_equal(mesh.vertices, VERTICES)
    np.testing.assert_array_equal(mesh.faces, FACES)
    (tmp_path / "whole").mkdir()
    box_with_texture().export(tmp_path / "whole/box.obj")
    mesh = load_shape(tmp_path / "whole/box.obj").mesh
    np.testing.assert_allclose(mesh.uv[mesh.faces], UV[FACES], atol=1e-6)
    np.testing.assert_array_equal(mesh.materials[mesh.face_materials[0]].texture, TEXTURE)


def test_textures_of_shapenet_are_found_beside_the_models_folder(tmp_path):
    for name in ("images", "models"):
        (tmp_path / name).mkdir()
    path = write_sample("box.obj", tmp_path / "models")
    (tmp_path / "models/skin.png").rename(tmp_path / "images/skin.png")
    mtl = tmp_path / "models/box.mtl"
    mtl.write_text(mtl.read_text().replace("skin.png", "../images/skin.png"))
    np.testing.assert_array_equal(load_shape(path).mesh.materials[1].texture, TEXTURE)


@pytest.mark.parametrize("lost", ["skin.png", "box.mtl"])
def test_a_lost_texture_or_library_leaves_the_geometry(tmp_path, lost):
    path = write_sample("box.obj", tmp_path)
    (tmp_path / lost).unlink()
    mesh = load_shape(path).mesh
    np.testing.assert_array_equal(mesh.vertices, VERTICES)
    assert mesh.uv is None
    assert mesh.materials[mesh.face_materials[0]].color == ((1, 1, 1, 1) if lost == "skin.png" else (0.7, 0.7, 0.7, 1))


@pytest.mark.parametrize(
    "faces",
    [
        "f 1 2 3\nf 1 3 4",
        "f 1 2 3 4",
        "f 1/1 2/2 3/3 4/4",
        "f 1//1 2//1 3//1 4//1",
        "f 1/1/1 2/2/1 3/3/1 4/4/1",
        "f 1/ 2/ 3/ 4/",
        "f 1/1 2 3//1 4/4/1",
        "f 1//1 2//1 3//1\nf 1/1/1 3/3/1 4/4/1",
        "f -4 -3 -2 -1",
        "f -4/-4/-1 -3/-3/-1 -2/-2/-1\nv 9 9 9\nf -5/1 -3/3 -2/4",
        "\tf  1\t2 3 4  # a square",
        "f 1 2 \\\n3 4",
        "g part\ns off\no thing\nl 1 2\np 1\nf 1 2 3 4\nf 1 2",
    ],
)
def test_ways_to_write_a_square(tmp_path, faces):
    mesh = load(tmp_path, f"# square\n{SQUARE}{faces}\n").mesh
    assert mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3]]


def test_a_corner_without_texture_number_has_none(tmp_path):
    Image.fromarray(TEXTURE).save(tmp_path / "a.png")
    (tmp_path / "m.mtl").write_text("newmtl a\nmap_Kd a.png")
    mesh = load(tmp_path, "mtllib m.mtl\nusemtl a\n" + SQUARE + "f 1/3 2/9 3 4/-1\n").mesh
    np.testing.assert_array_equal(mesh.uv[mesh.faces[1]], [[1, 1], [0, 0], [0, 1]])


def test_seams_split_vertices_and_keep_their_colors(tmp_path):
    Image.fromarray(TEXTURE).save(tmp_path / "a.png")
    (tmp_path / "m.mtl").write_text("newmtl a\nmap_Kd a.png")
    square = SQUARE.replace("v 1 0 0\n", "v 1 0 0 1 0 0\n").replace("v 0 0 0\n", "v 0 0 0 0 1 0\n")
    square = square.replace("v 1 1 0\n", "v 1 1 0 0 0 1\n").replace("v 0 1 0.5\n", "v 0 1 0.5 1 1 1\n")
    mesh = load(tmp_path, "mtllib m.mtl\nusemtl a\n" + square + "f 1/1 2/2 3/3\nf 1/2 3/3 4/4\n").mesh
    assert len(mesh.vertices) == 5
    assert mesh.uv[mesh.faces].tolist() == [[[0, 0], [1, 0], [1, 1]], [[1, 0], [1, 1], [0, 1]]]
    assert mesh.vertex_colors[mesh.faces[0]].tolist() == [[0, 255, 0], [255, 0, 0], [0, 0, 255]]


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("map_Kd a.png", "a.png"),
        ("map_kd -s 1 1 1 -o 0.5 0 0 -clamp on my texture.png", "my texture.png"),
        ("\tmap_Kd -mm 0 1 -bm 2 sub\\a.png ", "sub/a.png"),
        ("map_Kd -s 2 3d.png", "3d.png"),
    ],
)
def test_names_of_textures_may_have_blanks_and_options(tmp_path, line, name):
    (tmp_path / "sub").mkdir()
    Image.fromarray(TEXTURE).save(tmp_path / name)
    (tmp_path / "m.mtl").write_text(f"newmtl a#1 b\nKd 0 0 0\n{line}\n")
    mesh = load(tmp_path, "mtllib none.mtl\nmtllib m.mtl\nusemtl a#1 b\n" + SQUARE + "f 1/1 2/2 3/3\n").mesh
    material = mesh.materials[mesh.face_materials[0]]
    np.testing.assert_array_equal(material.texture, TEXTURE)
    assert material.color == (1, 1, 1, 1)  # black would hide the texture


def test_colors_and_transparency_of_materials_are_read(tmp_path):
    (tmp_path / "m.mtl").write_text(
        "newmtl a\nKd 0.5 2 -1\nTr 0.25\nnewmtl b\nKd nan 0 0\nd x\nnewmtl c\nKd 0 0 0\nd 0.5\n"
    )
    mesh = load(tmp_path, "mtllib m.mtl\n" + SQUARE + "".join(f"usemtl {m}\nf 1 2 3\n" for m in "abcd")).mesh
    colors = [mesh.materials[i].color for i in mesh.face_materials]
    assert colors == [(0.5, 1, 0, 0.75), (1, 1, 1, 1), (0, 0, 0, 0.5), (0.7, 0.7, 0.7, 1)]


def test_vertices_alone_are_a_cloud(tmp_path):
    assert load(tmp_path, "v 0 0 0\nv 1 1 1 1\n").mesh is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Dear reader\n", r"has no vertices \('v x y z' lines\)"),
        ("<!DOCTYPE html><html></html>", "is a web page, not a shape: the download went wrong"),
        ("v 0 0\nv 1 1 1\n", "has a line with fewer than 3 numbers"),
        ("v 0 0 x\nv 1 1 1\n", "has text where numbers were expected"),
        ("v 0 0 nan\nv 1 1 1\n", "has NaN or infinite coordinates in 1 of 2 points"),
        (SQUARE + "f 1 2 5\n", "has a face that names vertices which do not exist"),
        (SQUARE + "f 0 1 2\n", "has a face that names vertices which do not exist"),
        (SQUARE + "f -9 1 2\n", "has a face that names vertices which do not exist"),
        (SQUARE + "f a b c\n", "has text where integers were expected"),
        (SQUARE + "f 1/x 2 3\n", "has a face whose corners are not numbers"),
        (SQUARE + "f 1/ 2 99999999999999999999\n", "has a face whose corners are not numbers"),
    ],
)
def test_damaged_files_are_refused(tmp_path, text, message):
    with pytest.raises(ShapeError, match=message):
        load(tmp_path, text)


@pytest.mark.parametrize("name", ["a.png", "../maps/a.png", r"..\\maps\\a.png"])
def test_textures_lie_beside_their_library_or_beside_the_file(tmp_path, name):
    for folder in ("mtl", "maps"):
        (tmp_path / folder).mkdir()
    place = tmp_path / "maps" if "maps" in name else tmp_path / "mtl"
    Image.fromarray(TEXTURE).save(place / "a.png")
    (tmp_path / "mtl" / "m.mtl").write_text(f"newmtl a\nmap_Kd {name}\n")
    text = "mtllib mtl/m.mtl\nusemtl a\n" + SQUARE + "f 1/1 2/2 3/3\n"
    np.testing.assert_array_equal(load(tmp_path, text).mesh.materials[-1].texture, TEXTURE)
    (place / "a.png").rename(tmp_path / "a.png")
    (tmp_path / "mtl" / "m.mtl").write_text("newmtl a\nmap_Kd a.png\n")
    np.testing.assert_array_equal(load(tmp_path, text).mesh.materials[-1].texture, TEXTURE)


def test_one_line_may_name_several_libraries(tmp_path):
    (tmp_path / "a.mtl").write_text("newmtl a\nKd 1 0 0\n")
    (tmp_path / "b.mtl").write_text("newmtl b\nKd 0 1 0\n")
    mesh = load(tmp_path, "mtllib a.mtl b.mtl\n" + SQUARE + "usemtl a\nf 1 2 3\nusemtl b\nf 1 3 4\n").mesh
    assert [mesh.materials[i].color[:3] for i in mesh.face_materials] == [(1, 0, 0), (0, 1, 0)]


def test_a_mesh_that_meshlab_wrote_is_visible(tmp_path):
    (tmp_path / "m.mtl").write_text("newmtl m\nKd 0.8 0.1 0.1\nTr 1.000000\n")
    shape = load(tmp_path, "mtllib m.mtl\nusemtl m\n" + SQUARE + "f 1 2 3 4\n")
    assert shape.mesh.materials[-1].color == (0.8, 0.1, 0.1, 1.0)
    assert shape.notes == ("all materials are fully transparent: shown opaque",)
