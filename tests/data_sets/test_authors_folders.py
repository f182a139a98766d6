"""The authors' data as it lies on disk: their folders, spellings and files, and a word where parts are missing."""

import pickle

import h5py
import numpy as np
import pytest
import trimesh

from clip2point.core.class_names import MODELNET40, SCANOBJECTNN
from clip2point.core.errors import DataError, OptionError
from clip2point.data import modelnet, open_dataset

pytestmark = pytest.mark.filterwarnings("ignore:ModelNet", "ignore:scanobjectnn", "ignore:ShapeNet-55")


@pytest.mark.parametrize(
    "folder",
    [
        "ModelNet40_manually_aligned",
        "modelnet40-manually-aligned",
        "ModelNet40_Align",
        "modelnet40_aligned",
        "MODELNET40",
    ],
)
def test_spellings_of_the_aligned_folder(tmp_path, write, folder):
    for seed, name in enumerate(MODELNET40):
        for split in ("train", "test"):
            write.off(tmp_path / folder / name / split / f"{name}_{seed:04d}.off", seed)
    dataset = open_dataset("modelnet40", root=tmp_path)
    assert (dataset.up, len(dataset), dataset.classes) == ("z", 40, MODELNET40)


@pytest.fixture
def numbered(tmp_path):
    """ModelNet40_Ply: clouds in one folder, called by the number of their class."""
    folder = tmp_path / "ModelNet40_Ply"
    folder.mkdir()
    for name, seed in (("8_0.ply", 0), ("8_1.ply", 1), ("30_2.ply", 2), ("0_3.ply", 3)):
        trimesh.PointCloud(np.random.default_rng(seed).random((64, 3))).export(folder / name)
    return folder


def test_clouds_that_are_called_by_the_number_of_their_class(numbered):
    for root in (numbered, numbered.parent):
        dataset = open_dataset("modelnet40", root=root)
        assert [dataset.classes[label] for label in dataset.labels] == ["airplane", "sofa", "chair", "chair"]
        assert dataset.names == ("0_3.ply", "30_2.ply", "8_0.ply", "8_1.ply")
    assert dataset.up == "z"
    assert dataset.sample(0).shape == (1024, 3)
    with pytest.raises(DataError, match="ModelNet40_Ply: holds the test split alone"):
        open_dataset("modelnet40", root=numbered, split="train")
    (numbered / "40_9.ply").write_bytes((numbered / "8_0.ply").read_bytes())
    with pytest.raises(DataError, match="40_9.ply: is called by no class: expected a number from 0 to 39"):
        open_dataset("modelnet40", root=numbered)


def test_ten_classes_of_numbered_clouds(numbered, monkeypatch):
    with pytest.raises(DataError, match="expected ModelNet10's 3,991 and 908"):
        open_dataset("modelnet10", root=numbered)
    monkeypatch.setitem(modelnet._SIZES, "modelnet10", {"train": 0, "test": 3})
    found = open_dataset("modelnet10", root=numbered)
    assert [found.classes[label] for label in found.labels] == ["sofa", "chair", "chair"]


def test_hdf5_without_its_lists(tmp_path, write):
    folder = tmp_path / "modelnet40_ply_hdf5_2048"
    write.h5(folder / "ply_data_test0.h5", [4, 8], column=True)
    write.h5(folder / "ply_data_test1.h5", [1])
    assert open_dataset("modelnet40", root=tmp_path).labels.tolist() == [4, 8, 1]
    with pytest.raises(DataError, match=r"no files of the train split, neither train_files\.txt nor ply_data_train"):
        open_dataset("modelnet40", root=tmp_path, split="train")
    assert open_dataset(f"h5:{folder / 'ply_data_test0.h5'}").classes == MODELNET40


def test_pickles_of_point_bert(tmp_path, write):
    folder = tmp_path / "modelnet40_normal_resampled"
    write.lines(folder / "modelnet40_shape_names.txt", MODELNET40)
    clouds = [np.concatenate([write.cloud(seed), write.cloud(9)], axis=1) for seed in range(3)]
    labels = [np.array([label]) for label in (39, 8, 8)]
    (folder / "modelnet40_test_8192pts_fps.dat").write_bytes(pickle.dumps([clouds, labels]))
    dataset = open_dataset("modelnet40", root=tmp_path)
    assert (dataset.up, dataset.labels.tolist()) == ("y", [39, 8, 8])
    assert np.array_equal(dataset.read(1).points, write.cloud(1))
    with pytest.raises(DataError, match=r"no modelnet40_train_\*\.dat; expected"):
        open_dataset("modelnet40", root=tmp_path, split="train")


