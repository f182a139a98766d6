import re

import numpy as np
import pytest

from clip2point.core.class_names import MODELNET10, MODELNET40
from clip2point.core.errors import DataError
from clip2point.data import modelnet, open_dataset

pytestmark = pytest.mark.filterwarnings("ignore:ModelNet")


@pytest.fixture
def princeton(tmp_path, write):
    """ModelNet10 as .off folders: two train and one test shape a class."""
    for index, name in enumerate(MODELNET10):
        for number, split in ((1, "train"), (2, "train"), (3, "test")):
            write.off(tmp_path / "ModelNet10" / name / split / f"{name}_{number:04d}.off", seed=10 * index + number)
    return tmp_path / "ModelNet10"


@pytest.fixture
def forty(tmp_path, write):
    """The same two train and one test shape a class for all forty."""
    for name in MODELNET40:
        for number, split in ((1, "train"), (2, "train"), (3, "test")):
            write.off(tmp_path / "ModelNet40" / name / split / f"{name}_{number:04d}.off", seed=number)
    return tmp_path / "ModelNet40"


@pytest.fixture
def resampled(tmp_path, write):
    """modelnet40_normal_resampled: clouds with normals, separated by commas."""
    folder = tmp_path / "modelnet40_normal_resampled"
    for lists, classes in (("modelnet10", MODELNET10), ("modelnet40", MODELNET40)):
        write.lines(folder / f"{lists}_shape_names.txt", classes)
        write.lines(folder / f"{lists}_train.txt", [f"{name}_0001" for name in classes])
        write.lines(folder / f"{lists}_test.txt", [f"{name}_0002" for name in reversed(classes)])
    for name in MODELNET40:
        for number in (1, 2):
            rows = np.concatenate([write.cloud(number), write.cloud(9)], axis=1)
            lines = [",".join(f"{value:.6f}" for value in row) for row in rows]
            write.lines(folder / name / f"{name}_{number:04d}.txt", lines)
    return folder


@pytest.fixture
def hdf5(tmp_path, write):
    """modelnet40_ply_hdf5_2048, whose lists hold the paths of their maker."""
    folder = tmp_path / "modelnet40_ply_hdf5_2048"
    write.lines(folder / "shape_names.txt", MODELNET40)
    write.lines(folder / "train_files.txt", [f"data/{folder.name}/ply_data_train{part}.h5" for part in range(2)])
    write.lines(folder / "test_files.txt", [f"data/{folder.name}/ply_data_test0.h5"])
    for name, labels in (("train0", [30, 0, 39]), ("train1", [7, 2]), ("test0", [4, 4, 8])):
        write.h5(folder / f"ply_data_{name}.h5", np.array(labels, dtype=np.uint8), column=True)
    return folder


@pytest.mark.parametrize("up_one", [False, True])
def test_off_folders_are_found_from_the_root_and_the_folder_above(princeton, up_one):
    dataset = open_dataset("modelnet10", root=princeton.parent if up_one else princeton, split="train")
    assert dataset.classes == MODELNET10
    assert dataset.up == "z"
    assert np.array_equal(dataset.labels, np.repeat(np.arange(10), 2))
    assert dataset.names[:3] == ("bathtub/train/bathtub_0001.off", "bathtub/train/bathtub_0002.off", dataset.names[2])
    shape = dataset.read(0)
    assert shape.up == "z"
    assert shape.mesh is not None


def test_forty_classes_come_in_their_order(forty):
    dataset = open_dataset("modelnet40", root=forty.parent)
    assert dataset.split == "test"
    assert dataset.classes == MODELNET40
    assert np.array_equal(dataset.labels, np.arange(40))
    assert "Princeton" in dataset.note
    assert "academic" in dataset.note


def test_another_number_of_shapes_than_the_official_one_is_said(forty):
    with pytest.warns(UserWarning, match="the test split has 40 shapes here and 2,468 officially"):
        dataset = open_dataset("modelnet40", root=forty)
    assert "40 shapes here" in dataset.note


def test_a_class_that_is_missing_is_named(forty):
    (forty / "sofa" / "test" / "sofa_0003.off").unlink()
    (forty / "sofa" / "test").rmdir()
    with pytest.raises(DataError, match=r"sofa/test: no such folder, so the class 'sofa' is missing.*modelnet\.cs"):
        open_dataset("modelnet40", root=forty)


