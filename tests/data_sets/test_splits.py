import numpy as np
import pytest

from clip2point.core.errors import DataError
from clip2point.data import open_dataset

#: Train shapes of each class, and how many of them are for validation.
TRAIN = {"many": (50, 10), "some": (7, 1), "two": (2, 1), "one": (1, 0)}


def write_set(path, counts, seed=None):
    """Classes with so many train shapes and three test shapes each; a seed shuffles them."""
    labels = np.concatenate([np.full(count + 3, label) for label, count in enumerate(counts)])
    split = np.concatenate([["train"] * count + ["test"] * 3 for count in counts])
    names = np.array([f"shape {index}" for index in range(len(labels))])
    order = np.arange(len(labels)) if seed is None else np.random.default_rng(seed).permutation(len(labels))
    points = np.arange(len(labels) * 12.0).reshape(-1, 4, 3)
    classes = np.array(list(TRAIN)[: len(counts)])
    np.savez(path, points=points[order], labels=labels[order], split=split[order], names=names[order], classes=classes)
    return f"npz:{path}"


@pytest.fixture
def name(tmp_path):
    return write_set(tmp_path / "set.npz", [count for count, _ in TRAIN.values()])


def open_splits(name):
    return {
        split: open_dataset(name, split=split) for split in ("train", "validation", "train-minus-validation", "test")
    }


def test_validation_and_the_rest_are_train_and_never_test(name):
    parts = {split: set(dataset.names) for split, dataset in open_splits(name).items()}
    assert parts["validation"] | parts["train-minus-validation"] == parts["train"]
    assert not parts["validation"] & parts["train-minus-validation"]
    assert not parts["test"] & parts["train"]


def test_a_fifth_of_each_class_is_held_out(name):
    dataset = open_splits(name)["validation"]
    assert dataset.split == "validation"
    assert np.bincount(dataset.labels, minlength=4).tolist() == [count for _, count in TRAIN.values()]


def test_a_carved_shape_keeps_its_label_and_its_points(name):
    parts = open_splits(name)
    train = dict(zip(parts["train"].names, range(len(parts["train"])), strict=True))
    for index, item in enumerate(parts["validation"].names):
        assert parts["validation"].labels[index] == parts["train"].labels[train[item]]
        assert np.array_equal(parts["validation"].read(index).points, parts["train"].read(train[item]).points)


def test_the_same_shapes_whatever_their_order(name, tmp_path):
    other = write_set(tmp_path / "shuffled.npz", [count for count, _ in TRAIN.values()], seed=1)
    assert set(open_splits(name)["validation"].names) == set(open_splits(other)["validation"].names)


def test_classes_too_small_to_carve_from(tmp_path):
    name = write_set(tmp_path / "tiny.npz", [1, 1])
    with pytest.raises(DataError, match="no class has two train shapes"):
        open_dataset(name, split="validation")
