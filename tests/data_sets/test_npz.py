import io
import zipfile

import numpy as np
import pytest

from clip2point.core.errors import DataError, OptionError
from clip2point.data import npz, open_dataset


@pytest.fixture
def path(tmp_path):
    return tmp_path / "set.npz"


def arrays(**changes):
    """Four clouds of two classes, with some arrays replaced, or left out where None is given."""
    points = np.random.default_rng(0).random((4, 16, 3)).astype(np.float32)
    good = {"points": points, "labels": np.array([0, 1, 1, 0], dtype=np.int16), "classes": np.array(["bed", "cup"])}
    return {name: array for name, array in {**good, **changes}.items() if array is not None}


def test_points_labels_and_classes_are_enough(path):
    np.savez(path, **arrays())
    dataset = open_dataset(f"npz:{path}")
    assert (dataset.split, dataset.up, dataset.classes) == ("all", "auto", ("bed", "cup"))
    assert dataset.names == ("000000", "000001", "000002", "000003")
    assert dataset.labels.tolist() == [0, 1, 1, 0]
    assert np.array_equal(dataset.read(2).points, arrays()["points"][2])


def test_split_names_and_up_axis_are_read(path):
    split, names = np.array(["test", "train", "test", "train"]), np.array(["a", "b", "c", "d"])
    np.savez_compressed(path, **arrays(split=split, names=names, up=np.array("z")))
    test, train = (open_dataset(f"npz:{path}", split=split) for split in (None, "train"))
    assert (test.split, test.up, test.names) == ("test", "z", ("a", "c"))
    assert train.names == ("b", "d")
    assert np.array_equal(train.read(1).points, arrays()["points"][3])
    assert test.read(0).up == "z"
    assert open_dataset(f"npz:{path}", up="x").up == "x"


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float16, np.float64, ">f4"])
def test_points_of_any_type_and_order(path, dtype, order):
    points = arrays()["points"]
    np.savez(path, **arrays(points=np.asarray(points.astype(dtype), order=order)))
    read = open_dataset(f"npz:{path}").read(1).points
    assert read.dtype == np.float32
    assert np.allclose(read, points[1], atol=1e-3)


def test_labels_that_are_names(path):
    np.savez(path, **arrays(labels=None, classes=None, label=np.array(["sofa", "chair", "sofa", "bed"])))
    dataset = open_dataset(f"npz:{path}")
    assert dataset.classes == ("bed", "chair", "sofa")
    assert dataset.labels.tolist() == [2, 1, 2, 0]
    np.savez(path, **arrays(labels=np.array(["cup", "bed", "cup", "mug"])))
    with pytest.raises(DataError, match="has the label 'mug': expected one of its 2 classes"):
        open_dataset(f"npz:{path}")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"points": None}, "has no array 'points' but classes, labels: expected 'points' "),
        ({"labels": None}, "has no array 'labels' but classes, points"),
        ({"classes": None}, "has no array 'classes': expected the names that its labels count"),
        ({"points": np.zeros((4, 16))}, r"has points \[4, 16\] float64: expected numbers \[N, P, 3\]"),
        ({"points": np.zeros((4, 0, 3))}, r"has points \[4, 0, 3\]"),
        ({"labels": np.array([0, 1])}, "has 4 clouds and 2 labels: expected the same number of each"),
        ({"labels": np.array([0, 1, 2, 0])}, "has the label 2: expected 0 to 1, one for each of 2 classes"),
        ({"labels": np.array([0, 1, -1, 0])}, "has the label -1"),
        ({"labels": np.array([0.0, 1, 1, 0])}, r"has labels \[4\] float64"),
        ({"classes": np.array(["bed", "bed"])}, "two classes have the same name"),
        ({"classes": np.array([1, 2])}, "has 'classes' .*: expected a list of texts"),
        ({"names": np.array(["a", "b"])}, r"has 'names' \[2\] <U1: expected \[4\] texts"),
        ({"names": np.array(["a", "b", "b", "c"])}, "two shapes have the name 'b'"),
        ({"split": np.array(["train", "test", "half", "test"])}, "'split' names 'half': expected 'train', 'val' and"),
        ({"up": np.array("north")}, "has 'up' 'north': expected one text of y, "),
        ({"classes": np.array(["bed", "cup"], dtype=object)}, "'classes' holds pickled Python objects"),
    ],
)
def test_wrong_contents(path, changes, message):
    np.savez(path, **arrays(**changes))
    with pytest.raises(DataError, match=message):
        open_dataset(f"npz:{path}")


def test_splits_that_an_archive_does_not_have(path):
    np.savez(path, **arrays(split=np.array(["test"] * 4)))
    with pytest.raises(OptionError, match="has no split 'train': expected one of test$"):
        open_dataset(f"npz:{path}", split="train")


def test_a_cloud_of_nan_is_broken_and_one_with_a_few_is_read_with_a_word(path):
    points = arrays()["points"]
    points[0, 3, 0] = np.nan
    points[1] = np.nan
    np.savez(path, **arrays(points=points))
    dataset = open_dataset(f"npz:{path}")
    assert len(dataset.sample(0)) == 1024
    assert np.isfinite(dataset.sample(0)).all()
    assert dataset.read(0).notes == ("1 of 16 points have NaN or infinite coordinates: left out",)
    with pytest.raises(Exception, match="000001"):
        dataset.read(1)


def with_member(path, name, data):
    """The archive with the bytes of one array replaced."""
    np.savez(path, **arrays(**{name: None}))
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{name}.npy", data)


def header(shape, dtype="<f4"):
    """The beginning of an .npy file, whatever it promises."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": dtype, "fortran_order": False, "shape": shape})
    return stream.getvalue()


def test_a_header_that_promises_more_than_there_is(path):
    with_member(path, "points", header((4, 10**9, 3)) + bytes(48))
    with pytest.raises(DataError, match=r"'points' declares \[4, 1000000000, 3\] float32 and has 48 bytes"):
        open_dataset(f"npz:{path}")


def test_zip_bombs(path, monkeypatch):
    monkeypatch.setattr(npz, "_FREE_BYTES", 1000)
    with_member(path, "points", header((4, 100_000, 3)) + bytes(4_800_000))
    with pytest.raises(DataError, match=r"'points' decompresses from .* to 4,800,000 bytes: .* no zip bomb"):
        open_dataset(f"npz:{path}")


def test_damaged_archives_are_refused(path):
    with pytest.raises(DataError, match=r"set\.npz: no such file: expected an \.npz archive"):
        open_dataset(f"npz:{path}")
    path.write_bytes(b"PK\3\4 and no more")
    with pytest.raises(DataError, match="is not a whole NPZ archive"):
        open_dataset(f"npz:{path}")
    with_member(path, "points", b"no array")
    with pytest.raises(DataError, match="the array 'points' is damaged"):
        open_dataset(f"npz:{path}")


def test_an_archive_that_is_damaged_inside(path):
    np.savez(path, **arrays())
    data = bytearray(path.read_bytes())
    middle = data.index(arrays()["points"].tobytes()) + 100
    data[middle : middle + 4] = b"\0\0\0\0"
    path.write_bytes(data)
    # A small array is found out when its header is read, a large one only with its last bytes.
    with pytest.raises(DataError, match="the array 'points' is damaged .*: save it again"):
        open_dataset(f"npz:{path}").read(0)
