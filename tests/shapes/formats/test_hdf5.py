"""HDF5 of one shape."""

import numpy as np
import pytest
from sample_files import CLOUD, FACES, VERTICES

from clip2point.core import native
from clip2point.core.errors import ShapeError
from clip2point.shapes import find_shapes, load_shape

h5py = pytest.importorskip("h5py")


def load(folder, name="shape.h5", **arrays):
    with h5py.File(folder / name, "w") as file:
        for place, array in arrays.items():
            file.create_dataset(place.replace("__", "/"), data=array, compression="gzip" if np.ndim(array) else None)
    return load_shape(folder / name)


@pytest.mark.parametrize(
    "arrays",
    [
        {"data": CLOUD, "label": 3},
        {"points": np.hstack([CLOUD, CLOUD]), "label": np.zeros(40)},
        {"xyz": CLOUD, "rgb": CLOUD},
        {"anything": CLOUD.astype("f8"), "colors": CLOUD},
        {"data": CLOUD[None], "label": [3]},
        {"scan__first__points": CLOUD},
        {"x": CLOUD[:, 0], "y": CLOUD[:, 1], "z": CLOUD[:, 2]},
    ],
)
def test_a_cloud(tmp_path, arrays):
    shape = load(tmp_path, **arrays)
    assert shape.mesh is None
    assert np.array_equal(shape.points, CLOUD)


def test_a_mesh(tmp_path):
    mesh = load(tmp_path, name="box.hdf5", vertices=VERTICES, faces=FACES).mesh
    assert np.array_equal(mesh.vertices, VERTICES)
    assert np.array_equal(mesh.faces, FACES)


def test_several_clouds_are_a_data_set(tmp_path):
    with pytest.raises(ShapeError, match=r"holds 2 clouds, 'data' \[2, 40, 3\]: expected one shape a file; .*h5:FILE"):
        load(tmp_path, data=np.stack([CLOUD, CLOUD]), label=[0, 1])


def test_transposed_arrays_are_refused(tmp_path):
    for cloud in (CLOUD.T, CLOUD.T[None]):
        with pytest.raises(ShapeError, match=r"has an array \[3, 40\], which looks transposed"):
            load(tmp_path, points=cloud)


def test_arrays_that_could_all_be_points_are_refused(tmp_path):
    with pytest.raises(ShapeError, match=r"has 2 arrays that could be points \(a \[40, 3\], b \[40, 3\]\)"):
        load(tmp_path, a=CLOUD, b=CLOUD)


def test_other_files_and_links_are_not_followed(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["points"] = CLOUD
    with h5py.File(tmp_path / "link.h5", "w") as file:
        file["points"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/points")
    with pytest.raises(ShapeError, match="has 0 arrays that could be points"):
        load_shape(tmp_path / "link.h5")


def test_an_array_that_is_not_there_takes_no_memory(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("points", (40_000_000, 3), "f8", chunks=True)
    with pytest.raises(ShapeError, match="declares 960,000,000 bytes of 'points'"):
        load_shape(tmp_path / "a.h5")


def test_damaged_files_and_a_missing_package(tmp_path, monkeypatch):
    load(tmp_path, points=CLOUD)
    path = tmp_path / "shape.h5"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ShapeError, match="damaged"):
        load_shape(path)
    path.write_bytes(b"no HDF5")
    with pytest.raises(ShapeError, match="is no HDF5 file"):
        load_shape(path)
    assert find_shapes(tmp_path) == []
    path.write_bytes(whole)
    assert find_shapes(tmp_path) == [path]
    monkeypatch.setattr(native, "find_spec", lambda module: None)
    with pytest.raises(ShapeError, match=r"reading HDF5 needs h5py: run pip install 'clip2point\[formats\]'"):
        load_shape(path)
