import pytest
import torch

from clip2point.backbones.clip_names import to_openai_names, to_tower_names
from clip2point.backbones.clip_towers import build_text_tower, build_vision_tower

BUILD = {"vision": build_vision_tower, "text": build_text_tower}


@pytest.mark.parametrize("kind", ["vision", "text"])
def test_names_are_those_of_a_tower_and_come_back(openai_states, kind):
    state = openai_states[kind]
    tower = BUILD[kind](state, "quick_gelu", "tiny")
    renamed = to_tower_names(state, kind)
    own = tower.state_dict()
    assert renamed.keys() == own.keys()
    assert all(torch.equal(renamed[name], own[name]) for name in own)
    back = to_openai_names(renamed, kind)
    assert back.keys() == state.keys()
    assert all(torch.equal(back[name], state[name]) and back[name].is_contiguous() for name in state)


def test_queries_keys_and_values_are_in_this_order():
    joint = {"transformer.resblocks.11.attn.in_proj_weight": torch.arange(12).reshape(6, 2)}
    split_up = to_tower_names(joint, "text")
    prefix = "text.encoder.layers.11.self_attn"
    assert {name: tensor[0, 0].item() for name, tensor in split_up.items()} == {
        f"{prefix}.q_proj.weight": 0,
        f"{prefix}.k_proj.weight": 4,
        f"{prefix}.v_proj.weight": 8,
    }
    # Without copies: a large model is not held twice.
    assert {tensor.untyped_storage().data_ptr() for tensor in split_up.values()} == {
        next(iter(joint.values())).untyped_storage().data_ptr()
    }


def test_the_first_convolution_of_depth_maps_has_a_bias():
    state = {"vision.embeddings.patch_embedding.bias": torch.zeros(3)}
    assert list(to_openai_names(state, "vision")) == ["conv1.bias"]
