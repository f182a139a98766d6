import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from clip2point.backbones.clip_names import to_tower_names
from clip2point.backbones.transformers_backbone import TransformersBackbone, load_transformers_backbone
from clip2point.core.errors import ModelError, OptionError

DATA = Path(__file__).parent.parent / "data"


def depth_maps(objects=2, views=3, size=32):
    return torch.rand(objects, views, size, size, generator=torch.Generator().manual_seed(0))


@pytest.fixture(params=["tiny_clip", "tiny_siglip"])
def folder(request):
    return request.getfixturevalue(request.param)


@pytest.mark.slow
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
    image, depth = (dict(tower.named_parameters()) for tower in (backbone._image, backbone._towers["depth"]))
    own = {name for name in depth if name not in image or depth[name].data_ptr() != image[name].data_ptr()}
    assert own == {"vision.embeddings.patch_embedding.weight", "vision.embeddings.patch_embedding.bias"}


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
    torch.testing.assert_close(
        normalize(torch.from_numpy(backbone.encode_text(texts))), output.text_embeds, atol=1e-5, rtol=0
    )
    torch.testing.assert_close(normalize(backbone.encode_image(images)), output.image_embeds, atol=1e-5, rtol=0)


def test_golden_features(openai_states):
    """OpenAI's tensors in a model of transformers give what OpenAI's code gave."""
    from transformers import CLIPConfig, CLIPModel

    common = {"hidden_size": 64, "hidden_act": "quick_gelu", "num_hidden_layers": 2, "intermediate_size": 256}
    config = CLIPConfig(
        vision_config={**common, "num_attention_heads": 1, "image_size": 64, "patch_size": 16},
        text_config={**common, "num_attention_heads": 2, "vocab_size": 1000, "bos_token_id": None, "eos_token_id": 2},
        projection_dim=32,
    )
    model = CLIPModel(config).eval().requires_grad_(False)
    for kind, prefix in (("vision", "visual"), ("text", "text")):
        converted = to_tower_names(openai_states[kind], kind)
        getattr(model, f"{prefix}_projection").weight.copy_(converted.pop("projection.weight"))
        tower = getattr(model, f"{kind}_model")
        tower.load_state_dict({name.removeprefix(f"{kind}."): tensor for name, tensor in converted.items()})
    backbone = TransformersBackbone(model, None, {}, name="golden", dtype="fp32")
    golden = {name: torch.from_numpy(values) for name, values in np.load(DATA / "openai_clip_tiny.npz").items()}
    for path in ("image", "depth"):
        features = backbone.encode_pixels(golden["images"], path)
        torch.testing.assert_close(features, golden["image_features"], atol=1e-5, rtol=0)
    texts = backbone.encode_tokens(golden["tokens"])
    torch.testing.assert_close(texts, golden["text_features"], atol=1e-5, rtol=0)


def test_tokens_give_the_features_of_their_texts(folder):
    backbone = load_transformers_backbone(folder, dtype="fp32")
    texts = ["image of a chair", "lamp"]
    siglip = backbone._is_siglip
    padding = {"padding": "max_length", "max_length": 16} if siglip else {"padding": True}
    ids = backbone._tokenizer(texts, return_tensors="pt", **padding)["input_ids"]
    np.testing.assert_allclose(backbone.encode_tokens(ids), backbone.encode_text(texts), atol=1e-5)
    if siglip:
        with pytest.raises(OptionError, match="texts of 5 tokens: SigLIP takes them padded to 16"):
            backbone.encode_tokens(ids[:, :5])
    with pytest.raises(OptionError, match=r"expected integers \[B, L\], L from 1 to 16"):
        backbone.encode_tokens(torch.zeros(1, 17, dtype=int))
    with pytest.raises(OptionError, match="expected 0 to 15"):
        backbone.encode_tokens(torch.full((1, 16), 16))


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
    assert np.isfinite(backbone.encode_text(["chair " * 500])).all()


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
    with pytest.raises(ModelError, match="a model of type 'bert'; expected one of type clip or siglip"):
        load_transformers_backbone(tmp_path)


@pytest.mark.parametrize("family", ["siglip2", "chinese_clip", "metaclip_2", "altclip"])
def test_families_that_are_near_are_refused_by_name(family, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": family}))
    with pytest.raises(ModelError, match=f"a model of type '{family}'.*; expected one of type clip or siglip"):
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
