import numpy as np
import pytest

from clip2point.core.errors import DataError, OptionError
from clip2point.data import open_dataset
from clip2point.data.parts import open_parts


def write_set(path, train, test=0, split=True):
    """Two classes with so many shapes each, in splits or not."""
    part = np.array((["train"] * train + ["test"] * test) * 2)
    labels = np.repeat([0, 1], train + test)
    names = np.array([f"shape {index}" for index in range(len(labels))])
    points = np.arange(len(labels) * 12.0).reshape(-1, 4, 3)
    splits = {"split": part} if split else {}
    np.savez(path, points=points, labels=labels, names=names, classes=np.array(["a", "b"]), **splits)
    return f"npz:{path}"


def list_names(parts):
    return [set(part.names) for part in (parts.train, parts.validation, parts.test)]


def test_official_splits_are_kept(tmp_path):
    name = write_set(tmp_path / "set.npz", 10, 3)
    parts = open_parts(name)
    train, validation, test = list_names(parts)
    assert test == set(open_dataset(name, split="test").names)
    assert train == set(open_dataset(name, split="train-minus-validation").names)
    assert validation == set(open_dataset(name, split="validation").names)
    assert parts.note == ""
    assert [part.split for part in (parts.train, parts.validation, parts.test)] == [
        *("train-minus-validation", "validation", "test"),
    ]


def test_of_a_set_without_splits_a_fifth_is_held_out_and_said_so(tmp_path):
    name = write_set(tmp_path / "set.npz", 20, split=False)
    parts = open_parts(name, up="z")
    train, validation, test = list_names(parts)
    assert [len(train), len(validation), len(test)] == [26, 6, 8]
    assert train | validation | test == set(open_dataset(name).names)
    assert np.bincount(parts.test.labels).tolist() == [4, 4]
    assert parts.test.split == "test"
    assert parts.test.up == parts.train.up == "z"
    assert "comes without splits: 8 of its 40 shapes" in parts.note
    assert list_names(open_parts(name)) == [train, validation, test]


def test_a_limit_is_of_the_test_split(tmp_path):
    full = open_parts(write_set(tmp_path / "set.npz", 10, 5))
    few = open_parts(write_set(tmp_path / "set.npz", 10, 5), limit=4)
    assert len(few.test) == 4
    assert np.bincount(few.test.labels).tolist() == [2, 2]
    assert list_names(few)[:2] == list_names(full)[:2]
    with pytest.raises(OptionError, match="limit 0"):
        open_parts(write_set(tmp_path / "set.npz", 10, 5), limit=0)


def test_sets_too_small_to_be_parted(tmp_path):
    with pytest.raises(DataError, match="no class has two train shapes"):
        open_parts(write_set(tmp_path / "set.npz", 2, split=False))
