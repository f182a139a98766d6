import pytest
import torch

import clip2point
from clip2point.core.errors import ModelError
from clip2point.model.checkpoint import read_checkpoint, write_checkpoint
from clip2point.model.saving import save_model
from pocket_recipe import release


@pytest.mark.slow
def test_a_trained_model_is_released_with_its_licences(tmp_path):
    backbone = clip2point.load(dtype="fp32").backbone
    trained = backbone.with_depth_tower(backbone.depth_tower("image"), image_size=64)
    save_model(
        tmp_path / "model", trained, clip2point.Settings(points=256), {"recipe": {"backbone": "pocket"}}, half=True
    )
    release.release(tmp_path / "model", tmp_path / "pocket")
    config = read_checkpoint(tmp_path / "pocket").config
    assert config["licences"]["map and depth tower"] == "Apache-2.0"
    assert config["recipe"] == {"backbone": "pocket"}
    depth = torch.rand(1, 2, 64, 64)
    released, own = (clip2point.load(tmp_path / name, dtype="fp32").backbone for name in ("pocket", "model"))
    assert torch.equal(released.encode_depth(depth), own.encode_depth(depth))


def test_a_model_of_another_kind_is_not_released(tmp_path):
    write_checkpoint(tmp_path / "model", {"depth.x": torch.zeros(1)}, {"backbone": "transformers", "depth_tower": {}})
    with pytest.raises(ModelError, match="holds no depth tower for pocket"):
        release.release(tmp_path / "model", tmp_path / "pocket")
    assert not (tmp_path / "pocket").exists()


def test_a_folder_without_a_model_is_one_line(tmp_path):
    with pytest.raises(SystemExit, match="error: .*config.json: cannot be read"):
        release.main([str(tmp_path)])
