"""Pickles of arrays."""

import collections
import pickle

import numpy as np
import pytest
from sample_files import CLOUD

from clip2point.core.errors import ShapeError
from clip2point.shapes import find_shapes, load_shape
from clip2point.shapes.formats.pickles import read_arrays

SET = [[np.hstack([CLOUD, CLOUD]) + i for i in range(3)], [np.array([2], np.int32), np.array([0]), np.array([1])]]


def load(folder, content, protocol=4, name="cloud.dat"):
    (folder / name).write_bytes(content if isinstance(content, bytes) else pickle.dumps(content, protocol))
    return load_shape(folder / name)


@pytest.mark.parametrize(
    "content",
    [
        CLOUD, np.asfortranarray(CLOUD), CLOUD.astype(">f4"), [CLOUD, 3], (CLOUD, np.int64(3)),
        [[CLOUD], [np.array([3])]],
        {"points": CLOUD, "label": "chair", "rgb": CLOUD}, {"x": CLOUD[:, 0], "y": CLOUD[:, 1], "z": CLOUD[:, 2]},
    ],
)  # fmt: skip
def test_a_cloud(tmp_path, content):
    assert np.array_equal(load(tmp_path, content).points, CLOUD)


@pytest.mark.parametrize("protocol", [2, 3, 5])
def test_protocols(tmp_path, protocol):
    content = [CLOUD, np.asfortranarray(CLOUD)[:, :2], np.float32(3)]
    assert np.array_equal(load(tmp_path, content, protocol).points, CLOUD)


def test_names_of_older_numpy(tmp_path):
    new = pickle.dumps(CLOUD, 2)
    old = new.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    assert old != new
    assert np.array_equal(load(tmp_path, old, name="cloud.pkl").points, CLOUD)


def test_a_data_set_is_refused_with_the_way_out(tmp_path):
    with pytest.raises(ShapeError, match="holds 3 clouds: expected one shape a file; evaluate .* pickle:FILE"):
        load(tmp_path, SET)


def test_the_data_set_of_point_bert():
    arrays = read_arrays(pickle.dumps(SET, 4), one=False)
    assert np.array_equal(arrays["points"], np.stack(SET[0]))
    assert arrays["labels"].tolist() == [2, 0, 1]
    named = {"points": np.stack(SET[0]), "labels": [2, 0, 1]}
    assert read_arrays(pickle.dumps(named, 5), one=False)["labels"].tolist() == [2, 0, 1]
    for wrong in (CLOUD, [[CLOUD, CLOUD[1:]], [0, 1]], [[CLOUD, CLOUD], [0]], {"a": 1}):
        with pytest.raises(ShapeError, match="holds no data set|needs"):
            read_arrays(pickle.dumps(wrong), one=False)


class Runs:
    def __reduce__(self):
        return print, ("this runs",)


def lie(shape):
    """A pickle of an array that has fewer bytes than its shape says."""
    return pickle.dumps(CLOUD, 2).replace(b"K(K\x03\x86", b"J\xff\xff\xff\x7fK\x03\x86") if shape else b""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (Runs(), r"damaged, or no pickle of NumPy arrays \(holds builtins.print"),
        (collections.deque([CLOUD]), "holds collections.deque"),
        (np.array([print], dtype=object), "holds an array of type|holds builtins"),
        (np.zeros(3, dtype=[("x", "f4"), ("y", "f4"), ("z", "f4")]), "holds an array of type"),
        (np.zeros((10, 3), "M8[s]"), "holds an array of type"),
        ([1, 2, 3], "0 arrays that could be points"),
        (b"some bytes", "is no pickle"),
        (pickle.dumps(CLOUD, 4)[:-40], "damaged"),
        (lie(True), "cannot be decoded|damaged"),
        (b"\x80\x02r\xff\xff\xff\x7f.", "damaged|GiB|decoded"),  # a memo of two billion places
        (b"\x80\x04\x8e" + b"\xff" * 7 + b"\x0f.", "damaged|GiB|decoded"),  # bytes of an exabyte
        (b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".", "damaged|decoded|could be points"),
    ],
)
def test_nothing_runs_and_damage_is_one_line(tmp_path, capfd, content, message):
    with pytest.raises(ShapeError, match=message) as caught:
        load(tmp_path, content)
    assert "\n" not in str(caught.value)
    assert "this runs" not in capfd.readouterr().out


def test_folders_pass_over_other_files_that_end_so(tmp_path):
    (tmp_path / "notes.dat").write_text("some words")
    (tmp_path / "words.pkl").write_bytes(pickle.dumps(["some", "words"]))
    load(tmp_path, CLOUD)
    assert [path.name for path in find_shapes(tmp_path)] == ["cloud.dat"]
