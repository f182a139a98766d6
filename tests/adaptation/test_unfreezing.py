import copy
import sys

import pytest
import torch
from torch import nn

import clip2point
from clip2point.adaptation.split_attention import split_attention
from clip2point.adaptation.unfreezing import LoraSettings, merge_state, unfreeze
from clip2point.core.errors import OptionError


@pytest.fixture(scope="module")
def clip(tiny_clip):
    return clip2point.load(tiny_clip, dtype="fp32").backbone


@pytest.fixture(scope="module")
def pocket():
    return clip2point.load("pocket", dtype="fp32").backbone


@pytest.fixture(scope="module")
def openai_clip():
    """A backbone of CLIP's own tensors, by OpenAI's names: 32 px, patch 16, two layers."""
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    from clip2point.backbones.clip import ClipBackbone
    from clip2point.backbones.clip_names import to_openai_names
    from clip2point.backbones.transformers_towers import VisionTower

    sizes = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 1}
    model = CLIPVisionModelWithProjection(CLIPVisionConfig(**sizes, image_size=32, patch_size=16, projection_dim=24))
    state = to_openai_names(VisionTower(model.vision_model, model.visual_projection).state_dict(), "vision")
    torch.manual_seed(0)
    state = {name: torch.randn(tensor.shape) / 8 for name, tensor in state.items()}
    return ClipBackbone({"image": state}, activation="gelu", logit_scale=10.0, name="tiny", dtype="fp32")


def trained(tower):
    return {name for name, weight in tower.named_parameters() if weight.requires_grad}


def learn(tower, images):
    """Two steps."""
    optimizer = torch.optim.AdamW([weight for weight in tower.parameters() if weight.requires_grad], lr=1e-2)
    for _ in range(2):
        optimizer.zero_grad()
        tower(images).square().mean().backward()
        optimizer.step()
    return tower


def copied(tower):
    return {name: tensor.clone() for name, tensor in tower.state_dict().items()}


@pytest.mark.parametrize(
    ("backbone", "trained_parts"),
    [
        ("clip", ("vision.encoder.layers.1.", "vision.post_layernorm.", "projection.")),
        ("openai_clip", ("vision.encoder.layers.1.", "vision.post_layernorm.", "projection.")),
        ("pocket", ("network._blocks.20.", "network._conv_head.", "network._bn1.", "head.")),
    ],
)
def test_the_last_block_is_trained_and_nothing_before_it(backbone, trained_parts, request):
    tower = request.getfixturevalue(backbone).depth_tower()
    before, names = copied(tower), [name for name, _ in tower.named_parameters()]
    unfreeze(tower, "last-1")
    expected = {name for name in names if name.startswith(trained_parts)}
    assert trained(tower) == expected
    assert all(any(name.startswith(part) for name in expected) for part in trained_parts)
    after = learn(tower, torch.rand(2, 1, 32, 32)).state_dict()
    assert {name for name in before if not torch.equal(before[name], after[name])} == expected
    assert merge_state(tower, after).keys() == before.keys()


def test_all_trains_every_weight_and_keeps_the_statistics_of_batch_norms(pocket):
    tower = unfreeze(pocket.depth_tower(), "all")
    before = copied(tower)
    assert trained(tower) == {name for name, _ in tower.named_parameters()}
    assert tower.training
    assert not any(module.training for module in tower.modules() if isinstance(module, nn.BatchNorm2d))
    images = torch.rand(2, 1, 32, 32)
    # Evaluation mode: training begins at the features of the backbone.
    torch.testing.assert_close(
        tower(images).detach(), pocket.encode_depth(images.transpose(0, 1))[0], atol=1e-4, rtol=1e-4
    )
    after = learn(tower, images).state_dict()
    same = {name for name in before if torch.equal(before[name], after[name])}
    assert same == {name for name in before if "running_" in name or "num_batches" in name}


def test_batch_norms_go_by_the_batch_where_asked_and_trained_only(pocket):
    tower = unfreeze(pocket.depth_tower(), "last-2", batch_norm="batch")
    training = {
        name for name, module in tower.named_modules() if isinstance(module, nn.BatchNorm2d) and module.training
    }
    assert training == {
        *(f"network._blocks.{index}._bn{number}" for index in (19, 20) for number in range(3)),
        "network._bn1",
    }


@pytest.fixture(scope="module")
def siglip(tiny_siglip):
    return clip2point.load(tiny_siglip, dtype="fp32").backbone


