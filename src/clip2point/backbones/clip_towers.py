"""CLIP's two transformers as OpenAI published them, made from their tensors alone.

The names of the tensors are those of OpenAI's files, which OpenCLIP and the authors of CLIP2Point kept. Widths, depths
and patch sizes are read from the shapes. Two things are not in the tensors: the activation, which OpenAI's models have
as QuickGELU and most of OpenCLIP's as GELU, and the number of attention heads.
"""

from __future__ import annotations

import math
import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

import torch
from torch import Tensor, nn

from clip2point.backbones.depth_tower import check_tensors
from clip2point.core.errors import ModelError, OptionError

Activation = Literal["quick_gelu", "gelu"]

#: Width of an attention head: 64 but for OpenCLIP's largest vision towers (ViT-H/14, ViT-g/14 and ViT-bigG/14).
HEAD_WIDTH = 64
_LARGE_VISION_HEADS = {1280: 80, 1408: 88, 1664: 104}

#: Fewest heads of a vision and of a text tower. No published tower is so narrow that they count: those are at least 768
#: and 512 wide. Of narrow ones, made for tests, the golden text tower of width 64 has 2.
_MIN_VISION_HEADS, _MIN_TEXT_HEADS = 1, 2

_LAYER = re.compile(r"transformer\.resblocks\.(\d+)\.")


class QuickGELU(nn.Module):
    """The approximation of GELU that OpenAI trained CLIP with."""

    def forward(self, x: Tensor) -> Tensor:
        """Element by element."""
        return x * torch.sigmoid(1.702 * x)


_ACTIVATIONS: dict[str, type[nn.Module]] = {"quick_gelu": QuickGELU, "gelu": nn.GELU}

#: Names of the activations.
ACTIVATIONS = tuple(_ACTIVATIONS)


@dataclass(frozen=True)
class Architecture:
    """What the blocks of a tower are like.

    Attributes:
        width: of the tokens.
        layers: number of blocks.
        heads: of each attention.
        hidden: width inside the feed-forward layers.
        activation: between these.
    """

    width: int
    layers: int
    heads: int
    hidden: int
    activation: Activation


class Attention(nn.Module):
    """Multi-head self-attention.

    Args:
        width: of the tokens.
        heads: among which the width is divided.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.empty(3 * width))
        self.out_proj = nn.Linear(width, width)

    def forward(self, x: Tensor, causal: bool) -> Tensor:
        """[N, L, width] to the same; with ``causal`` no token sees later ones."""
        projected = nn.functional.linear(x, self.in_proj_weight, self.in_proj_bias)
        query, key, value = projected.unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        mixed = nn.functional.scaled_dot_product_attention(query, key, value, is_causal=causal)
        return self.out_proj(mixed.transpose(1, 2).flatten(2))


class Block(nn.Module):
    """Attention and feed-forward layers, each behind a norm and beside a shortcut."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        width, hidden = architecture.width, architecture.hidden
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = Attention(width, architecture.heads)
        self.mlp = nn.Sequential(
            OrderedDict(
                c_fc=nn.Linear(width, hidden),
                activation=_ACTIVATIONS[architecture.activation](),
                c_proj=nn.Linear(hidden, width),
            )
        )

    def forward(self, x: Tensor, causal: bool) -> Tensor:
        """[N, L, width] to the same."""
        x = x + self.attn(self.ln_1(x), causal)
        return x + self.mlp(self.ln_2(x))


