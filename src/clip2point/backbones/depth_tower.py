"""Depth towers as pre-training makes them: checked and copied on their way into a backbone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn

from clip2point.core.errors import ModelError, OptionError

Tower = TypeVar("Tower", bound=nn.Module)


def filled(tower: Tower, trained: nn.Module | Mapping[str, Tensor]) -> Tower:
    """Give a tower its own copy of trained weights.

    Args:
        tower: of the right architecture; its own weights are dropped and may lie on the meta device.
        trained: a tower, or the state of one, in fp32 or fp16.

    Returns:
        ``tower``, for inference, on the CPU and in its own number format.

    Raises:
        ModelError: that names a tensor which is missing, too many, misshapen, not finite or in another number format.
    """
    given = trained.state_dict() if isinstance(trained, nn.Module) else trained
    own = tower.state_dict()
    check_tensors(given, {name: tuple(tensor.shape) for name, tensor in own.items()}, "depth tower")
    copies = {}
    for name, tensor in given.items():
        expected = own[name].dtype
        if tensor.dtype not in (expected, torch.float16):
            raise ModelError(
                f"depth tower: the tensor {name!r} is in {tensor.dtype}, expected {expected} or torch.float16"
            )
        # One memory layout whatever the source had, so that the same weights give the same bits.
        copies[name] = tensor.detach().to("cpu", expected).clone(memory_format=torch.contiguous_format)
    tower.load_state_dict(copies, assign=True)
    return tower.eval().requires_grad_(False)


def check_image_size(wanted: int | None, own: int, owner: str) -> None:
    """Make sure that a tower which takes images of one size only is asked for no other.

    Raises:
        OptionError: if it is.
    """
    if wanted not in (None, own):
        raise OptionError(f"image size {wanted} of the depth tower: {owner} takes {own} pixels only")


def check_tensors(tensors: Mapping[str, Tensor], expected: Mapping[str, tuple[int, ...]], owner: str) -> None:
    """Make sure that there are exactly the expected tensors.

    Args:
        tensors: by name.
        expected: shapes by name.
        owner: of the tensors, for messages.

    Raises:
        ModelError: that names a tensor which is missing, too many, misshapen or not finite.
    """
    if missing := sorted(expected.keys() - tensors.keys()):
        raise ModelError(f"{owner}: the tensor {missing[0]!r} is missing ({len(missing)} in all)")
    if extra := sorted(tensors.keys() - expected.keys()):
        raise ModelError(f"{owner}: the tensor {extra[0]!r} is not part of this model ({len(extra)} in all)")
    for name, shape in expected.items():
        if tuple(tensors[name].shape) != tuple(shape):
            raise ModelError(
                f"{owner}: the tensor {name!r} has shape {list(tensors[name].shape)}, expected {list(shape)}"
            )
        if not tensors[name].isfinite().all():
            raise ModelError(f"{owner}: the tensor {name!r} has values that are not finite")