def test_another_split_of_scanobjectnn(tmp_path, write):
    for folder in ("split1", "split1_nobg"):
        for split in ("test", "training"):
            write.h5(tmp_path / folder / f"{split}_objectdataset.h5", [2, 14])
    dataset = open_dataset("scanobjectnn-obj-bg", root=tmp_path / "split1")
    assert dataset.labels.tolist() == [2, 14]
    assert "split1 is another split than the one of published figures" in dataset.note
    with pytest.raises(DataError, match="holds objects with background, which scanobjectnn-obj-only is not of: give"):
        open_dataset("scanobjectnn-obj-only", root=tmp_path / "split1")
    assert len(open_dataset("scanobjectnn-obj-only", root=tmp_path / "split1_nobg", split="train")) == 2
    assert open_dataset(f"h5:{tmp_path / 'split1' / 'test_objectdataset.h5'}").classes == SCANOBJECTNN


def test_raw_scans_of_scanobjectnn(tmp_path):
    folder = tmp_path / "object_dataset"
    for name, file in (("bag", "005_00001.bin"), ("chair", "005_00002.bin"), ("chair", "007_00001.bin")):
        rows = np.random.default_rng(0).random((400, 11)).astype("<f4")
        rows[:, 9], rows[:, 10] = np.where(np.arange(400) < 300, 7, -1), np.where(np.arange(400) < 300, 5, 1)
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / file).write_bytes(np.float32([400]).tobytes() + rows.tobytes())
    (folder / "split_new.txt").write_text("005_00001.bin\t0\t\n005_00002.bin\t4\tt\n007_00001.bin\t4\t\n")
    test, train = (open_dataset("scanobjectnn-obj-only", root=tmp_path, split=split) for split in ("test", "train"))
    assert (test.names, test.labels.tolist()) == (("chair/005_00002.bin",), [4])
    assert train.labels.tolist() == [0, 4]
    assert len(test.read(0).points) == 300
    with pytest.raises(DataError, match="read without background: expected h5_files for scanobjectnn-obj-bg"):
        open_dataset("scanobjectnn-obj-bg", root=tmp_path)
    (folder / "chair" / "005_00002.bin").unlink()
    with pytest.raises(DataError, match=r"005_00002\.bin: missing, as 1 of the 1 files"):
        open_dataset("scanobjectnn-obj-only", root=tmp_path)


def test_excluded_ids_as_the_public_code_writes_them(tmp_path, write):
    models = ["03001627-udf068a6b-11-22", "03001627-aa1", "04379243-", "04379243--b2"]
    write.lines(tmp_path / "ShapeNet55" / "ShapeNet-55" / "train.txt", [f"{model}.npy" for model in models])
    write.lines(tmp_path / "ShapeNet55" / "ShapeNet-55" / "test.txt", ["03001627-cc3.npy"])
    write.lines(tmp_path / "ShapeNet55" / "ShapeNet-55" / "excluded.txt", ["03001627-udf068a6b"])
    for seed, model in enumerate([*models, "03001627-cc3"]):
        write.npy(tmp_path / "ShapeNet55" / "shapenet_pc" / f"{model}.npy", seed)
    assert open_dataset("shapenet55", root=tmp_path, split="train").names == tuple(models[1:])


def test_hdf5_of_ones_own_with_a_file_for_each_split(tmp_path, write):
    for name, labels in (("train", [0, 1, 1]), ("val", [1]), ("Test_1", [0])):
        write.h5(tmp_path / f"{name}.h5", labels)
        with h5py.File(tmp_path / f"{name}.h5", "a") as file:
            file["classes"] = ["cup", "vase"]
    assert open_dataset(f"h5:{tmp_path}", split="train").labels.tolist() == [0, 1, 1]
    assert open_dataset(f"h5:{tmp_path}", split="val", up="y").labels.tolist() == [1]
    with pytest.raises(OptionError, match="has no split 'all'"):
        open_dataset(f"h5:{tmp_path}", split="all")
    write.h5(tmp_path / "extra.h5", [0])
    with pytest.raises(DataError, match="is called by no split"):
        open_dataset(f"h5:{tmp_path}")
