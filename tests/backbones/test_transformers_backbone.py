import json
import shutil

import pytest
import torch

from clip2point.backbones.transformers_backbone import load_transformers_backbone
from clip2point.core.errors import ModelError


def depth_maps(objects=2, views=3, size=32):
    return torch.rand(objects, views, size, size, generator=torch.Generator().manual_seed(0))


@pytest.fixture(params=["tiny_clip", "tiny_siglip"])
def folder(request):
    return request.getfixturevalue(request.param)


def test_protocol(folder):
    backbone = load_transformers_backbone(folder)
    assert backbone.encode_depth(depth_maps()).shape == (2, 3, backbone.dim)
    assert backbone.encode_image(torch.rand(2, 3, 50, 40)).shape == (2, backbone.dim)
    assert backbone.encode_text(["image of a chair", "lamp"]).shape == (2, backbone.dim)
    assert backbone.image_size == 32
    assert backbone.logit_scale >= 1


def test_one_channel_equals_the_plain_way(folder):
    backbone = load_transformers_backbone(folder, dtype="fp32")
    depth = depth_maps()
    plain = backbone.encode_image(depth.flatten(0, 1)[:, None].expand(-1, 3, -1, -1))
    torch.testing.assert_close(backbone.encode_depth(depth).flatten(0, 1), plain, atol=1e-5, rtol=0)


def test_the_depth_tower_shares_the_weights_of_the_image_tower(folder):
    backbone = load_transformers_backbone(folder)
    image, depth = (dict(tower.named_parameters()) for tower in (backbone._vision, backbone._towers["depth"].vision))
    own = {name for name in depth if name not in image or depth[name].data_ptr() != image[name].data_ptr()}
    assert own == {"embeddings.patch_embedding.weight", "embeddings.patch_embedding.bias"}


def test_features_equal_those_of_transformers(folder):
    from transformers import AutoModel, AutoTokenizer

    model, tokenizer = AutoModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    backbone = load_transformers_backbone(folder, dtype="fp32")
    texts = ["image of a chair", "the lamp of a table"]
    clip = model.config.model_type == "clip"
    tokens = tokenizer(
        texts, padding=True if clip else "max_length", max_length=16, truncation=True, return_tensors="pt"
    )
    mean = torch.tensor(backbone._mean)[:, None, None]
    std = torch.tensor(backbone._std)[:, None, None]
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        names = ("input_ids", "attention_mask") if clip else ("input_ids",)
        output = model(pixel_values=(images - mean) / std, **{name: tokens[name] for name in names})
    normalize = torch.nn.functional.normalize
    torch.testing.assert_close(normalize(backbone.encode_text(texts)), output.text_embeds, atol=1e-5, rtol=0)
    torch.testing.assert_close(normalize(backbone.encode_image(images)), output.image_embeds, atol=1e-5, rtol=0)


def test_batches_do_not_change_features(folder):
    backbone = load_transformers_backbone(folder, dtype="fp32")
    depth = depth_maps(objects=30, views=5)
    together = backbone.encode_depth(depth)
    torch.testing.assert_close(backbone.encode_depth(depth[17:18])[0], together[17], atol=1e-5, rtol=0)


def test_bf16_is_close_to_fp32(tiny_clip):
    depth = depth_maps()
    exact, rounded = (
        load_transformers_backbone(tiny_clip, dtype=dtype).encode_depth(depth) for dtype in ("fp32", "bf16")
    )
    assert rounded.dtype == torch.float32
    assert torch.cosine_similarity(exact, rounded, dim=-1).min() > 0.999


def test_long_texts_are_cut(tiny_clip):
    backbone = load_transformers_backbone(tiny_clip)
    assert backbone.encode_text(["chair " * 500]).isfinite().all()


def test_preprocessor_settings_are_used(tiny_clip, tmp_path):
    folder = shutil.copytree(tiny_clip, tmp_path / "model")
    settings = {"image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6]}
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    assert load_transformers_backbone(folder)._mean == (0.1, 0.2, 0.3)


def test_missing_weights_are_named(tiny_clip, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(tiny_clip, tmp_path / "model")
    weights = load_file(folder / "model.safetensors")
    del weights["visual_projection.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"1 weights are missing or misshapen, the first is visual_projection.weight"):
        load_transformers_backbone(folder)


def test_other_families_are_refused(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(ModelError, match="a model of type 'bert'; expected one of clip, siglip"):
        load_transformers_backbone(tmp_path)


def test_offline_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match="openai/clip-vit-base-patch32: HF_HUB_OFFLINE is set.*'pocket' works now"):
        load_transformers_backbone("clip-vit-b-32")


def test_a_broken_folder_says_what_is_wrong(tiny_clip, tmp_path):
    folder = shutil.copytree(tiny_clip, tmp_path / "model")
    (folder / "model.safetensors").write_bytes(b"<html>not a model</html>")
    with pytest.raises(ModelError, match="cannot load the model .*model: .*; check its files"):
        load_transformers_backbone(folder)
