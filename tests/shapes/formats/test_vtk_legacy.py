"""VTK's legacy format."""

import contextlib

import numpy as np
import pytest
from sample_files import CLOUD, FACES, VERTICES
from vtk_writer import legacy

from clip2point.core.errors import ShapeError
from clip2point.shapes import load_shape
from clip2point.shapes.triangles import triangle_areas

QUADS = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])
AREA = 2 * (1 * 2.25 + 1 * 3.5 + 2.25 * 3.5)


def load(folder, data):
    (folder / "a.vtk").write_bytes(data)
    return load_shape(folder / "a.vtk")


def area(shape):
    return triangle_areas(shape.mesh.vertices, shape.mesh.faces).sum()


def sized(cells):
    return np.concatenate([[len(cell), *cell] for cell in cells]).astype("i4")


POINTS = ("POINTS 8 float", VERTICES)
AFTER = ("POINT_DATA 8", "SCALARS temperature float 1", "LOOKUP_TABLE default", np.arange(8, dtype="f4"))


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("doubles", [False, True])
def test_polygons(tmp_path, binary, doubles):
    points = ("POINTS 8 double", VERTICES.astype("f8")) if doubles else POINTS
    shape = load(tmp_path, legacy(b"POLYDATA", [points, ("POLYGONS 6 30", sized(QUADS)), AFTER], binary))
    assert np.array_equal(shape.mesh.vertices, VERTICES)
    assert area(shape) == pytest.approx(AREA)


@pytest.mark.parametrize("binary", [False, True])
def test_version_5_fields_and_metadata(tmp_path, binary):
    ends = np.arange(0, 37, 3)
    cells = ("POLYGONS 13 36", "OFFSETS vtktypeint64", ends, "CONNECTIVITY vtktypeint64", FACES.ravel())
    field = ("FIELD FieldData 1", "TimeValue 1 1 double", np.array([0.5]))
    metadata = ("METADATA", "INFORMATION 1", "NAME L2_NORM_RANGE LOCATION vtkDataArray", "DATA 2 0 1", "")
    shape = load(tmp_path, legacy(b"POLYDATA", [field, POINTS, metadata, cells], binary))
    assert shape.mesh.faces.tolist() == FACES.tolist()


def test_strips_mixed_polygons_and_carriage_returns(tmp_path):
    triangles = [("POLYGONS 2 9", sized([[0, 1, 3, 2], [4, 6, 7]])), ("TRIANGLE_STRIPS 1 5", sized([[2, 3, 6, 7]]))]
    data = legacy(b"POLYDATA", [POINTS, *triangles])
    assert len(load(tmp_path, data).mesh.faces) == 5
    assert len(load(tmp_path, data.replace(b"\n", b"\r\n")).mesh.faces) == 5


def test_the_surface_of_a_grid(tmp_path):
    hexahedron = [0, 4, 6, 2, 1, 5, 7, 3]
    sections = [POINTS, ("CELLS 1 9", sized([hexahedron])), ("CELL_TYPES 1", np.array([12], "i4")), AFTER]
    for binary in (False, True):
        assert area(load(tmp_path, legacy(b"UNSTRUCTURED_GRID", sections, binary))) == pytest.approx(AREA)


def test_points_and_lines_are_clouds(tmp_path):
    points = (f"POINTS {len(CLOUD)} float", CLOUD)
    for cells, note in (
        ((), ()),
        ((f"VERTICES 1 {len(CLOUD) + 1}", sized([range(len(CLOUD))])), ()),
        (("LINES 1 3", sized([[0, 1]])), ("has lines and no polygons: read as the cloud of its points",)),
    ):
        shape = load(tmp_path, legacy(b"POLYDATA", [points, cells] if cells else [points], True))
        assert shape.mesh is None
        assert np.array_equal(shape.points, CLOUD)
        assert shape.notes == note


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ([("POINTS 8000000000 float", VERTICES)], "declares 24,000,000,000 numbers"),
        ([("POINTS 9 float", VERTICES)], "declares 27 numbers|24 numbers where 27 are declared"),
        ([POINTS, ("POLYGONS 6 31", sized(QUADS))], "declare|do not fit"),
        ([POINTS, ("POLYGONS 7 30", sized(QUADS))], "end too early"),
        ([POINTS, ("POLYGONS 5 30", sized(QUADS))], "do not fit"),
        ([POINTS, ("POLYGONS 1 4", sized([[0, 1, 8]]))], "points that do not exist: expected 0 to 7"),
        ([POINTS, ("POLYGONS 1 4", np.array([-3, 1, 2, 3], "i4"))], "end too early"),
        ([("POINTS 8 quaternion", VERTICES)], "type 'quaternion'"),
        ([("POLYGONS 6 30", sized(QUADS))], "no POINTS"),
        ([POINTS, ("NONSENSE 1",)], "section 'NONSENSE'"),
    ],
)
@pytest.mark.parametrize("binary", [False, True])
def test_damaged_files_are_one_line(tmp_path, sections, message, binary):
    with pytest.raises(ShapeError, match=message):
        load(tmp_path, legacy(b"POLYDATA", sections, binary))


@pytest.mark.parametrize("binary", [False, True])
def test_files_that_are_cut_off(tmp_path, binary):
    whole = legacy(b"POLYDATA", [POINTS, ("POLYGONS 6 30", sized(QUADS))], binary)
    for size in range(40, len(whole) - 3, 17):
        if size < whole.index(b"POLYGONS"):
            with contextlib.suppress(ShapeError):
                assert load(tmp_path, whole[:size]).mesh is None
        else:
            with pytest.raises(ShapeError, match="^[^\n]*$"):
                load(tmp_path, whole[:size])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"solid", "is no legacy VTK file"),
        (legacy(b"STRUCTURED_POINTS", []), "holds a STRUCTURED_POINTS: .* ParaView"),
        (legacy(b"UNSTRUCTURED_GRID", [POINTS, ("CELLS 1 5", sized([[0, 1, 2, 3]]))]), "no CELL_TYPES"),
    ],
)
def test_other_files_are_refused(tmp_path, data, message):
    with pytest.raises(ShapeError, match=message):
        load(tmp_path, data)
