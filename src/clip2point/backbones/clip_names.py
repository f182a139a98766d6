"""CLIP's tensors by OpenAI's names, which OpenCLIP and the authors of CLIP2Point kept, and by those of our towers.

OpenAI's attention holds the matrices of queries, keys and values as one, and multiplies by its projections from the
right; transformers has a linear layer for each. Files and fingerprints have OpenAI's names, towers those of
transformers.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

#: Parts of names, OpenAI's and transformers', in both towers and below ``vision.`` and ``text.``.
_COMMON = {
    "transformer.resblocks.": "encoder.layers.",
    ".ln_1.": ".layer_norm1.",
    ".ln_2.": ".layer_norm2.",
    ".attn.": ".self_attn.",
    ".mlp.c_fc.": ".mlp.fc1.",
    ".mlp.c_proj.": ".mlp.fc2.",
    "positional_embedding": "embeddings.position_embedding.weight",
}
_PARTS = {
    "vision": {
        **_COMMON,
        "class_embedding": "embeddings.class_embedding",
        "conv1.": "embeddings.patch_embedding.",
        "ln_pre.": "pre_layrnorm.",
        "ln_post.": "post_layernorm.",
    },
    "text": {**_COMMON, "token_embedding.": "embeddings.token_embedding.", "ln_final.": "final_layer_norm."},
}
_PROJECTIONS = {"vision": "proj", "text": "text_projection"}
_PROJECTION = "projection.weight"
_JOINT = ".in_proj_"
_SPLIT = tuple(f".{part}_proj." for part in "qkv")


def to_tower_names(state: Mapping[str, Tensor], kind: str) -> dict[str, Tensor]:
    """Give tensors by OpenAI's names those of our towers; they go on sharing memory where they can.

    Args:
        state: Tensors of a tower by OpenAI's names, without "visual.".
        kind: "vision" or "text".

    Returns:
        State of a ``VisionTower`` or ``TextTower``.

    Examples:
        >>> joint = {"transformer.resblocks.0.attn.in_proj_bias": torch.arange(6)}
        >>> for name, tensor in to_tower_names(joint, "vision").items():
        ...     print(name, tensor.tolist())
        vision.encoder.layers.0.self_attn.q_proj.bias [0, 1]
        vision.encoder.layers.0.self_attn.k_proj.bias [2, 3]
        vision.encoder.layers.0.self_attn.v_proj.bias [4, 5]
    """
    converted = {}
    for name, tensor in state.items():
        if name == _PROJECTIONS[kind]:
            converted[_PROJECTION] = tensor.T  # in the memory layout of OpenAI's, which decides the last bit
            continue
        for theirs, ours in _PARTS[kind].items():
            name = name.replace(theirs, ours)
        names = [name.replace(_JOINT, part) for part in _SPLIT] if _JOINT in name else [name]
        converted |= {f"{kind}.{part}": piece for part, piece in zip(names, tensor.chunk(len(names)), strict=True)}
    return converted


def to_openai_names(state: Mapping[str, Tensor], kind: str) -> dict[str, Tensor]:
    """Give tensors of our towers OpenAI's names; see ``to_tower_names``, which this undoes.

    Args:
        state: State of a ``VisionTower`` or ``TextTower``.
        kind: "vision" or "text".

    Returns:
        Tensors by OpenAI's names, without "visual.".

    Examples:
        >>> to_openai_names({"projection.weight": torch.ones(512, 768)}, "vision")["proj"].shape
        torch.Size([768, 512])
    """
    converted = {}
    for name, tensor in state.items():
        if name == _PROJECTION:
            converted[_PROJECTIONS[kind]] = tensor.T.contiguous()
        elif _SPLIT[0] in name:
            parts = [state[name.replace(_SPLIT[0], part)] for part in _SPLIT]
            converted[_openai_name(name.replace(_SPLIT[0], _JOINT), kind)] = torch.cat(parts)
        elif not any(part in name for part in _SPLIT):
            converted[_openai_name(name, kind)] = tensor
    return converted


def _openai_name(name: str, kind: str) -> str:
    """Return OpenAI's name of a tensor of a tower."""
    name = name.removeprefix(f"{kind}.")
    for theirs, ours in _PARTS[kind].items():
        name = name.replace(ours, theirs)
    return name