def test_ten_of_forty_only_with_the_right_numbers(forty, monkeypatch):
    with pytest.raises(DataError, match="20 train and 10 test shapes here: expected ModelNet10's 3,991 and 908"):
        open_dataset("modelnet10", root=forty)
    monkeypatch.setitem(modelnet._SIZES, "modelnet10", {"train": 20, "test": 10})
    dataset = open_dataset("modelnet10", root=forty.parent)
    assert dataset.classes == MODELNET10
    assert [name.split("/")[0] for name in dataset.names] == list(MODELNET10)
    assert np.array_equal(dataset.labels, np.arange(10))


def test_a_modelnet10_folder_goes_before_a_modelnet40_folder(princeton, forty):
    dataset = open_dataset("modelnet10", root=forty.parent)
    assert dataset.items.paths[0].is_relative_to(princeton)


def test_several_copies_are_not_guessed_between(forty, hdf5):
    with pytest.raises(DataError, match="holds ModelNet40, modelnet40_ply_hdf5_2048, several copies of ModelNet40"):
        open_dataset("modelnet40", root=forty.parent)


@pytest.mark.parametrize(("name", "classes"), [("modelnet10", MODELNET10), ("modelnet40", MODELNET40)])
def test_resampled_clouds_in_the_order_of_their_list(resampled, write, name, classes):
    dataset = open_dataset(name, root=resampled.parent)
    assert dataset.up == "y"
    assert dataset.classes == classes
    assert np.array_equal(dataset.labels, np.arange(len(classes))[::-1])
    last = classes[-1]
    assert dataset.names[0] == f"{last}/{last}_0002.txt"
    assert np.allclose(dataset.read(0).points, write.cloud(2), atol=1e-6)


@pytest.mark.parametrize("line", ["../../secret_0001", "unicorn_0001", "chair"])
def test_resampled_lists_cannot_name_anything_else(resampled, write, line):
    write.lines(resampled / "modelnet40_test.txt", ["chair_0002", line])
    with pytest.raises(DataError, match=f"modelnet40_test.txt: names {line!r}: expected a class and a number"):
        open_dataset("modelnet40", root=resampled)


def test_files_that_a_list_names_and_that_are_missing(resampled):
    (resampled / "car" / "car_0002.txt").unlink()
    (resampled / "bed" / "bed_0002.txt").unlink()
    with pytest.raises(DataError, match=r"car_0002.txt: missing, as 2 of the 40 files of the data set are"):
        open_dataset("modelnet40", root=resampled)


def test_other_classes_than_the_official_ones_are_refused(resampled, write):
    write.lines(resampled / "modelnet40_shape_names.txt", sorted(MODELNET40, reverse=True))
    with pytest.raises(DataError, match="shape_names.txt: has other classes: expected 40, from airplane to xbox"):
        open_dataset("modelnet40", root=resampled)


def test_hdf5_parts_one_after_the_other(hdf5, write):
    dataset = open_dataset("modelnet40", root=hdf5, split="train")
    assert dataset.up == "y"
    assert dataset.labels.tolist() == [30, 0, 39, 7, 2]
    assert dataset.names[2:4] == ("ply_data_train0/00002", "ply_data_train1/00000")
    assert np.array_equal(dataset.read(1).points, write.cloud(1))
    assert np.array_equal(dataset.read(3).points, write.cloud(0))


def test_hdf5_parts_that_are_missing(hdf5):
    (hdf5 / "ply_data_train1.h5").unlink()
    with pytest.raises(DataError, match=r"ply_data_train1\.h5: no such file; expected ModelNet40/CLASS"):
        open_dataset("modelnet40", root=hdf5, split="train")


def test_no_root_and_no_data():
    with pytest.raises(DataError, match=re.escape("ModelNet40: no folder given: name it with --root")):
        open_dataset("modelnet40")


def test_an_empty_root_says_what_was_expected(tmp_path):
    with pytest.raises(
        DataError, match=r"ModelNet40 is neither here nor below it in ModelNet40, .*Get ModelNet40 from"
    ):
        open_dataset("modelnet40", root=tmp_path)
    with pytest.raises(DataError, match="nowhere: no such folder"):
        open_dataset("modelnet40", root=tmp_path / "nowhere")
