"""STL, binary and text."""

import struct

import numpy as np
import pytest
from sample_files import FACES, VERTICES, write_sample

from clip2point.core.errors import ShapeError
from clip2point.shapes import load_shape


@pytest.mark.parametrize("name", ["binary.stl", "text.stl"])
def test_triangles_keep_their_own_vertices(tmp_path, name):
    mesh = load_shape(write_sample(name, tmp_path)).mesh
    np.testing.assert_array_equal(mesh.vertices[mesh.faces], VERTICES[FACES])
    assert len(mesh.vertices) == 3 * len(FACES)


def test_a_binary_file_that_begins_like_text(tmp_path):
    path = write_sample("binary.stl", tmp_path)
    data = b"solid box".ljust(80) + path.read_bytes()[80:]
    for rest in (b"", b"\0", b"\n", b"made by a program"):
        path.write_bytes(data + rest)
        assert len(load_shape(path).mesh.faces) == 12


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"short", "has 5 bytes: expected at least 84"),
        (bytes(80) + struct.pack("<I", 10**9) + bytes(50), "declares 1,000,000,000 triangles, but only 50 bytes"),
        (b"solid a\nfacet\nvertex 0 0 0\nvertex 1 0 0\n", "has no 'endsolid' at its end"),
        (b"solid a\nvertex 0 0 0\nvertex 1 0 0\nendsolid", "has 2 'vertex' lines with 6 numbers"),
        (b"solid a\nvertex 0 0 0\nvertex 1 0 0\nvertex 1 2\nendsolid", "has 3 'vertex' lines with 8 numbers"),
        (b"solid a\nvertex 0 0 0\nvertex 1 0 0\nvertex 1 2 x\nendsolid", "text where numbers were expected"),
        (b"solid a\nendsolid a\n", "has 0 points"),
        (bytes(84), "has 0 points"),
    ],
)
def test_damaged_files_are_refused(tmp_path, data, message):
    path = tmp_path / "bad.stl"
    path.write_bytes(data)
    with pytest.raises(ShapeError, match=message):
        load_shape(path)
