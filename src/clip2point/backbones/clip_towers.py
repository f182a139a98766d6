"""CLIP's two towers as OpenAI published them, made from their tensors alone.

The tensors have OpenAI's names. Widths, depths and patch sizes are read from the shapes. Two things are not in the
tensors: the activation, which OpenAI's models have as QuickGELU and most of OpenCLIP's as GELU, and the number of
attention heads.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor, nn

from clip2point.backbones.clip_names import to_openai_names, to_tower_names
from clip2point.backbones.depth_tensors import check_tensors
from clip2point.backbones.transformers_towers import TextTower, VisionTower
from clip2point.core.errors import ModelError

Activation = Literal["quick_gelu", "gelu"]

#: Names of the activations.
ACTIVATIONS = ("quick_gelu", "gelu")

#: Width of an attention head: 64 but for OpenCLIP's largest vision towers (ViT-H/14, ViT-g/14 and ViT-bigG/14).
HEAD_WIDTH = 64
_LARGE_VISION_HEADS = {1280: 80, 1408: 88, 1664: 104}

#: Fewest heads of a vision and of a text tower. No published tower is so narrow that they count: those are at least 768
#: and 512 wide. Of narrow ones, made for tests, the golden text tower of width 64 has 2.
_MIN_VISION_HEADS, _MIN_TEXT_HEADS = 1, 2

#: End token of a config with which transformers takes the token of the highest number for the end of a text.
_HIGHEST_TOKEN_ENDS = 2

_LAYER = re.compile(r"transformer\.resblocks\.(\d+)\.")

Tower = TypeVar("Tower", VisionTower, TextTower)


def build_vision_tower(
    state: Mapping[str, Tensor], activation: Activation, owner: str, heads: int | None = None
) -> VisionTower:
    """Build a vision tower from its tensors.

    Args:
        state: Tensors by OpenAI's names, without "visual.".
        activation: Activation of the feed-forward layers, which the tensors do not tell.
        owner: Name of what the tensors belong to, for messages.
        heads: Number of attention heads; by the rule of the published models if not given.

    Returns:
        The tower for inference, in fp32 and on the CPU. It takes images normalised by CLIP's mean and deviation.

    Raises:
        ModelError: If a tensor is missing, unexpected, misshapen or not finite; the message names it.
    """
    if any(name.startswith(("layer1.", "attnpool.")) for name in state):
        raise ModelError(f"{owner}: a ResNet; only CLIP models with a vision transformer (ViT) can be used")
    width, channels, patch, _ = _shape(state, "conv1.weight", 4, owner)
    positions, _ = _shape(state, "positional_embedding", 2, owner)
    _, dim = _shape(state, "proj", 2, owner)
    grid = math.isqrt(max(positions - 1, 0))
    if channels != 3 or patch < 1 or grid < 1 or grid * grid + 1 != positions:
        raise ModelError(
            f"{owner}: the tensors 'conv1.weight' for {channels} channels and 'positional_embedding' for {positions} "
            "positions fit no square colour image: expected 3 channels and a square number of patches plus one"
        )
    heads = heads or max(width // _LARGE_VISION_HEADS.get(width, HEAD_WIDTH), _MIN_VISION_HEADS)
    sizes = _block_sizes(state, width, heads, owner)
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    config = CLIPVisionConfig(
        **sizes, image_size=patch * grid, patch_size=patch, projection_dim=dim, hidden_act=activation
    )
    with torch.device("meta"):
        model = CLIPVisionModelWithProjection(config)
    return _fill(VisionTower(model.vision_model, model.visual_projection), "vision", state, owner)


def build_text_tower(
    state: Mapping[str, Tensor], activation: Activation, owner: str, heads: int | None = None
) -> TextTower:
    """Build a text tower from its tensors; see ``build_vision_tower``.

    It reads each text up to its first token of the highest number, whatever comes after.
    """
    vocabulary, width = _shape(state, "token_embedding.weight", 2, owner)
    context, _ = _shape(state, "positional_embedding", 2, owner)
    _, dim = _shape(state, "text_projection", 2, owner)
    heads = heads or max(width // HEAD_WIDTH, _MIN_TEXT_HEADS)
    sizes = _block_sizes(state, width, heads, owner)
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection

    config = CLIPTextConfig(
        **sizes,
        vocab_size=vocabulary,
        max_position_embeddings=context,
        projection_dim=dim,
        hidden_act=activation,
        bos_token_id=None,
        eos_token_id=_HIGHEST_TOKEN_ENDS,
    )
    with torch.device("meta"):
        model = CLIPTextModelWithProjection(config)
    return _fill(TextTower(model.text_model, model.text_projection), "text", state, owner)


def _block_sizes(state: Mapping[str, Tensor], width: int, heads: int, owner: str) -> dict[str, Any]:
    """Read the sizes of a tower's blocks, by the names of transformers' configs."""
    if heads < 1 or width % heads:
        raise ModelError(
            f"{owner}: width {width} cannot be divided among {heads} attention heads: "
            f"expected a multiple of {HEAD_WIDTH}"
        )
    return {
        "hidden_size": width,
        # Counted, and not the highest number: a name costs a file nothing, a layer does.
        "num_hidden_layers": len({match[1] for name in state if (match := _LAYER.match(name))}),
        "num_attention_heads": heads,
        "intermediate_size": _shape(state, "transformer.resblocks.0.mlp.c_fc.weight", 2, owner)[0],
    }


def _shape(state: Mapping[str, Tensor], name: str, axes: int, owner: str) -> tuple[int, ...]:
    """Return the shape of a tensor that has to be there with so many axes."""
    if name not in state:
        raise ModelError(f"{owner}: the tensor {name!r} is missing")
    shape = tuple(state[name].shape)
    if len(shape) != axes or 0 in shape:
        raise ModelError(
            f"{owner}: the tensor {name!r} has shape {list(shape)}, expected {axes} axes, none of them empty"
        )
    return shape


def _fill(empty: Tower, kind: str, state: Mapping[str, Tensor], owner: str) -> Tower:
    """Give a tower on the meta device its weights."""
    expected = to_openai_names(empty.state_dict(), kind)
    check_tensors(state, {name: tuple(tensor.shape) for name, tensor in expected.items()}, owner)
    for name, tensor in state.items():
        if not tensor.is_floating_point():
            raise ModelError(f"{owner}: the tensor {name!r} is in {tensor.dtype}, expected floating-point numbers")
    weights = {name: tensor.detach().to("cpu", torch.float32).contiguous() for name, tensor in state.items()}
    empty.load_state_dict(to_tower_names(weights, kind), assign=True)
    _restore_positions(empty)
    return empty.eval().requires_grad_(False)


def _restore_positions(tower: nn.Module) -> None:
    """Count the positions [1, L] again, which transformers keeps in buffers that no state holds."""
    for module in tower.modules():
        for name, buffer in module.named_buffers(recurse=False):
            if buffer.is_meta:
                setattr(module, name, torch.arange(buffer.shape[-1])[None])
