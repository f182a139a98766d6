import os

import numpy as np
import pytest

from clip2point.core.errors import ShapeError
from clip2point.data import open_dataset


@pytest.fixture
def root(tmp_path, write):
    for seed in range(6):
        write.off(tmp_path / "set" / ("bed" if seed % 2 else "cup") / f"{seed}.off", seed)
    return tmp_path / "set"


def test_iterating_gives_points_labels_and_names(root):
    dataset = open_dataset(f"folder:{root}")
    items = list(dataset)
    assert len(items) == len(dataset) == 6
    points, label, name = items[3]
    assert (points.shape, points.dtype) == ((1024, 3), np.float32)
    assert type(label) is int
    assert (dataset.classes[label], name) == ("cup", "cup/0.off")
    assert np.array_equal(points, dataset.sample(3, 1024, seed=0))


def test_a_shape_has_the_same_points_in_every_subset(root):
    whole, some = open_dataset(f"folder:{root}"), open_dataset(f"folder:{root}", limit=2)
    assert some.names[1] == whole.names[3]
    assert np.array_equal(some.sample(1, 50, 7), whole.sample(3, 50, 7))
    assert not np.array_equal(some.sample(1, 50, 7), some.sample(1, 50, 8))


def test_the_frame_of_the_file_is_kept(root, write):
    shape = open_dataset(f"folder:{root}", up="z").read(0)
    assert shape.up == "z"
    assert np.allclose(shape.points, write.cloud(1, 4), atol=1e-5)


def test_a_broken_file_is_named(root):
    (root / "cup" / "0.off").write_text("OFF\n")
    dataset = open_dataset(f"folder:{root}")
    with pytest.raises(ShapeError, match=r"cup/0\.off"):
        dataset.read(3)


def test_the_fingerprint_is_the_same_until_a_file_changes(root):
    before = open_dataset(f"folder:{root}").fingerprint
    assert open_dataset(f"folder:{root}").fingerprint == before
    assert open_dataset(f"folder:{root}", up="z").fingerprint == before
    file = root / "cup" / "2.off"
    os.utime(file, ns=(0, 0))
    assert open_dataset(f"folder:{root}").fingerprint == before
    file.write_text(file.read_text() + "\n")
    changed = open_dataset(f"folder:{root}").fingerprint
    assert changed != before
    file.rename(root / "bed" / "2.off")
    assert open_dataset(f"folder:{root}").fingerprint not in (before, changed)


def test_the_fingerprint_of_an_archive_is_that_of_its_content(tmp_path):
    path = tmp_path / "set.npz"
    points = np.random.default_rng(0).random((3, 8, 3))

    def fingerprint():
        np.savez(path, points=points, labels=np.array([0, 0, 1]), classes=np.array(["a", "b"]))
        return open_dataset(f"npz:{path}").fingerprint

    before = fingerprint()
    os.utime(path, ns=(0, 0))
    assert open_dataset(f"npz:{path}").fingerprint == before
    points[2, 1, 0] += 1
    assert fingerprint() != before
