"""Data sets of one's own in HDF5 and pickles."""

import pickle

import numpy as np
import pytest

from clip2point.core.errors import DataError
from clip2point.data import open_dataset

POINTS = np.random.default_rng(0).random((4, 16, 6)).astype(np.float32)
LABELS = [0, 1, 1, 0]


def write_h5(path, **arrays):
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array


def check(dataset):
    assert (dataset.split, dataset.up, dataset.classes) == ("all", "auto", ("bed", "cup"))
    assert dataset.labels.tolist() == LABELS
    assert np.array_equal(dataset.read(2).points, POINTS[2, :, :3])


@pytest.mark.parametrize("names", [("data", "label"), ("points", "labels"), ("xyz", "y")])
def test_h5_with_names_of_its_own(tmp_path, names):
    path = tmp_path / "own.h5"
    write_h5(path, **dict(zip(names, (POINTS, np.array(LABELS)[:, None]), strict=True)), classes=[b"bed", b"cup"])
    check(open_dataset(f"h5:{path}"))


@pytest.mark.parametrize("name", ["classes.txt", "own.txt", "shape_names.txt", "modelnet_shape_names.txt"])
def test_class_names_beside_the_file(tmp_path, name):
    (tmp_path / name).write_text("bed\ncup\n")
    write_h5(tmp_path / "own.h5", data=POINTS, label=LABELS)
    check(open_dataset(f"h5:{tmp_path / 'own.h5'}"))


def test_point_bert(tmp_path):
    path = tmp_path / "own.dat"
    path.write_bytes(pickle.dumps([list(POINTS), [np.array([label]) for label in LABELS]]))
    (tmp_path / "classes.txt").write_text("bed\ncup\n")
    check(open_dataset(f"pickle:{path}"))
    other = path.rename(tmp_path / "modelnet40_test_8192pts_fps.dat")
    (tmp_path / "classes.txt").unlink()
    assert open_dataset(f"pickle:{other}").classes[:2] == ("airplane", "bathtub")


def test_mistakes_are_told(tmp_path):
    path = tmp_path / "own.h5"
    for arrays, message in (
        ({"data": POINTS, "label": LABELS}, "labels from 0 to 1 and no names for them: expected .*classes.txt"),
        ({"data": POINTS}, "has no labels but data"),
        ({"a": POINTS, "label": LABELS}, "has no clouds but a, label"),
        ({"data": POINTS.transpose(0, 2, 1), "label": LABELS}, r"has clouds \[4, 6, 16\], which look transposed"),
        ({"data": POINTS[0], "label": LABELS}, r"has clouds \[16, 6\]"),
        ({"data": POINTS, "label": LABELS[1:]}, "has 4 clouds and 3 labels"),
    ):
        write_h5(path, **arrays)
        with pytest.raises(DataError, match=message):
            open_dataset(f"h5:{path}")
    (tmp_path / "own.dat").write_bytes(pickle.dumps(print))
    with pytest.raises(DataError, match=r"own.dat: .*holds builtins.print"):
        open_dataset(f"pickle:{tmp_path / 'own.dat'}")
    for kind in ("h5", "pickle"):
        with pytest.raises(DataError, match="no such file"):
            open_dataset(f"{kind}:{tmp_path / 'missing'}")
