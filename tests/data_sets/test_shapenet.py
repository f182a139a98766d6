import warnings

import numpy as np
import pytest

from clip2point.core.class_names import SHAPENET55 as CATEGORIES
from clip2point.core.errors import DataError
from clip2point.data import open_dataset, shapenet, shapenet_mesh

TRAIN = ["02691156-aa1", "04554684-b_2", "03001627-c.3"]
TEST = ["03001627-dd4", "02691156-ee5"]

pytestmark = pytest.mark.filterwarnings("ignore:ShapeNet-55")


@pytest.fixture(params=["", "ShapeNet-55"])
def root(request, tmp_path, write):
    """Clouds of five models; the lists beside them, or in a folder of their own."""
    folder = tmp_path / "ShapeNet55-34"
    for split, models in (("train", TRAIN), ("test", TEST)):
        write.lines(folder / request.param / f"{split}.txt", [f"{model}.npy" for model in models])
        for seed, model in enumerate(models):
            write.npy(folder / "shapenet_pc" / f"{model}.npy", seed)
    return folder


def lists(root):
    return root if (root / "train.txt").exists() else root / "ShapeNet-55"


def test_lists_give_labels_and_names(root, write):
    dataset = open_dataset("shapenet55", root=root)
    assert dataset.up == "y"
    assert dataset.names == tuple(TEST)
    assert [dataset.classes[label] for label in dataset.labels] == ["chair", "airplane"]
    assert np.array_equal(dataset.read(1).points, write.cloud(1))
    train = open_dataset("shapenet55", root=root.parent, split="train")
    assert [train.classes[label] for label in train.labels] == ["airplane", "washer", "chair"]


def test_there_are_55_categories_with_different_names():
    assert len(CATEGORIES) == len(set(CATEGORIES.values())) == 55
    assert list(CATEGORIES) == sorted(CATEGORIES)


def test_excluded_models_are_left_out(root, write):
    write.lines(lists(root) / "excluded.txt", ["b_2", "dd4"])
    with pytest.warns(UserWarning, match=r"have 3 models here, 2 of .*excluded\.txt left out; the paper has 52,460"):
        train = open_dataset("shapenet55", root=root, split="train")
    assert train.names == (TRAIN[0], TRAIN[2])
    assert "52,460" in train.note
    assert open_dataset("shapenet55", root=root).names == (TEST[1],)


def test_excluded_models_must_exist(root, write):
    write.lines(lists(root) / "excluded.txt", ["aa1", "zz9"])
    with pytest.raises(DataError, match=r"excluded\.txt: names 'zz9': expected model ids of train\.txt or test\.txt"):
        open_dataset("shapenet55", root=root)


def test_the_right_number_is_not_warned_of(root, monkeypatch):
    monkeypatch.setattr(shapenet, "SIZE", 5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        open_dataset("shapenet55", root=root)


@pytest.mark.parametrize("line", ["../02691156-aa1.npy", "99999999-aa1.npy", "02691156-../x.npy", "airplane"])
def test_lines_that_name_no_model(root, write, line):
    write.lines(lists(root) / "test.txt", [line])
    with pytest.raises(DataError, match=r"test\.txt: names .*: expected SYNSET-MODEL\.npy with one of 55 synsets"):
        open_dataset("shapenet55", root=root)


def test_missing_pieces_are_named(root):
    (root / "shapenet_pc" / f"{TEST[1]}.npy").unlink()
    with pytest.raises(DataError, match=rf"{TEST[1]}\.npy: missing, as 1 of the 2 files of the data set are"):
        open_dataset("shapenet55", root=root)
    (lists(root) / "train.txt").unlink()
    with pytest.raises(DataError, match=r"train\.txt: no such file; expected shapenet_pc/SYNSET.*Point-BERT"):
        open_dataset("shapenet55", root=root)


def test_meshes_of_models_are_found(root, write):
    assert shapenet_mesh(root, TEST[0]) is None
    mesh = root / "ShapeNetCore.v2" / "03001627" / "dd4" / "models" / "model_normalized.obj"
    write.lines(mesh, ["v 0 0 0"])
    assert shapenet_mesh(root, TEST[0]) == mesh
    assert shapenet_mesh(root / "ShapeNetCore.v2", f"{TEST[0]}.npy") == mesh
    with pytest.raises(DataError, match="is no shape of ShapeNet-55: expected SYNSET-MODEL"):
        shapenet_mesh(root, "../../etc")
