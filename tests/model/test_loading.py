import json
import shutil

import pytest

import clip2point
from clip2point.core.errors import ModelError, OptionError
from clip2point.model.checkpoint import read_checkpoint, write_checkpoint
from clip2point.model.folders import POCKET, read_expected_record


@pytest.mark.slow
def test_models_come_from_names_and_folders(tiny_clip):
    assert clip2point.load().name == "pocket"
    assert clip2point.load(POCKET).backbone.dim == 384
    assert clip2point.load(tiny_clip).backbone.image_size == 32


def test_unknown_models_are_refused():
    with pytest.raises(ModelError, match="unknown model 'poket': expected pocket, clip-vit-b-32.*or a folder"):
        clip2point.load("poket")
    with pytest.raises(OptionError, match="device 'abacus'"):
        clip2point.load(device="abacus")


def test_checkpoints_for_other_backbones_are_refused(tmp_path):
    folder = shutil.copytree(POCKET, tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "backbone": "huge"}))
    with pytest.raises(ModelError, match="unknown backbone 'huge'"):
        clip2point.load(folder)


def test_a_checkpoint_that_lacks_a_tensor_loads_not_at_all(tmp_path):
    checkpoint = read_checkpoint(POCKET)
    tensors = {name: tensor for name, tensor in checkpoint.tensors.items() if name != "map.depth_mean"}
    write_checkpoint(tmp_path, tensors, checkpoint.config)
    with pytest.raises(ModelError, match=r"the tensor 'map.depth_mean' is missing"):
        clip2point.load(tmp_path)


def test_records_of_expectations(tmp_path):
    assert read_expected_record("pocket")["labels"]
    assert read_expected_record(tmp_path) is None
    (tmp_path / "expected.json").write_text("{")
    with pytest.raises(ModelError, match=r"expected.json: cannot be read"):
        read_expected_record(tmp_path)


def test_the_settings_of_the_checkpoint_are_used(untrained_pocket):
    assert clip2point.load(untrained_pocket).settings == clip2point.Settings()
    pocket = clip2point.load()
    assert (pocket.settings.views, pocket.settings.radius, pocket.backbone.image_size) == ("ring-6@20", 0.045, 112)
