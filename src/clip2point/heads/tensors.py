"""Tensors for heads: those of plug-ins, which compute with PyTorch, and for training."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from clip2point.core.arrays import to_array
from clip2point.heads.examples import Examples

if TYPE_CHECKING:
    from clip2point.core.arrays import Array


def to_tensor(values: Array) -> Tensor:
    """Return values as a tensor on the CPU that can be trained on; memory is shared where it can be.

    Examples:
        >>> to_tensor(np.ones(2, np.float32))
        tensor([1., 1.])
    """
    array = to_array(values)
    if not array.flags.writeable or min(array.strides, default=0) < 0:
        array = array.copy()
    with torch.inference_mode(False):  # inference tensors cannot be trained on
        return torch.from_numpy(array)


def call_with_tensors(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a method of a head that computes with tensors, without gradients; arrays among its arguments become such.

    Examples:
        >>> call_with_tensors(torch.add, np.ones(2), 1)
        tensor([2., 2.], dtype=torch.float64)
    """
    with torch.inference_mode(False), torch.no_grad():
        return function(*map(_convert, arguments))


def _convert(value: Any) -> Any:
    if isinstance(value, Examples):
        return Examples(to_tensor(value.features), to_tensor(value.labels))
    return to_tensor(value) if isinstance(value, np.ndarray) else value