@pytest.mark.slow
@pytest.mark.parametrize("backbone", ["clip", "openai_clip", "siglip", "pocket"])
def test_lora_begins_at_the_tower_and_is_merged_into_an_ordinary_one(backbone, request):
    backbone = request.getfixturevalue(backbone)
    plain, images = backbone.depth_tower(), torch.rand(2, 1, 32, 32)
    before = copied(plain)
    tower = unfreeze(copy.deepcopy(plain), "lora", lora=LoraSettings(rank=2, alpha=4))
    assert all("lora_" in name for name in trained(tower))
    with torch.no_grad():
        torch.testing.assert_close(tower(images), plain(images), atol=1e-5, rtol=1e-5)
    learn(tower, images)
    state = tower.state_dict()
    merged = merge_state(tower, state)
    assert merged.keys() == before.keys()
    changed = {name for name in before if not torch.equal(before[name], merged[name])}
    # Each low-rank update changed one matrix, or a third of one of queries, keys and values, and nothing else changed.
    assert len(trained(tower)) / 2 == sum(3 if "in_proj" in name else 1 for name in changed)
    assert all(name.endswith("weight") and before[name].ndim in (2, 4) for name in changed)
    for name in changed:
        for part in (merged[name] - before[name]).flatten(1).chunk(3 if "in_proj" in name else 1):
            assert 1 <= torch.linalg.matrix_rank(part, rtol=1e-3) <= 2
    again = backbone.with_depth_tower(merged).depth_tower()
    with torch.no_grad():
        assert not torch.allclose(tower(images), plain(images), atol=1e-4)
        torch.testing.assert_close(again(images), tower(images), atol=1e-4, rtol=1e-4)
    # Merging leaves the tower that is trained as it is.
    assert all(torch.equal(tensor, state[name]) for name, tensor in tower.state_dict().items())


@pytest.mark.parametrize(
    ("backbone", "layers"),
    [
        ("clip", [f"vision.encoder.layers.0.{name}" for name in ("self_attn.q_proj", "self_attn.out_proj", "mlp.fc1")]),
        ("openai_clip", [f"vision.encoder.layers.1.self_attn.{name}_proj" for name in ("q", "k", "v", "out")]),
        ("siglip", [f"vision.head.attention.{name}_proj" for name in ("q", "k", "v", "out")]),
        ("pocket", ["network._blocks.3._expand_conv", "head"]),
    ],
)
def test_lora_updates_every_matrix_and_gradients_reach_all(backbone, layers, request):
    backbone = request.getfixturevalue(backbone)
    tower = unfreeze(backbone.depth_tower(), "lora", lora=LoraSettings(rank=2))
    assert {f"{layer}.lora_{part}.default.weight" for layer in layers for part in "AB"} <= trained(tower)
    assert not any("depthwise" in name or "stem" in name for name in trained(tower))
    images = torch.rand(2, 1, 32, 32)
    learn(tower, images)  # the first values of B, all zero, keep gradients from A
    tower.zero_grad()
    tower(images).square().mean().backward()
    weights = dict(tower.named_parameters())
    assert all(weights[name].grad.abs().max() > 0 for name in trained(tower))


def test_attention_with_more_than_plain_weights_is_left_alone():
    for options in ({}, {"add_zero_attn": True}, {"add_bias_kv": True}, {"kdim": 4}, {"bias": False}, {"dropout": 0.1}):
        attention = nn.MultiheadAttention(8, 2, **{"batch_first": True, **options})
        assert (split_attention(attention) is None) == bool(options)
    assert split_attention(nn.MultiheadAttention(8, 2)) is None


def test_attention_taken_apart_gives_the_same_and_is_put_together_again():
    torch.manual_seed(0)
    joint = nn.MultiheadAttention(12, 3, batch_first=True).requires_grad_(False)
    joint.in_proj_bias.normal_()
    query, tokens = torch.randn(2, 1, 12), torch.randn(2, 5, 12)
    split = split_attention(joint)
    torch.testing.assert_close(split(query, tokens, tokens)[0], joint(query, tokens, tokens)[0])
    joined = split.join().state_dict()
    assert joined.keys() == joint.state_dict().keys()
    assert all(torch.equal(joined[name], tensor) for name, tensor in joint.state_dict().items())


def test_the_same_seed_gives_the_same_updates_and_leaves_the_generator_alone(clip):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first, second, other = (copied(unfreeze(clip.depth_tower(), "lora", seed=seed)) for seed in (3, 3, 4))
    assert torch.equal(torch.rand(1), expected)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize("how", ["last", "last-0", "last--1", "last-x", "some", ""])
def test_an_unknown_way_is_refused(clip, how):
    with pytest.raises(OptionError, match=f"unfreeze is '{how}': expected all, lora, or last-N"):
        unfreeze(clip.depth_tower(), how)


def test_more_blocks_than_there_are(clip, pocket, tiny_tower):
    with pytest.raises(OptionError, match="'last-3': this tower has 2 blocks; expected last-1 to last-2, or all"):
        unfreeze(clip.depth_tower(), "last-3")
    with pytest.raises(OptionError, match="this tower has 21 blocks"):
        unfreeze(pocket.depth_tower(), "last-22")
    with pytest.raises(OptionError, match="the blocks of this tower are not known; expected all or lora"):
        unfreeze(tiny_tower, "last-1")


@pytest.mark.parametrize(("name", "value"), [("rank", 0), ("alpha", 0.0), ("alpha", float("nan"))])
def test_settings_of_lora_out_of_range(name, value):
    with pytest.raises(OptionError, match=f"{name} is .*: expected"):
        LoraSettings(**{name: value})


def test_without_peft_the_error_says_what_to_install(clip, monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(OptionError, match=r"needs PEFT: run pip install 'clip2point\[train\]'"):
        unfreeze(clip.depth_tower(), "lora")
