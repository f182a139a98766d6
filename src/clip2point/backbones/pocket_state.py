"""The trained depth tower of ``pocket`` as a checkpoint stores it: arrays, checked, with their fingerprint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clip2point.backbones.depth_tensors import check_tensors
from clip2point.backbones.efficientnet_weights import FEATURES, PAIRS, STEM, fuse_weights, list_blocks
from clip2point.backbones.fingerprints import hash_tensors
from clip2point.core.arrays import Float32, to_array
from clip2point.core.errors import ModelError

if TYPE_CHECKING:
    from clip2point.core.arrays import Array

_NETWORK = "network."  # prefix of the network's tensors


@dataclass(frozen=True, eq=False)
class DepthState:
    """A trained depth tower.

    Attributes:
        tensors: Arrays by the names of ``pocket_modules.PocketDepthTower``, batch normalisations included, in float32.
    """

    tensors: Mapping[str, NDArray[Any]]

    @cached_property
    def fused(self) -> dict[str, Float32]:
        """Weights of the network with its batch normalisations absorbed, by the names of the fused network."""
        return fuse_weights(
            {name.removeprefix(_NETWORK): array for name, array in self.tensors.items() if name.startswith(_NETWORK)}
        )

    @property
    def head(self) -> tuple[Float32, Float32]:
        """Weight [D, 1280] and bias [D] of the map into the text space."""
        return self.tensors["head.weight"], self.tensors["head.bias"]

    def fingerprint(self, dtype: str) -> str:
        """Hash the tower as it computes in a number format; its map is in float32."""
        weight, bias = self.head
        network = ((f"{_NETWORK}{name}", array) for name, array in self.fused.items())
        return hash_tensors([("head.weight", weight), ("head.bias", bias)], rounded=(dtype, network))


def check_depth_state(state: Mapping[str, Array], dim: int) -> DepthState:
    """Check the state of a depth tower and copy it.

    Args:
        state: Arrays or tensors by name, in float32 or float16.
        dim: Width of the text space.

    Raises:
        ModelError: If a tensor is missing, unexpected, misshapen, not finite or in another number format; the message
            names it.
    """
    expected = _list_shapes(dim)
    check_tensors(state, expected, "depth tower")
    arrays = {}
    for name, values in state.items():
        form = str(values.dtype).removeprefix("torch.")
        own = "int64" if name.endswith("num_batches_tracked") else "float32"
        if form not in (own, "float16"):
            raise ModelError(f"depth tower: the tensor {name!r} is in {form}, expected {own} or float16")
        arrays[name] = np.array(to_array(values), own)
    return DepthState({name: arrays[name] for name in expected})


def _list_shapes(dim: int) -> dict[str, tuple[int, ...]]:
    """Return the shapes of all tensors by name, in the order of the modules."""
    blocks = list_blocks()
    shapes = _pair("_conv_stem", (STEM, 3, 3, 3))
    for number, layout in enumerate(blocks):
        hidden = layout.inputs * layout.expansion
        kernels = {
            "_expand_conv": (hidden, layout.inputs, 1, 1),
            "_depthwise_conv": (hidden, 1, layout.kernel, layout.kernel),
            "_project_conv": (layout.outputs, hidden, 1, 1),
        }
        for name, kernel in list(kernels.items())[0 if layout.expansion > 1 else 1 :]:
            shapes |= {f"_blocks.{number}.{part}": shape for part, shape in _pair(name, kernel).items()}
    shapes |= _pair("_conv_head", (FEATURES, blocks[-1].outputs, 1, 1))
    network = {f"{_NETWORK}{name}": shape for name, shape in shapes.items()}
    return {**network, "head.weight": (dim, FEATURES), "head.bias": (dim,)}


def _pair(convolution: str, kernel: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """Return the shapes of a convolution and of the normalisation after it."""
    normalization = dict(PAIRS)[convolution]
    channels = {f"{normalization}.{part}": kernel[:1] for part in ("weight", "bias", "running_mean", "running_var")}
    return {f"{convolution}.weight": kernel, **channels, f"{normalization}.num_batches_tracked": ()}
