"""Objects of other libraries: the same shapes as their files, or one clear error."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import trimesh

from clip2point.core.errors import OptionError, ShapeError
from clip2point.shapes import as_shape
from clip2point.shapes.objects import shape_from_object
from clip2point.shapes.triangles import triangle_areas

POINTS = np.random.default_rng(0).normal(size=(50, 3))
VERTICES = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0.0]])
FACES = np.array([[0, 1, 2], [0, 2, 3]])


class Table:
    """Columns by name, as pandas and polars have them."""

    def __init__(self, **columns):
        self.columns = list(columns)
        self._columns = columns

    def __getitem__(self, name):
        return self._columns[name]


class Tensor:
    """A tensor of Open3D."""

    def __init__(self, array):
        self._array = array

    def cpu(self):
        return self

    def numpy(self):
        return self._array


@pytest.mark.parametrize(
    "thing",
    [
        trimesh.Trimesh(VERTICES, FACES, process=False),
        SimpleNamespace(vertices=VERTICES.tolist(), triangles=FACES.tolist()),  # Open3D
        SimpleNamespace(points=VERTICES, faces=np.array([3, 0, 1, 2, 3, 0, 2, 3])),  # PyVista
        SimpleNamespace(extract_surface=lambda: SimpleNamespace(points=VERTICES, faces=np.array([4, 0, 1, 2, 3]))),
        SimpleNamespace(
            vertex=SimpleNamespace(positions=Tensor(VERTICES)), triangle=SimpleNamespace(indices=Tensor(FACES))
        ),
    ],
)
def test_meshes_keep_their_faces(thing):
    mesh = as_shape(thing, "z").mesh
    assert mesh.faces.tolist() == FACES.tolist()
    np.testing.assert_array_equal(mesh.vertices, VERTICES)


@pytest.mark.parametrize(
    "thing",
    [
        POINTS.tolist(),
        torch.from_numpy(POINTS),
        torch.from_numpy(POINTS).requires_grad_(),
        trimesh.PointCloud(POINTS),
        SimpleNamespace(points=POINTS.tolist()),  # Open3D
        SimpleNamespace(point=SimpleNamespace(positions=Tensor(POINTS))),
        Tensor(POINTS),
        Table(x=POINTS[:, 0], y=POINTS[:, 1], z=POINTS[:, 2]),
    ],
)
def test_clouds_are_taken_as_they_are(thing):
    shape = as_shape(thing, "y")
    assert (shape.mesh, shape.up, shape.notes) == (None, "y", ())
    np.testing.assert_allclose(shape.points, POINTS, atol=1e-6)


def test_tensors_of_few_bits_are_taken():
    assert as_shape(torch.from_numpy(POINTS).bfloat16()).points.shape == (50, 3)
    assert as_shape(torch.from_numpy(POINTS).half()).points.shape == (50, 3)


def test_a_scene_is_joined_in_its_places():
    scene = trimesh.Scene()
    box = trimesh.creation.box()
    scene.add_geometry(box, transform=trimesh.transformations.translation_matrix([5, 0, 0]))
    scene.add_geometry(box)
    mesh = as_shape(scene).mesh
    assert np.ptp(mesh.vertices, axis=0).tolist() == [6, 1, 1]
    assert triangle_areas(mesh.vertices, mesh.faces).sum() == pytest.approx(12)


def test_columns_are_found_by_name_and_others_told():
    table = Table(intensity=POINTS[:, 0], Z=POINTS[:, 2], X=POINTS[:, 0], Y=POINTS[:, 1])
    shape = as_shape(table)
    np.testing.assert_allclose(shape.points, POINTS, atol=1e-6)
    assert shape.notes == ("columns without coordinates: left out: intensity",)
    with pytest.raises(ShapeError, match="Table: has the columns 'a', 'b': expected x, y and z among them"):
        as_shape(Table(a=POINTS[:, 0], b=POINTS[:, 1]))


def test_pandas_tables_are_taken():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(POINTS, columns=list("xyz")).assign(label="a")
    np.testing.assert_allclose(as_shape(frame).points, POINTS, atol=1e-6)


@pytest.mark.parametrize(
    ("thing", "message"),
    [
        (POINTS.T, r"array: has an array \[3, 50\], which looks transposed: expected points \[N, 3\]; give array\.T"),
        (torch.from_numpy(POINTS.T), r"Tensor: has an array \[3, 50\], which looks transposed"),
        (np.zeros((8, 1024)), "looks transposed"),
        (POINTS.T[None], r"\[1, 3, 50\] of several transposed clouds: .* array\.transpose\(0, 2, 1\)"),
        (POINTS[None], r"has an array \[1, 50, 3\]: expected points \[N, 3 or more\]"),
        ({"points": POINTS}, "dict: is no shape: expected a path, a Shape, points"),
        (None, "NoneType: is no shape"),
        (SimpleNamespace(points=VERTICES, faces=np.array([9, 0, 1])), "has faces that do not fit together"),
        (object(), "object: "),
    ],
)
def test_what_is_no_shape_is_refused_in_one_line(thing, message):
    with pytest.raises(ShapeError, match=message) as caught:
        as_shape(thing)
    assert "\n" not in str(caught.value)


def test_the_axis_is_checked():
    with pytest.raises(OptionError):
        shape_from_object(POINTS, up="w")


def test_polygons_of_vtk_keep_their_outline():
    corner = np.array([[0, 0, 0], [4, 0, 0], [4, 1, 0], [1, 1, 0], [1, 3, 0], [0, 3, 0.0]])
    mesh = as_shape(SimpleNamespace(points=corner, faces=np.array([6, 1, 2, 3, 4, 5, 0]))).mesh
    assert triangle_areas(mesh.vertices, mesh.faces).sum() == pytest.approx(6)
