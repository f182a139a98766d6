"""Checks of named tensors, be they arrays or tensors of PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from clip2point.core.arrays import to_array
from clip2point.core.errors import ModelError

if TYPE_CHECKING:
    from clip2point.core.arrays import Array


def check_tensors(tensors: Mapping[str, Array], expected: Mapping[str, tuple[int, ...]], owner: str) -> None:
    """Make sure that exactly the expected tensors are there.

    Args:
        tensors: Arrays or tensors by name.
        expected: Shapes by name.
        owner: Name of what they belong to, for messages.

    Raises:
        ModelError: If a tensor is missing, unexpected, misshapen or not finite; the message names it.

    Examples:
        >>> check_tensors({"weight": np.zeros((2, 3))}, {"weight": (2, 3)}, "head")
        >>> check_tensors({"weight": np.zeros((2, 3))}, {"weight": (3, 2)}, "head")
        Traceback (most recent call last):
        clip2point.core.errors.ModelError: head: the tensor 'weight' has shape [2, 3], expected [3, 2]
    """
    if missing := sorted(expected.keys() - tensors.keys()):
        raise ModelError(f"{owner}: the tensor {missing[0]!r} is missing ({len(missing)} in all)")
    if extra := sorted(tensors.keys() - expected.keys()):
        raise ModelError(f"{owner}: the tensor {extra[0]!r} is not part of this model ({len(extra)} in all)")
    for name, shape in expected.items():
        found = tuple(tensors[name].shape)
        if found != tuple(shape):
            raise ModelError(f"{owner}: the tensor {name!r} has shape {list(found)}, expected {list(shape)}")
        if not np.isfinite(to_array(tensors[name])).all():
            raise ModelError(f"{owner}: the tensor {name!r} has values that are not finite")


def type_name(tensor: Array) -> str:
    """Return the name of a number format, the same for arrays and tensors.

    Examples:
        >>> type_name(np.zeros(1, np.float32))
        'float32'
    """
    return str(tensor.dtype).removeprefix("torch.")
