import io
import json
import shutil
import tarfile

import numpy as np
import pytest
import torch
from PIL import Image

from clip2point.core.errors import DataError
from clip2point.model import load
from clip2point.pretraining.pair_set import PairSet
from clip2point.pretraining.pairs import read_shard


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CLIP2POINT_CACHE", str(tmp_path / "cache"))


def test_points_and_infos_are_those_of_the_shards(pair_folder):
    pairs = PairSet([pair_folder])
    assert len(pairs) == 5
    assert [info.captions[0] for info in pairs.infos] == ["bottle", "chair", "chair", "cone", "table"]
    assert pairs.views == "clip2point-10"
    for model in range(5):
        points = pairs.points(model)
        assert points.shape == (8192, 3)
        assert np.linalg.norm(points, axis=1).max() == pytest.approx(1, abs=1e-5)
    again = PairSet([pair_folder])
    assert np.array_equal(again.points(4), pairs.points(4))
    assert again.fingerprint() == pairs.fingerprint()


def test_models_can_be_left_out(pair_folder):
    source = PairSet([pair_folder]).infos[0].source
    with pytest.raises(DataError, match="no model of the pairs is left .*SOURCE/CATEGORY/KEY"):
        PairSet([pair_folder], without=("folder:*",))
    assert len(PairSet([pair_folder], without=("elsewhere",))) == 5
    seen, held_out = PairSet([pair_folder], without=("*/chair/*",)), PairSet([pair_folder], only=("*/Chair/*",))
    assert {info.captions[0] for info in held_out.infos} == {"chair"}
    assert sorted(info.key for part in (seen, held_out) for info in part.infos) == sorted(
        info.key for info in PairSet([pair_folder]).infos
    )
    assert np.array_equal(held_out.points(1), PairSet([pair_folder]).points(2))
    assert PairSet([pair_folder]).licences() == {source: {"not stated": 5}}


def test_image_features_are_those_of_the_pictures_and_come_from_the_cache(pair_folder, tiny_clip, monkeypatch):
    backbone = load(tiny_clip, dtype="fp32").backbone
    pairs = PairSet([pair_folder])
    features = pairs.image_features(backbone)
    shard = sorted(pair_folder.glob("*.tar"))[1]
    key, files = list(read_shard(shard))[1]
    assert key == pairs.infos[4].key
    picture = torch.from_numpy(np.array(Image.open(io.BytesIO(files["view3.png"])))).permute(2, 0, 1)[None] / 255
    assert np.allclose(features(4, 3), backbone.encode_image(picture)[0].numpy(), atol=1e-5)
    monkeypatch.setattr(type(backbone), "encode_image", lambda *_: pytest.fail("encoded twice"))
    assert np.array_equal(PairSet([pair_folder]).image_features(backbone)(4, 3), features(4, 3))


def test_folders_without_pairs_or_with_broken_ones_are_refused(pair_folder, tmp_path):
    with pytest.raises(DataError, match="holds no pairs .*expected a folder that 'clip2point pairs' filled"):
        PairSet([tmp_path / "nothing"])
    broken = tmp_path / "broken"
    shutil.copytree(pair_folder, broken)
    shard = sorted(broken.glob("*.tar"))[0]
    shard.write_bytes(shard.read_bytes()[:5000])
    with pytest.raises(DataError, match=shard.name):
        PairSet([broken])
    shard.unlink()
    with pytest.raises(DataError, match="cannot be read"):
        PairSet([broken])
    (broken / "index.json").write_text("{}")
    with pytest.raises(DataError, match=r"index\.json: is damaged"):
        PairSet([broken])
    (broken / "index.json").write_text(json.dumps({"shards": []}))
    with pytest.raises(DataError, match="holds no pairs yet"):
        PairSet([broken])


def spoiled(pair_folder, tmp_path, ending, data):
    """The folder with one file of its first pair replaced, or taken away."""
    folder = tmp_path / "spoiled"
    shutil.copytree(pair_folder, folder)
    shard = sorted(folder.glob("*.tar"))[0]
    samples = [(key, dict(files)) for key, files in read_shard(shard)]
    if data is None:
        del samples[0][1][ending]
    else:
        samples[0][1][ending] = data
    with tarfile.open(shard, "w") as tar:
        for key, files in samples:
            for name, content in files.items():
                member = tarfile.TarInfo(f"{key}.{name}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return folder, shard


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


HUGE = npy(np.zeros((8, 3), np.float32)).replace(b"(8, 3)", b"(99999999999, 3)", 1)


@pytest.mark.parametrize(
    ("ending", "data"),
    [
        ("json", b"[]"),
        ("json", b'{"key": "a"}'),
        ("json", b"not JSON"),
        ("json", None),
        ("points.npy", npy(np.zeros((8, 2), np.float32))),
        ("points.npy", npy(np.zeros((8, 3), np.float32))),
        ("points.npy", npy(np.array([None], dtype=object))),
        ("points.npy", HUGE),
        ("points.npy", b"nothing"),
    ],
)
def test_a_pair_that_is_not_what_it_should_be_is_refused(pair_folder, tmp_path, ending, data):
    folder, shard = spoiled(pair_folder, tmp_path, ending, data)
    with pytest.raises(DataError, match=rf"{shard.name}: the pair '.*' is damaged .*make the shard again"):
        PairSet([folder])


@pytest.mark.parametrize("data", [None, b"no picture"])
def test_a_missing_or_broken_picture_is_refused(pair_folder, tmp_path, tiny_clip, data):
    folder, shard = spoiled(pair_folder, tmp_path, "view7.png", data)
    with pytest.raises(DataError, match=rf"{shard.name}: a picture of 'bottle.*' is missing or damaged"):
        PairSet([folder]).image_features(load(tiny_clip, dtype="fp32").backbone)
