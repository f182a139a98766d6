import numpy as np
import pytest

from clip2point.core.errors import DataError, OptionError
from clip2point.data import open_dataset
from clip2point.data.splits import WHOLE, choose_split, draw_fifth

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


def test_the_shapes_held_out_are_those_of_release_0_1_0(name):
    """All choices of settings, and so all published figures, depend on them."""
    held_out = (2, 5, 13, 20, 29, 32, 36, 46, 48, 49, 56, 63)
    assert open_splits(name)["validation"].names == tuple(f"shape {number}" for number in held_out)


@pytest.mark.parametrize(
    ("count", "held_out"), [(0, 0), (1, 0), (2, 1), (7, 1), (8, 2), (12, 2), (13, 3), (20, 4), (100, 20)]
)
def test_a_fifth_is_rounded_and_at_least_one_of_two(count, held_out):
    rows = np.arange(count) + 50
    drawn = draw_fifth(rows, np.random.default_rng(0))
    assert len(set(drawn.tolist())) == len(drawn) == held_out
    assert set(drawn.tolist()) <= set(rows.tolist())


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


@pytest.mark.parametrize(
    ("split", "official", "chosen"),
    [
        (None, ("train", "test"), ("test", "test")),
        (None, (WHOLE,), ("all", "all")),
        ("all", (WHOLE,), ("all", "all")),
        ("train", ("train", "test"), ("train", "train")),
        ("validation", ("train", "test"), ("validation", "train")),
        ("train-minus-validation", ("train",), ("train-minus-validation", "train")),
    ],
)
def test_a_split_is_official_or_carved_from_train(split, official, chosen):
    assert choose_split("set", split, official) == chosen


@pytest.mark.parametrize(
    ("split", "official", "known"),
    [("all", ("train", "test"), "train, test, validation, train-minus-validation"), ("validation", (WHOLE,), "all")],
)
def test_a_split_that_is_not_there_is_refused(split, official, known):
    with pytest.raises(OptionError, match=rf"set: has no split '{split}': expected one of {known}$"):
        choose_split("set", split, official)


def test_the_validation_split_is_the_published_one(name):
    """Every choice of options and weights depends on which shapes these are."""
    numbers = sorted(int(item.split()[1]) for item in open_splits(name)["validation"].names)
    assert numbers == [2, 5, 13, 20, 29, 32, 36, 46, 48, 49, 56, 63]


def test_each_class_has_draws_of_its_own(tmp_path):
    name = write_set(tmp_path / "alike.npz", [50, 50])
    validation = open_splits(name)["validation"]
    numbers = np.array([int(item.split()[1]) for item in validation.names])
    first, second = (set(numbers[validation.labels == label] - 53 * label) for label in (0, 1))
    assert first != second
