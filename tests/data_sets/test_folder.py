import numpy as np
import pytest

from clip2point.core.errors import DataError, OptionError
from clip2point.data import open_dataset


@pytest.fixture
def root(tmp_path, write):
    """Two classes in two formats, one with a folder inside."""
    write.off(tmp_path / "set" / "chair" / "b.off", 1)
    write.npy(tmp_path / "set" / "chair" / "a.npy", 2)
    write.off(tmp_path / "set" / "bed" / "old" / "a.off", 3)
    return tmp_path / "set"


def test_classes_are_the_sorted_folders(root, write):
    write.lines(root / "README.txt", ["Shapes."])
    write.off(root / ".hidden" / "x.off")
    dataset = open_dataset(f"folder:{root}")
    assert (dataset.split, dataset.up) == ("all", "auto")
    assert dataset.classes == ("bed", "chair")
    assert dataset.names == ("bed/old/a.off", "chair/a.npy", "chair/b.off")
    assert dataset.labels.tolist() == [0, 1, 1]
    assert [dataset.read(index).mesh is None for index in range(3)] == [False, True, False]
    assert open_dataset(f"folder:{root}", split="all", up="z").read(0).up == "z"


@pytest.mark.parametrize("above", [True, False])
def test_splits_above_or_below_the_classes(tmp_path, write, above):
    for part, name, file in (
        ("train", "cup", "1"),
        ("train", "vase", "2"),
        ("train", "vase", "3"),
        ("test", "cup", "4"),
    ):
        folder = tmp_path / "set" / part / name if above else tmp_path / "set" / name / part
        write.off(folder / f"{file}.off")
    test, train = (open_dataset(f"folder:{tmp_path / 'set'}", split=split) for split in (None, "train"))
    assert test.split == "test"
    assert test.classes == train.classes == ("cup", "vase")
    assert test.labels.tolist() == [0]
    assert train.labels.tolist() == [0, 1, 1]


def test_splits_that_a_folder_does_not_have(root):
    with pytest.raises(OptionError, match=r"folder:.*: has no split 'test': expected one of all$"):
        open_dataset(f"folder:{root}", split="test")


def test_a_class_without_shapes_is_not_dropped_in_silence(root):
    (root / "sofa").mkdir()
    dataset = open_dataset(f"folder:{root}")
    assert dataset.classes == ("bed", "chair")
    assert "without shape files, so no examples and no class for these alone: sofa" in dataset.notes


def test_splits_in_some_classes_only(root, write):
    write.off(root / "vase" / "train" / "a.off")
    with pytest.raises(DataError, match="has no train, val or test folder, as others have"):
        open_dataset(f"folder:{root}")


def test_folders_that_are_no_set(tmp_path, write):
    with pytest.raises(DataError, match="nowhere: no such folder: expected PATH/CLASS"):
        open_dataset(f"folder:{tmp_path / 'nowhere'}")
    write.off(tmp_path / "flat" / "a.off")
    with pytest.raises(DataError, match=r"flat: has no class folders: expected PATH/CLASS/\*"):
        open_dataset(f"folder:{tmp_path / 'flat'}")
    (tmp_path / "split" / "train").mkdir(parents=True)
    with pytest.raises(DataError, match="split: has no class folders in train: expected"):
        open_dataset(f"folder:{tmp_path / 'split'}")


def test_the_order_does_not_depend_on_that_of_creation(tmp_path, write):
    names = [f"{index:02d}" for index in range(20)]
    for folder, order in (("a", names), ("b", names[::-1])):
        for name in order:
            write.off(tmp_path / folder / f"class {'ab'[int(name[0])]}" / f"{name}.off", int(name))
    one, two = (open_dataset(f"folder:{tmp_path / folder}") for folder in "ab")
    assert one.names == two.names
    assert np.array_equal(one.labels, two.labels)


def test_the_up_axis_is_that_of_the_formats(tmp_path, write):
    import trimesh

    for name in ("bed", "lamp"):
        (tmp_path / name).mkdir()
        trimesh.creation.box().export(tmp_path / name / "a.glb")
    assert open_dataset(f"folder:{tmp_path}").up == "y"
    write.off(tmp_path / "bed" / "b.off")  # which says nothing
    assert open_dataset(f"folder:{tmp_path}").up == "auto"
