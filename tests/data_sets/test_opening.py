import numpy as np
import pytest

from clip2point.core.errors import DataError, OptionError
from clip2point.data import DATASETS, SPLITS, open_dataset


@pytest.fixture
def split_set(tmp_path):
    """An archive with 60 train and 40 test clouds of four classes."""
    path = tmp_path / "set.npz"
    np.savez(
        path,
        points=np.random.default_rng(0).random((100, 8, 3)),
        labels=np.sort(np.arange(100) % 4),
        classes=np.array(["a", "b", "c", "d"]),
        split=np.array(["train", "test", "train", "train", "test"] * 20),
    )
    return f"npz:{path}"


def test_the_names_of_the_benchmarks():
    assert DATASETS[:2] == ("modelnet10", "modelnet40")
    with pytest.raises(OptionError, match=r"unknown data set 'modelnet30': expected one of modelnet10, .*npz:PATH"):
        open_dataset("modelnet30")


def test_unknown_splits_are_answered_with_the_known_ones(split_set, tmp_path):
    for name, root in ((split_set, None), ("modelnet10", tmp_path)):
        with pytest.raises(OptionError, match=rf"has no split 'dev': expected one of {', '.join(SPLITS)}"):
            open_dataset(name, root=root, split="dev")


def test_a_limit_is_spread_over_the_classes(split_set):
    whole, some = open_dataset(split_set), open_dataset(split_set, limit=8)
    assert np.bincount(some.labels).tolist() == [2, 2, 2, 2]
    assert set(some.names) < set(whole.names)
    assert some.fingerprint != whole.fingerprint
    assert len(open_dataset(split_set, limit=1000)) == 40


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"limit": 0}, "limit 0: expected at least 1 shape"),
        ({"up": "north"}, "unknown up-axis 'north'"),
        ({"root": "somewhere"}, "holds its own path: leave the root somewhere away"),
    ],
)
def test_arguments_that_make_no_sense(split_set, options, message):
    with pytest.raises(OptionError, match=message):
        open_dataset(split_set, **options)


def test_an_empty_split(tmp_path):
    np.savez(tmp_path / "x.npz", points=np.zeros((0, 8, 3)), labels=np.zeros(0, int), classes=np.array(["a"]))
    with pytest.raises(DataError, match="the split 'all' has no shapes"):
        open_dataset(f"npz:{tmp_path / 'x.npz'}")
