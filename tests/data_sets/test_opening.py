import numpy as np
import pytest

from clip2point.core.errors import DataError, OptionError, PluginError
from clip2point.core.registries import DATASETS
from clip2point.data import SPLITS, ArrayItems, Dataset, open_dataset, register_dataset


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


def test_an_unknown_name_is_answered_with_the_known_ones():
    assert DATASETS.names()[:2] == ("modelnet10", "modelnet40")
    with pytest.raises(OptionError, match=r"unknown data set 'modelnet30': expected one of modelnet10, .*npz:PATH"):
        open_dataset("modelnet30")


def test_unknown_splits_are_answered_with_the_known_ones(split_set, tmp_path):
    for name, root in ((split_set, None), ("modelnet10", tmp_path)):
        with pytest.raises(OptionError, match=rf"has no split 'half': expected one of {', '.join(SPLITS)}"):
            open_dataset(name, root=root, split="half")


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
        ({"root": "somewhere"}, "holds its own path: leave out the root somewhere"),
    ],
)
def test_wrong_arguments_are_refused(split_set, options, message):
    with pytest.raises(OptionError, match=message):
        open_dataset(split_set, **options)


def test_an_empty_split_is_refused(tmp_path):
    np.savez(tmp_path / "x.npz", points=np.zeros((0, 8, 3)), labels=np.zeros(0, int), classes=np.array(["a"]))
    with pytest.raises(DataError, match="the split 'all' has no shapes"):
        open_dataset(f"npz:{tmp_path / 'x.npz'}")


@pytest.fixture
def noise():
    """A registered data set of four clouds, which notes the paths that it is asked for."""
    asked = []

    def read(path):
        asked.append(path)
        items = ArrayItems(lambda: np.random.default_rng(0).random((4, 32, 3)), np.arange(4), "1")
        return {"all": Dataset("x", "all", ("wide", "tall"), "y", np.array([0, 0, 1, 1]), tuple("abcd"), items)}

    register_dataset("noise", read)
    yield asked
    DATASETS.unregister("noise")


def test_a_registered_data_set_is_opened_by_path_or_root_or_neither(noise, tmp_path):
    assert open_dataset(f"noise:{tmp_path}").name == f"noise:{tmp_path}"
    assert len(open_dataset("noise", root=tmp_path)) == len(open_dataset("noise", split="all")) == 4
    assert noise == [tmp_path, tmp_path, None]
    with pytest.raises(OptionError, match="holds its own path"):
        open_dataset(f"noise:{tmp_path}", root=tmp_path)


def test_the_code_of_a_registered_data_set_is_in_its_fingerprint(noise):
    first = open_dataset("noise").fingerprint
    assert first == open_dataset("noise").fingerprint

    def read(path):
        items = ArrayItems(lambda: np.random.default_rng(1).random((4, 32, 3)), np.arange(4), "1")
        return {"all": Dataset("x", "all", ("wide", "tall"), "y", np.array([0, 0, 1, 1]), tuple("abcd"), items)}

    read.__module__ = "__main__"  # where code has no file, so that the function itself is what counts
    register_dataset("noise", read)
    assert open_dataset("noise").fingerprint != first


@pytest.mark.parametrize("name", ["folder", "modelnet10", "a:b"])
def test_names_that_no_data_set_can_have(name):
    with pytest.raises(OptionError, match="built in|without a colon"):
        register_dataset(name, lambda path: {})


def test_a_reader_that_gives_no_data_sets_is_told():
    register_dataset("empty", lambda path: [1])
    try:
        with pytest.raises(PluginError, match="empty: its reader gives list: expected Datasets by split"):
            open_dataset("empty")
    finally:
        DATASETS.unregister("empty")
