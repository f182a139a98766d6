"""Borders of towers that compute in PyTorch: arrays or tensors in, the same kind out; work in batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

from clip2point.backbones.protocol import MAX_BATCH
from clip2point.core.arrays import Container

if TYPE_CHECKING:
    from clip2point.core.arrays import Array


def to_tensor(values: Array) -> Tensor:
    """Return values as a tensor; an array's memory is shared where it may be.

    Examples:
        >>> import numpy as np
        >>> to_tensor(np.ones(2, np.float32))
        tensor([1., 1.])
    """
    if isinstance(values, Tensor):
        return values
    return torch.from_numpy(values if values.flags.writeable and min(values.strides, default=0) >= 0 else values.copy())


def give_back(features: Tensor, like: Container) -> Container:
    """Return features in the container that the caller brought.

    Examples:
        >>> import numpy as np
        >>> give_back(torch.ones(2), np.zeros(1)).tolist()
        [1.0, 1.0]
    """
    return cast(Container, features if isinstance(like, Tensor) else features.float().cpu().numpy())


@torch.inference_mode()
def encode_in_batches(tower: Callable[[Tensor], Tensor], images: Tensor, size: int = MAX_BATCH) -> Tensor:
    """Run a tower over images in batches.

    Args:
        tower: Function from [I, ...] to [I, D].
        images: Images [I, C, H, W], or token numbers [I, L].
        size: Largest number of images in a batch.

    Returns:
        [I, D] float32.

    Examples:
        >>> encode_in_batches(lambda images: images.flatten(1), torch.zeros(5, 3, 2, 2), size=2).shape
        torch.Size([5, 12])
    """
    if len(images) == 0:  # not all towers take none
        return tower(images.new_ones(1, *images.shape[1:])).float()[:0]
    return torch.cat([tower(batch).float() for batch in images.split(size)])
