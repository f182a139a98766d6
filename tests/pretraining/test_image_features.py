import io
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from clip2point.core.errors import DataError, OptionError
from clip2point.data.pairs import PairSet, read_shard, write_shard
from clip2point.model import load
from clip2point.pretraining.image_features import encode_images


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CLIP2POINT_CACHE", str(tmp_path / "cache"))


def test_features_are_those_of_the_images_and_come_from_the_cache(pair_folder, tiny_clip, monkeypatch):
    backbone = load(tiny_clip, dtype="fp32").backbone
    pairs = PairSet([pair_folder])
    features = encode_images(pairs, backbone)
    pair = list(read_shard(sorted(pair_folder.glob("*.tar"))[1]))[1]
    assert pair.key == pairs.infos[4].key
    image = torch.from_numpy(np.array(Image.open(io.BytesIO(pair.files["view3.png"])))).permute(2, 0, 1)[None] / 255
    assert np.allclose(features(4, 3), backbone.encode_image(image)[0].numpy(), atol=1e-5)
    monkeypatch.setattr(type(backbone), "encode_image", lambda *_: pytest.fail("encoded twice"))
    assert np.array_equal(encode_images(PairSet([pair_folder]), backbone)(4, 3), features(4, 3))


def test_features_of_a_part_are_those_of_its_models(pair_folder, tiny_clip):
    backbone = load(tiny_clip, dtype="fp32").backbone
    whole, chairs = (encode_images(PairSet([pair_folder], only=[only]), backbone) for only in ("*", "*/chair/*"))
    for row, model in enumerate((1, 2)):
        assert np.array_equal(chairs(row, 7), whole(model, 7))


def change_first_pair(pair_folder, folder, ending, data):
    """Copy a folder and change one file of its first pair, or take it away."""
    shutil.copytree(pair_folder, folder)
    path = sorted(folder.glob("*.tar"))[0]
    pairs = list(read_shard(path))
    files = dict(pairs[0].files)
    del files[ending]
    with write_shard(path) as shard:
        shard.add(pairs[0].key, files if data is None else {**files, ending: data})
        for pair in pairs[1:]:
            shard.add(pair.key, pair.files)
    return path


@pytest.mark.parametrize("data", [None, b"no image"])
def test_a_missing_or_broken_image_is_refused(pair_folder, tmp_path, tiny_clip, data):
    shard = change_first_pair(pair_folder, tmp_path / "changed", "view9.png", data)
    with pytest.raises(DataError, match=rf"{shard.name}: an image of 'bottle.*' is missing or damaged"):
        encode_images(PairSet([shard.parent]), load(tiny_clip, dtype="fp32").backbone)


def test_views_that_are_not_known_are_refused(pair_folder, tiny_clip):
    pairs = PairSet([pair_folder])
    pairs.views = "spiral-9"
    with pytest.raises(OptionError, match="spiral-9"):
        encode_images(pairs, load(tiny_clip, dtype="fp32").backbone)
