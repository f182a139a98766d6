"""Attention whose queries, keys and values come from a layer each, so that each can have a low-rank update of its own.

Torch's own attention, which pools SigLIP's tokens, holds the three in one matrix, which no layer is called with. For a
training they are taken apart, and put together afterwards; in between the numbers are the same.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class SplitAttention(nn.Module):
    """Multi-head attention with a layer each for queries, keys and values, in the place of torch's own.

    Args:
        joint: Attention whose weights it takes.
    """

    def __init__(self, joint: nn.MultiheadAttention) -> None:
        super().__init__()
        self.heads = joint.num_heads
        weights, biases = joint.in_proj_weight.chunk(3), joint.in_proj_bias.chunk(3)
        self.q_proj, self.k_proj, self.v_proj = (_copy_layer(w, b) for w, b in zip(weights, biases, strict=True))
        # Torch's own attention has a layer of another class here, which low-rank updates do not know.
        self.out_proj = _copy_layer(joint.out_proj.weight, joint.out_proj.bias)

    def forward(self, query: Tensor, key: Tensor, value: Tensor, attn_mask: None = None) -> tuple[Tensor, None]:
        """Return what queries [N, L, width] find at keys [N, M, width]: [N, L, width] of values [N, M, width].

        The weights of the attention, which torch gives as well, are None, and there is no mask.
        """
        assert attn_mask is None
        q, k, v = (
            layer(tokens).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for layer, tokens in ((self.q_proj, query), (self.k_proj, key), (self.v_proj, value))
        )
        mixed = nn.functional.scaled_dot_product_attention(q, k, v)
        return self.out_proj(mixed.transpose(1, 2).flatten(2)), None

    def join(self) -> nn.Module:
        """Return a module with the weights in one matrix again, under the names that they had."""
        layers = (self.q_proj, self.k_proj, self.v_proj)
        joint = nn.Module()
        joint.in_proj_weight = nn.Parameter(torch.cat([layer.weight.detach() for layer in layers]))
        joint.in_proj_bias = nn.Parameter(torch.cat([layer.bias.detach() for layer in layers]))
        joint.out_proj = self.out_proj
        return joint


def split_attention(module: nn.Module) -> SplitAttention | None:
    """Make a module in the place of torch's attention; None if ``module`` is none that can be taken apart.

    Examples:
        >>> split = split_attention(nn.MultiheadAttention(8, 2, batch_first=True))
        >>> split.q_proj
        Linear(in_features=8, out_features=8, bias=True)
        >>> split_attention(nn.Linear(8, 8)) is None
        True
    """
    return SplitAttention(module) if isinstance(module, nn.MultiheadAttention) and _is_plain(module) else None


def _is_plain(attention: nn.MultiheadAttention) -> bool:
    """Whether one matrix holds queries, keys and values, with biases, and there is nothing besides."""
    given: tuple[Any, ...] = (attention.in_proj_weight, attention.in_proj_bias, attention.out_proj.bias)
    extra = attention.bias_k is not None or attention.add_zero_attn or attention.dropout > 0
    return attention.batch_first and not extra and all(tensor is not None for tensor in given)


def _copy_layer(weight: Tensor, bias: Tensor) -> nn.Linear:
    """Make a linear layer with copies of these weights."""
    layer = nn.utils.skip_init(nn.Linear, weight.shape[1], weight.shape[0], device=weight.device, dtype=weight.dtype)
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)
    return layer