class Transformer(nn.Module):
    """A stack of blocks."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.resblocks = nn.ModuleList(Block(architecture) for _ in range(architecture.layers))

    def forward(self, x: Tensor, causal: bool = False) -> Tensor:
        """[N, L, width] to the same."""
        for block in self.resblocks:
            x = block(x, causal)
        return x


class VisionTransformer(nn.Module):
    """CLIP's vision tower.

    Attributes:
        architecture: of its blocks.
        image_size: S, pixels.
        dim: D, width of the embedding space.

    Args:
        architecture: of its blocks.
        patch: pixels along the side of a patch.
        grid: patches along the side of an image.
        dim: width of the embedding space.
    """

    def __init__(self, architecture: Architecture, patch: int, grid: int, dim: int) -> None:
        super().__init__()
        self.architecture, self.image_size, self.dim = architecture, patch * grid, dim
        width = architecture.width
        self.conv1 = nn.Conv2d(3, width, patch, stride=patch, bias=False)
        self.class_embedding = nn.Parameter(torch.empty(width))
        self.positional_embedding = nn.Parameter(torch.empty(grid * grid + 1, width))
        self.ln_pre, self.ln_post = nn.LayerNorm(width), nn.LayerNorm(width)
        self.transformer = Transformer(architecture)
        self.proj = nn.Parameter(torch.empty(width, dim))

    def forward(self, images: Tensor) -> Tensor:
        """Features [N, D] of images [N, 3, S, S], normalised; of [N, 1, S, S] if the first convolution is folded.

        Raises:
            OptionError: if the images have another size.
        """
        height, width = images.shape[-2:]
        if (height, width) != (self.image_size, self.image_size):
            raise OptionError(
                f"images of {height} x {width} pixels: this tower takes {self.image_size} x {self.image_size}"
            )
        patches = self.conv1(images).flatten(2).mT
        x = torch.cat([self.class_embedding.expand(len(patches), 1, -1), patches], dim=1)
        x = self.transformer(self.ln_pre(x + self.positional_embedding))
        return self.ln_post(x[:, 0]) @ self.proj


class TextTransformer(nn.Module):
    """CLIP's text tower.

    Attributes:
        architecture: of its blocks.
        vocabulary: number of tokens; the last one ends a text.
        context: L, tokens of the longest text.
        dim: D, width of the embedding space.

    Args:
        architecture: of its blocks.
        vocabulary: number of tokens.
        context: tokens of the longest text.
        dim: width of the embedding space.
    """

    def __init__(self, architecture: Architecture, vocabulary: int, context: int, dim: int) -> None:
        super().__init__()
        self.architecture, self.vocabulary, self.context, self.dim = architecture, vocabulary, context, dim
        self.token_embedding = nn.Embedding(vocabulary, architecture.width)
        self.positional_embedding = nn.Parameter(torch.empty(context, architecture.width))
        self.transformer = Transformer(architecture)
        self.ln_final = nn.LayerNorm(architecture.width)
        self.text_projection = nn.Parameter(torch.empty(architecture.width, dim))

    def forward(self, tokens: Tensor) -> Tensor:
        """Features [C, D] of token ids [C, L]: those at the first end of each text, whatever pads it."""
        x = self.token_embedding(tokens) + self.positional_embedding[: tokens.shape[1]]
        x = self.transformer(x, causal=True)
        # The end token has the highest number. Rows are independent, so only one of each needs the last norm.
        ends = x[torch.arange(len(x), device=x.device), tokens.argmax(-1)]
        return self.ln_final(ends) @ self.text_projection


def vision_tower(
    state: Mapping[str, Tensor], activation: Activation, owner: str, heads: int | None = None
) -> VisionTransformer:
    """Make a vision tower from its tensors.

    Args:
        state: tensors by OpenAI's names, without "visual.".
        activation: which the tensors do not tell.
        owner: of the tensors, for messages.
        heads: of each attention; by the rule of the published models if not given.

    Returns:
        The tower for inference, in fp32 and on the CPU.

    Raises:
        ModelError: that names a tensor which is missing, too many, misshapen or not finite.
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
    architecture = _architecture(state, width, heads, activation, owner)
    with torch.device("meta"):
        empty = VisionTransformer(architecture, patch, grid, dim)
    return _filled(empty, state, owner)


def text_tower(
    state: Mapping[str, Tensor], activation: Activation, owner: str, heads: int | None = None
) -> TextTransformer:
    """Make a text tower from its tensors; see ``vision_tower``."""
    vocabulary, width = _shape(state, "token_embedding.weight", 2, owner)
    context, _ = _shape(state, "positional_embedding", 2, owner)
    _, dim = _shape(state, "text_projection", 2, owner)
    heads = heads or max(width // HEAD_WIDTH, _MIN_TEXT_HEADS)
    architecture = _architecture(state, width, heads, activation, owner)
    with torch.device("meta"):
        empty = TextTransformer(architecture, vocabulary, context, dim)
    return _filled(empty, state, owner)


def _architecture(
    state: Mapping[str, Tensor], width: int, heads: int, activation: Activation, owner: str
) -> Architecture:
    """What the tensors tell of the blocks."""
    if heads < 1 or width % heads:
        raise ModelError(
            f"{owner}: width {width} cannot be divided among {heads} attention heads: "
            f"expected a multiple of {HEAD_WIDTH}"
        )
    # Counted, and not the highest number: a name costs a file nothing, a layer does.
    layers = len({match[1] for name in state if (match := _LAYER.match(name))})
    hidden = _shape(state, "transformer.resblocks.0.mlp.c_fc.weight", 2, owner)[0]
    return Architecture(width, layers, heads, hidden, activation)


def _shape(state: Mapping[str, Tensor], name: str, axes: int, owner: str) -> tuple[int, ...]:
    """Shape of a tensor that has to be there with so many axes."""
    if name not in state:
        raise ModelError(f"{owner}: the tensor {name!r} is missing")
    shape = tuple(state[name].shape)
    if len(shape) != axes or 0 in shape:
        raise ModelError(
            f"{owner}: the tensor {name!r} has shape {list(shape)}, expected {axes} axes, none of them empty"
        )
    return shape


Tower = TypeVar("Tower", VisionTransformer, TextTransformer)


def _filled(empty: Tower, state: Mapping[str, Tensor], owner: str) -> Tower:
    """Give a tower on the meta device its weights."""
    check_tensors(state, {name: tuple(tensor.shape) for name, tensor in empty.state_dict().items()}, owner)
    for name, tensor in state.items():
        if not tensor.is_floating_point():
            raise ModelError(f"{owner}: the tensor {name!r} is in {tensor.dtype}, expected floating-point numbers")
    weights = {name: tensor.detach().to("cpu", torch.float32).contiguous() for name, tensor in state.items()}
    empty.load_state_dict(weights, assign=True)
    return empty.eval().requires_grad_(False)
