"""VTK's XML formats."""

import itertools
from base64 import b64encode

import numpy as np
import pytest
from sample_files import CLOUD, COLORS, FACES, VERTICES
from vtk_writer import Xml

from clip2point.core.errors import ShapeError
from clip2point.shapes import load_shape

WAYS = [
    dict(zip(("form", "raw", "compressed", "order", "header"), way, strict=True))
    for way in itertools.product(("ascii", "binary", "appended"), (True, False), (True, False), "<>", "IQ")
]


def load(folder, data, name="a.vtp"):
    (folder / name).write_bytes(data)
    return load_shape(folder / name)


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_arrays_however_they_are_stored(tmp_path, way):
    mesh = load(tmp_path, Xml(**way).polygons(VERTICES, list(FACES), COLORS)).mesh
    assert np.array_equal(mesh.vertices, VERTICES)
    assert np.array_equal(mesh.faces, FACES)
    assert np.array_equal(mesh.vertex_colors, COLORS)


def test_several_pieces_and_clouds(tmp_path):
    whole = Xml().polygons(VERTICES, list(FACES)).decode()
    piece = whole[whole.index("<Piece") : whole.index("</PolyData>")]
    empty = '<Piece NumberOfPoints="0"/>'
    assert len(load(tmp_path, whole.replace(piece, piece + empty + piece).encode()).mesh.faces) == 2 * len(FACES)
    cloud = Xml().file("PolyData", f'<Piece NumberOfPoints="40"><Points>{Xml().array(CLOUD)}</Points></Piece>')
    assert np.array_equal(load(tmp_path, cloud).points, CLOUD)


def test_the_surface_of_a_grid(tmp_path):
    cells, kinds = [[0, 4, 6, 2, 1, 5, 7, 3], [0, 1]], [12, 3]
    mesh = load(tmp_path, Xml("appended").grid(VERTICES, cells, kinds), "a.vtu").mesh
    assert len(mesh.faces) == 12


def corrupt(old, new, **way):
    return Xml(**way).polygons(VERTICES, list(FACES)).replace(old, new)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (corrupt(b'NumberOfPoints="8"', b'NumberOfPoints="9"'), "declares 9 points and has 8"),
        (corrupt(b"Float32", b"Text"), "numbers of type 'Text'"),
        (corrupt(b"PolyData", b"ImageData"), "holds a ImageData: .* ParaView"),
        (corrupt(b"vtkZLib", b"vtkLZ4", form="binary", compressed=True), "compressed with vtkLZ4DataCompressor"),
        (corrupt(b'offset="0"', b'offset="99999"', form="appended"), "ends within its data"),
        (corrupt(b'offset="0"', b'offset="-5"', form="appended"), "ends within its data"),
        (corrupt(b'"binary">\n', b'"binary">\n!!!!!!!!', form="binary"), "is not base64"),
        (Xml("appended").polygons(VERTICES, list(FACES))[:-200], "ends within its data|has"),
        (Xml("binary", compressed=True).polygons(VERTICES, list(FACES))[:500], "not well-formed XML"),
        (b"<VTKFile/>", "holds a VTKFile"),
    ],
)
def test_damaged_files_are_one_line(tmp_path, data, message):
    with pytest.raises(ShapeError, match=message) as caught:
        load(tmp_path, data)
    assert "\n" not in str(caught.value)


def test_blocks_unfold_to_what_their_size_allows(tmp_path):
    writer = Xml("binary", compressed=True)
    writer.pack = lambda array: b64encode(np.array([3, 10**9, 0, 8, 8, 8], "<u4").tobytes()) + b"A" * 96
    with pytest.raises(ShapeError, match="decompression bomb"):
        load(tmp_path, writer.polygons(VERTICES, list(FACES)))


def test_headers_that_promise_too_many_blocks(tmp_path):
    writer = Xml("binary", compressed=True)
    writer.pack = lambda array: b64encode(np.array([2**31, 1, 1], "<u4").tobytes())
    with pytest.raises(ShapeError, match="declares 2,147,483,648 blocks"):
        load(tmp_path, writer.polygons(VERTICES, list(FACES)))
