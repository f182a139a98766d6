"""3DS."""

import struct

import numpy as np
import pytest
from PIL import Image
from sample_files import FACES, TEXTURE, UV, VERTICES

from clip2point.core.errors import ShapeError
from clip2point.shapes import load_shape
from clip2point.shapes.triangles import triangle_areas

AREA = 2 * (1 * 2.25 + 1 * 3.5 + 2.25 * 3.5)


def chunk(kind, *parts):
    body = b"".join(parts)
    return struct.pack("<HI", kind, 6 + len(body)) + body


def rows(array, kind):
    return struct.pack("<H", len(array)) + np.asarray(array).astype(kind).tobytes()


def mesh(name="box", vertices=VERTICES, faces=FACES, more=b"", uv=None):
    corners = np.hstack([faces, np.full((len(faces), 1), 7)])
    parts = [chunk(0x4110, rows(vertices, "<f4")), chunk(0x4120, rows(corners, "<u2"), more)]
    parts += [] if uv is None else [chunk(0x4140, rows(uv, "<f4"))]
    return chunk(0x4000, name.encode() + b"\0", chunk(0x4100, *parts))


def material(name, color=b"\xff\0\0", *more):
    return chunk(0xAFFF, chunk(0xA000, name + b"\0"), chunk(0xA020, chunk(0x0011, color)), *more)


def scene(*parts):
    return chunk(0x4D4D, chunk(0x0002, b"\3\0\0\0"), chunk(0x3D3D, *parts), chunk(0xB000, b"keyframes"))


def load(folder, data):
    (folder / "a.3ds").write_bytes(data)
    return load_shape(folder / "a.3ds")


def test_meshes_are_where_the_file_has_them(tmp_path):
    shape = load(tmp_path, scene(mesh(), mesh("other", VERTICES + 10)))
    assert np.array_equal(shape.mesh.vertices, np.concatenate([VERTICES, VERTICES + 10]))
    assert np.array_equal(shape.mesh.faces, np.concatenate([FACES, FACES + 8]))
    assert shape.up == "z"


def test_materials_and_textures(tmp_path):
    Image.fromarray(TEXTURE).save(tmp_path / "SKIN.PNG")
    painted = material(b"painted", b"\xff\xff\xff", chunk(0xA200, chunk(0xA300, b"SKIN.PNG\0")))
    glass = material(b"glass", b"\0\0\xff", chunk(0xA050, chunk(0x0030, struct.pack("<h", 75))))
    groups = [
        chunk(0x4130, b"painted\0", rows(np.arange(6), "<u2")),
        chunk(0x4130, b"glass\0", rows(np.arange(6, 9), "<u2")),
    ]
    loaded = load(tmp_path, scene(painted, glass, mesh(more=b"".join(groups), uv=UV))).mesh
    assert loaded.face_materials.tolist() == [1] * 6 + [2] * 3 + [0] * 3
    assert np.array_equal(loaded.materials[1].texture, TEXTURE)
    assert loaded.materials[2].color == (0, 0, 1, 0.25)
    np.testing.assert_allclose(loaded.uv, UV)


def test_bodies_for_collision_are_left_out(tmp_path):
    shape = load(tmp_path, scene(mesh(), mesh("UCX_box")))
    assert triangle_areas(shape.mesh.vertices, shape.mesh.faces).sum() == pytest.approx(AREA)
    assert shape.notes == ("1 part for collision ('UCX_box'), which engines do not draw: left out",)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"some words", "is no 3DS file"),
        (b"MM", "is no 3DS file"),
        (scene(mesh())[:-40], "ends behind its file"),
        (scene(mesh())[:100], "ends behind its file"),
        (scene(mesh()).replace(rows(VERTICES, "<f4"), b"\xff\xff" + rows(VERTICES, "<f4")[2:]), "declares 65,535 rows"),
        (scene(mesh(faces=FACES + 5)), "do not exist"),
        (scene(), "holds no triangles"),
        (scene(chunk(0x4000, b"box\0", chunk(0x4100, chunk(0x4110, b"")))), "without its count"),
    ],
)
def test_damaged_files_are_one_line(tmp_path, data, message):
    with pytest.raises(ShapeError, match=message):
        load(tmp_path, data)
