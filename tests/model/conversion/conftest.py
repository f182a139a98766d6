"""A small CLIP by OpenAI's names, made of one by transformers, which is the reference for its features."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

DATA = Path(__file__).parent.parent.parent / "data"

_BLOCKS = {
    "self_attn.out_proj": "attn.out_proj",
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}
_NAMES = {
    "vision_model.embeddings.class_embedding": "visual.class_embedding",
    "vision_model.embeddings.patch_embedding.weight": "visual.conv1.weight",
    "vision_model.embeddings.position_embedding.weight": "visual.positional_embedding",
    "vision_model.pre_layrnorm": "visual.ln_pre",
    "vision_model.post_layernorm": "visual.ln_post",
    "vision_model.encoder.layers": "visual.transformer.resblocks",
    "text_model.embeddings.token_embedding": "token_embedding",
    "text_model.embeddings.position_embedding.weight": "positional_embedding",
    "text_model.final_layer_norm": "ln_final",
    "text_model.encoder.layers": "transformer.resblocks",
    **_BLOCKS,
}


def by_openai_names(model):
    """The tensors of a CLIPModel by OpenAI's names; those of queries, keys and values go together."""
    state, left = {}, model.state_dict()
    for ours, theirs in (("visual.proj", "visual_projection"), ("text_projection", "text_projection")):
        state[ours] = left.pop(f"{theirs}.weight").T.contiguous()
    for name, tensor in left.items():
        if name.endswith("position_ids") or re.search(r"[kv]_proj", name):
            continue
        if "q_proj" in name:
            tensor = torch.cat([left[name.replace("q_proj", f"{part}_proj")] for part in "qkv"])
            name = re.sub(r"self_attn\.q_proj\.", "attn.in_proj_", name)
        for theirs, ours in _NAMES.items():
            name = name.replace(theirs, ours)
        state[name] = tensor.clone()
    return state


@pytest.fixture(scope="session", params=["quick_gelu", "gelu"])
def activation(request):
    return request.param


@pytest.fixture(scope="session")
def reference(activation):
    """CLIP of transformers: 24 px, patches of 8; two heads and one layer for images, three and two for texts."""
    from transformers import CLIPConfig, CLIPModel

    torch.manual_seed(0)
    vision = {"hidden_size": 128, "intermediate_size": 192, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = {"hidden_size": 192, "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 3}
    words = {"vocab_size": 50, "max_position_embeddings": 12, "bos_token_id": 48, "eos_token_id": 49}
    config = CLIPConfig(
        vision_config={**vision, "image_size": 24, "patch_size": 8, "hidden_act": activation},
        text_config={**text, **words, "hidden_act": activation},
        projection_dim=48,
    )
    model = CLIPModel(config).eval()
    with torch.no_grad():  # as they are drawn, biases are zero and the activation hardly matters
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return model


@pytest.fixture
def openai_names():
    """Gives the tensors of a CLIPModel by OpenAI's names."""
    return by_openai_names


@pytest.fixture
def state(reference):
    """Its tensors by OpenAI's names."""
    return by_openai_names(reference)


@pytest.fixture
def saved(tmp_path):
    """Save something with torch.save and give its path."""

    def save(content, name="model.pth", **options):
        torch.save(content, tmp_path / name, **options)
        return tmp_path / name

    return save


@pytest.fixture(scope="session")
def golden():
    """Arrays of a golden file as tensors."""
    return lambda name: {key: torch.from_numpy(np.asarray(value)) for key, value in np.load(DATA / name).items()}
