"""Arrays at the borders of towers: NumPy within, and whatever container the caller brought."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

    Array = np.ndarray | torch.Tensor

Container = TypeVar("Container", bound="np.ndarray | torch.Tensor")
Float32 = NDArray[np.float32]

#: Least length that vectors are divided by, as in PyTorch's ``normalize``.
_EPS = 1e-12


def to_array(values: Array) -> NDArray[Any]:
    """Return values as a NumPy array; a tensor's are taken from its device, bfloat16 as float32.

    Examples:
        >>> to_array(np.ones(2)).tolist()
        [1.0, 1.0]
    """
    if isinstance(values, np.ndarray):
        return values
    tensor = values.detach().cpu()
    return (tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor).numpy()


def match_container(array: NDArray[Any], like: Container) -> Container:
    """Return an array as what the caller brought: an array, or a tensor on the same device.

    Examples:
        >>> match_container(np.ones(2), np.zeros(3)).tolist()
        [1.0, 1.0]
    """
    if isinstance(like, np.ndarray):
        return cast(Container, array)
    import torch

    return cast(Container, torch.from_numpy(array).to(cast("torch.Tensor", like).device))


def normalize_rows(vectors: NDArray[Any]) -> NDArray[Any]:
    """Give vectors [..., D] the length 1; those of length 0 stay.

    Examples:
        >>> normalize_rows(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
        [[0.6, 0.8], [0.0, 0.0]]
    """
    return vectors / np.maximum(np.sqrt((vectors * vectors).sum(-1, keepdims=True)), vectors.dtype.type(_EPS))


def softmax(scores: NDArray[Any]) -> NDArray[np.float64]:
    """Return the softmax of scores [..., C] over the classes, in float64.

    Examples:
        >>> softmax(np.array([0.0, 0.0])).tolist()
        [0.5, 0.5]
    """
    exponentials = np.exp(np.asarray(scores, np.float64) - scores.max(-1, keepdims=True))
    return exponentials / exponentials.sum(-1, keepdims=True)
