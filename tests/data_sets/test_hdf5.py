import sys

import h5py
import numpy as np
import pytest

from clip2point.core.errors import DataError
from clip2point.data.hdf5 import read_hdf5
from clip2point.data.layouts import Origin

ORIGIN = Origin("Things", "things.h5", "the thing page", "Free")


def read(*paths):
    return read_hdf5(paths, 3, ORIGIN)


@pytest.fixture
def good(tmp_path, write):
    write.h5(tmp_path / "good.h5", [0, 2, 1])
    return tmp_path / "good.h5"


def rewrite(path, **arrays):
    """The file with some arrays replaced, or removed where None is given."""
    with h5py.File(path, "a") as file:
        for name, array in arrays.items():
            del file[name]
            if array is not None:
                file[name] = array
    return path


def test_clouds_are_loaded_once_and_late(good, write):
    items, labels, names = read(good)
    assert labels.tolist() == [0, 2, 1]
    assert labels.dtype == np.int64
    assert names == ("good/00000", "good/00001", "good/00002")
    assert items.load() is items.load()
    assert np.array_equal(items.read(2, "x", "y").points, write.cloud(2))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"label": [0, 1, 3]}, "has the label 3: expected 0 to 2, one for each of 3 classes"),
        ({"label": [0, -1, 2]}, "has the label -1"),
        ({"label": [0, 1]}, "has 3 clouds and 2 labels: expected the same number of each"),
        ({"label": [0.0, 1.0, 2.0]}, r"has labels \[3\] float64: expected \[N\] integers"),
        ({"label": None}, "has no array 'label' of its own"),
        ({"data": None}, "has no array 'data' of its own"),
        ({"data": np.zeros((3, 32, 2))}, r"has data \[3, 32, 2\]: expected clouds \[n, points, 3\]"),
        ({"data": np.array([b"a", b"b", b"c"])}, r"has 'data' of type \|S1: expected numbers"),
    ],
)
def test_wrong_contents(good, arrays, message):
    with pytest.raises(DataError, match=message):
        read(rewrite(good, **arrays))


def test_files_that_are_no_hdf5(good):
    good.write_bytes(good.read_bytes()[:1000])
    with pytest.raises(DataError, match=r"good\.h5: is damaged or no HDF5 file .*download it again"):
        read(good)


def test_missing_files_say_where_to_get_them(tmp_path):
    with pytest.raises(
        DataError, match=r"none\.h5: no such file; expected things\.h5\. Get Things from the thing page"
    ):
        read(tmp_path / "none.h5")


def test_parts_must_have_the_same_number_of_points(good, tmp_path, write):
    write.h5(tmp_path / "more.h5", [0], points=40)
    with pytest.raises(DataError, match="have clouds of 32 and 40 points: expected the same in all"):
        read(good, tmp_path / "more.h5")


def test_no_other_file_is_read_through_a_link(good, tmp_path, write):
    write.h5(tmp_path / "secret.h5", [0, 1, 2])
    link = rewrite(good, data=h5py.ExternalLink(str(tmp_path / "secret.h5"), "data"))
    with pytest.raises(DataError, match="has no array 'data' of its own"):
        read(link)


def test_no_other_file_is_read_through_a_virtual_array(good, tmp_path, write):
    write.h5(tmp_path / "secret.h5", [0, 1, 2])
    layout = h5py.VirtualLayout((3, 32, 3), np.float32)
    layout[:] = h5py.VirtualSource(str(tmp_path / "secret.h5"), "data", (3, 32, 3))
    with h5py.File(good, "a") as file:
        del file["data"]
        file.create_virtual_dataset("data", layout)
    with pytest.raises(DataError, match="has no array 'data' of its own"):
        read(good)


def test_a_promise_of_much_more_than_is_stored(good):
    with h5py.File(good, "a") as file:
        del file["data"]
        file.create_dataset("data", (3, 10_000_000, 3), np.float32, chunks=(1, 1000, 3))
    with pytest.raises(DataError, match="declares 360,000,000 bytes of 'data' and stores 0"):
        read(good)


def test_without_h5py_the_message_says_what_to_install(good, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(DataError, match=r"pip install 'clip2point\[data\]'"):
        read(good)
