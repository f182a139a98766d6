import pickle

import numpy as np
import pytest
from PIL import Image

from clip2point.cli.main import main
from clip2point.core.errors import DataError, OptionError
from clip2point.data.pairs import PairSet, read_shard
from clip2point.pretraining.pairs import open_source

MODELS = ("03001627-aa1", "03001627-u6f-22-33", "03797390-cc3")


@pytest.fixture
def data(tmp_path):
    """The folder "data" of the public code: ShapeNet55 and the pictures of its models."""
    clouds = tmp_path / "data" / "ShapeNet55" / "shapenet_pc"
    clouds.mkdir(parents=True)
    lists = clouds.parent / "ShapeNet-55"
    lists.mkdir()
    (lists / "train.txt").write_text("".join(f"{model}.npy\n" for model in MODELS[:2]))
    (lists / "test.txt").write_text(f"{MODELS[2]}.npy\n")
    for seed, model in enumerate(MODELS):
        np.save(clouds / f"{model}.npy", np.random.default_rng(seed).normal(size=(8192, 3)).astype(np.float32))
        folder = tmp_path / "data" / "rendering" / model.replace("-", "_", 1)
        folder.mkdir(parents=True)
        for view in range(10):
            Image.new("RGBA", (224, 224), (10 * view, 20 * seed, 0, 255 if view else 0)).save(folder / f"{view}.png")
    return tmp_path / "data"


@pytest.mark.parametrize("spec", ["{}", "{}/ShapeNet55", "shapenet55-rendered:{}", "shapenet55-rendered:{}/ShapeNet55"])
def test_models_are_those_of_the_lists(data, spec):
    source = open_source(spec.format(data))
    assert source.kind == "shapenet55-rendered"
    assert [model.key for model in source.models] == list(MODELS)
    assert [model.info.caption for model in source.models] == ["chair", "chair", "mug"]
    assert len(pickle.loads(pickle.dumps(source.models[0])).open().points) == 8192


def test_one_list_alone_and_excluded_ids_of_the_public_code(data):
    assert len(open_source(f"shapenet55-rendered:{data}#train").models) == 2
    assert len(open_source(f"shapenet55-rendered:{data}", excluded=["03001627-u6f"]).models) == 2
    with pytest.raises(OptionError, match="expected #train or #test behind the folder"):
        open_source(f"shapenet55-rendered:{data}#val")


def test_pairs_hold_the_pictures_and_the_points(data, tmp_path, capsys):
    assert main(["pairs", str(data / "ShapeNet55"), "--out", str(tmp_path / "pairs"), "--workers", "1"]) == 0
    assert "3 pairs of 3 models" in capsys.readouterr().out
    pairs = PairSet([tmp_path / "pairs"])
    images = list(read_shard(next((tmp_path / "pairs").glob("*.tar"))))[1].images(10)
    assert images.shape == (10, 224, 224, 3)
    assert images[3, 0, 0].tolist() == [30, 20, 0]
    assert images[0, 0, 0].tolist() == [255, 255, 255]
    cloud = np.load(data / "ShapeNet55" / "shapenet_pc" / f"{MODELS[1]}.npy")
    cloud = cloud - cloud.mean(axis=0)
    np.testing.assert_allclose(
        sorted(np.linalg.norm(pairs.points(1), axis=1)),
        sorted(np.linalg.norm(cloud, axis=1) / np.linalg.norm(cloud, axis=1).max()),
        atol=1e-5,
    )


def test_what_is_missing_is_told_before_work_begins(data, tmp_path):
    (data / "rendering" / "03797390_cc3").rename(data / "elsewhere")
    with pytest.warns(UserWarning, match="rendering: 1 of 3 models of the lists have no pictures there, or no cloud"):
        assert len(open_source(str(data)).models) == 2
    (data / "rendering").rename(data / "other")
    with pytest.raises(DataError, match="has clouds, which have no surface to be rendered, and no pictures of them"):
        open_source(str(data / "ShapeNet55"))
    (data / "rendering").mkdir()
    with pytest.raises(DataError, match="3 of 3 models of the lists have no pictures there"):
        open_source(str(data))


def test_a_broken_picture_fails_its_model_alone(data, tmp_path, capsys):
    (data / "rendering" / "03797390_cc3" / "7.png").unlink()
    Image.new("RGB", (64, 64)).save(data / "rendering" / "03001627_aa1" / "2.png")
    assert main(["pairs", str(data), "--out", str(tmp_path / "pairs"), "--workers", "1"]) == 1
    captured = capsys.readouterr()
    assert "1 pairs of 3 models" in captured.out
    assert "7.png: cannot be read" in captured.err
    assert "2.png: has 64 x 64 pixels: expected 224 x 224" in captured.err


def test_clouds_alone_are_no_source(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((9, 3)))
    with pytest.raises(DataError, match=r"has clouds alone, such as a\.npy, which have no surface"):
        open_source(f"folder:{tmp_path}")
