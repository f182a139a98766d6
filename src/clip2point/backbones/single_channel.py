"""Depth maps of one channel for a tower made for three.

The plain way repeats a depth map d to three channels, normalises each with its mean and deviation and convolves:
``sum_c W_c * (d - mean_c) / std_c + b``. All channels being equal, that is one convolution of d with
``sum_c W_c / std_c`` and the bias ``b - sum_c mean_c / std_c sum W_c``: a third of the work, and no normalising pass.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, TypeVar

import torch
from torch import nn

from clip2point.core.errors import ModelError

Tower = TypeVar("Tower", bound=nn.Module)


def copy_sharing_weights(tower: Tower) -> Tower:
    """Copy the modules of a tower and share all its weights, so that a module can be exchanged in the copy alone.

    Examples:
        >>> linear = nn.Linear(2, 2)
        >>> copied = copy_sharing_weights(linear)
        >>> copied is linear, copied.weight is linear.weight
        (False, True)
    """
    shared: dict[int, Any] = {id(tensor): tensor for tensor in (*tower.parameters(), *tower.buffers())}
    return copy.deepcopy(tower, memo=shared)


def fold_first_convolution(convolution: nn.Conv2d, mean: Sequence[float], std: Sequence[float]) -> nn.Conv2d:
    """Make the one-channel convolution that equals repeating, normalising and ``convolution``.

    Args:
        convolution: Convolution from 3 channels with one group and without padding: the zeros beyond the border of a
            normalised image have no counterpart in the unnormalised one.
        mean: Means of the three channels.
        std: Deviations of the three channels.

    Returns:
        A convolution from 1 channel with a bias, of the same dtype and on the same device.

    Raises:
        ModelError: If the convolution is of another kind.

    Examples:
        >>> convolution = nn.Conv2d(3, 8, 4, stride=4)
        >>> depth = torch.rand(2, 1, 16, 16)
        >>> folded = fold_first_convolution(convolution, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
        >>> plain = convolution((depth.expand(-1, 3, -1, -1) - 0.5) / 0.25)
        >>> torch.allclose(folded(depth), plain, atol=1e-5)
        True
    """
    if convolution.in_channels != 3 or convolution.groups != 1 or convolution.padding not in ((0, 0), "valid"):
        raise ModelError(f"cannot fold {convolution}: expected 3 input channels, one group and no padding")
    weight = convolution.weight.detach().double()
    scaled = weight / torch.tensor(std, dtype=torch.float64, device=weight.device)[:, None, None]
    shift = (scaled.sum((2, 3)) * torch.tensor(mean, dtype=torch.float64, device=weight.device)).sum(1)
    folded = nn.Conv2d(
        1,
        convolution.out_channels,
        convolution.kernel_size,  # type: ignore[arg-type]
        convolution.stride,  # type: ignore[arg-type]
        dilation=convolution.dilation,  # type: ignore[arg-type]
        device=weight.device,
        dtype=convolution.weight.dtype,
    )
    bias = -shift if convolution.bias is None else convolution.bias.detach().double() - shift
    with torch.no_grad():
        folded.weight.copy_(scaled.sum(1, keepdim=True))
        assert folded.bias is not None
        folded.bias.copy_(bias)
    return folded
