"""The towers of ``pocket`` as modules of PyTorch: to be trained, on a GPU, or where the engine is not installed."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from clip2point.backbones import efficientnet
from clip2point.backbones.depth_tower import DepthTower, fill_tower
from clip2point.backbones.efficientnet_weights import FEATURES
from clip2point.backbones.minilm import MiniLM, build_minilm, embed_tokens
from clip2point.backbones.pocket_state import DepthState
from clip2point.backbones.pocket_towers import SharedFiles
from clip2point.backbones.protocol import MAX_BATCH
from clip2point.backbones.torch_borders import encode_in_batches, to_tensor
from clip2point.core.arrays import Float32

#: Images at once on the CPU. The layers' outputs for more of them outgrow what glibc's allocator keeps for reuse, and
#: each layer then waits for fresh memory: 64 at once are half as fast.
_CPU_BATCH = 8


class PocketDepthTower(DepthTower):
    """A network and its map into the text space.

    Args:
        network: Network that reads grayscale images.
        head: Map from its features, in fp32.
    """

    def __init__(self, network: efficientnet.EfficientNetLite, head: nn.Linear) -> None:
        super().__init__()
        self.network, self.head = network, head

    def forward(self, images: Tensor) -> Tensor:
        """Return features [N, 384] of depth maps [N, 1, S, S] in [0, 1]."""
        return self.head(self.network.forward_grayscale(images).float())

    def blocks(self) -> list[nn.Module]:
        """Return the inverted residual blocks."""
        return self.network.blocks()


def build_depth_tower(state: DepthState) -> PocketDepthTower:
    """Build a depth tower with its own copy of weights, for inference."""
    with torch.device("meta"):  # without drawing weights, which would take time and random numbers
        head = nn.Linear(FEATURES, len(state.head[1]))
        empty = PocketDepthTower(efficientnet.EfficientNetLite(), head)
    return fill_tower(empty, {name: to_tensor(values) for name, values in state.tensors.items()})


def start_depth_tower(weight: NDArray[np.float32], bias: NDArray[np.float32]) -> PocketDepthTower:
    """Build the depth tower that is the image tower with a linear map [D, 1280] behind it, to be trained."""
    head = nn.utils.skip_init(nn.Linear, weight.shape[1], weight.shape[0])
    head.load_state_dict({"weight": torch.from_numpy(weight), "bias": torch.from_numpy(bias)})
    return PocketDepthTower(efficientnet.load_lite2()[0], head)


class ModuleTowers:
    """Towers in PyTorch; implements ``PocketTowers``.

    Args:
        shared: Frozen weights; the text tower's are used.
        depth: Trained depth tower, or None.
        device: Name of a torch device.
        dtype: Number format of the vision towers: "float32" or "bfloat16". Texts are computed in float32.
    """

    def __init__(self, shared: SharedFiles, depth: DepthState | None, device: str, dtype: str) -> None:
        self._shared, self._depth = shared, depth
        self._device, self._dtype = device, getattr(torch, dtype)
        self._batch = _CPU_BATCH if device == "cpu" else MAX_BATCH

    def encode_grayscale(self, images: Float32, views: int) -> Float32:
        """Return features by the image tower; see ``PocketTowers``."""
        return self._run(self._vision.forward_grayscale, to_tensor(images))

    def encode_color(self, pixels: Float32) -> Float32:
        """Return features by the image tower; see ``PocketTowers``."""
        return self._run(self._vision, to_tensor(pixels).contiguous(memory_format=torch.channels_last))

    def encode_depth(self, images: Float32, views: int) -> Float32:
        """Return features by the trained depth tower; see ``PocketTowers``."""
        return self._run(self._trained, to_tensor(images))

    def encode_tokens(self, ids: NDArray[np.int64]) -> Float32:
        """Return embeddings of texts; see ``PocketTowers``."""
        found: Float32 = encode_in_batches(lambda rows: embed_tokens(self._text, rows), to_tensor(ids)).cpu().numpy()
        return found

    def _run(self, tower: Any, images: Tensor) -> Float32:
        """Return what a tower makes of images."""
        found: Float32 = encode_in_batches(tower, images.to(self._device, self._dtype), self._batch).cpu().numpy()
        return found

    @cached_property
    def _vision(self) -> efficientnet.EfficientNetLite:
        return efficientnet.load_lite2()[0].fuse().to(self._device, self._dtype)

    @cached_property
    def _trained(self) -> PocketDepthTower:
        assert self._depth is not None
        stored = build_depth_tower(self._depth)
        network = stored.network.fuse().to(self._device, self._dtype)
        return PocketDepthTower(network, stored.head.to(self._device)).eval().requires_grad_(False)

    @cached_property
    def _text(self) -> MiniLM:
        return build_minilm(self._shared.text).to(self._device)
