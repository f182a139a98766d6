"""Depth towers as training makes them, checked and copied on their way into a backbone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from torch import nn

from clip2point.backbones.depth_tensors import check_tensors, type_name
from clip2point.core.arrays import to_array
from clip2point.core.errors import ModelError, OptionError

if TYPE_CHECKING:
    from clip2point.core.arrays import Array


class DepthTower(nn.Module):
    """A network from depth maps [N, 1, S, S] in [0, 1] to features [N, D].

    Its submodules are registered in the order in which they compute, so that what comes before its blocks and what
    comes after them is told by their order in ``modules()``.

    Examples:
        >>> class TwoLayers(DepthTower):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.layers = nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.Linear(8, 4))
        ...     def forward(self, images):
        ...         return self.layers(images)
        ...     def blocks(self):
        ...         return list(self.layers[1:])
        >>> tower = TwoLayers()
        >>> tower(torch.zeros(2, 1, 4, 4)).shape, len(tower.blocks())
        (torch.Size([2, 4]), 2)
    """

    def blocks(self) -> list[nn.Module]:
        """Return the blocks, first to last, of which fine-tuning may train the last ones alone."""
        raise NotImplementedError


Tower = TypeVar("Tower", bound=nn.Module)


def fill_tower(tower: Tower, trained: nn.Module | Mapping[str, Array]) -> Tower:
    """Give a tower its own copy of trained weights.

    Args:
        tower: Tower of the right architecture; its own weights are dropped and may lie on the meta device.
        trained: Tower, or the state of one, in fp32 or fp16.

    Returns:
        Tower for inference, on the CPU and in its own number format.

    Raises:
        ModelError: If a tensor is missing, unexpected, misshapen, not finite or in another number format; the message
            names it.

    Examples:
        >>> filled = fill_tower(nn.Linear(2, 1), {"weight": torch.ones(1, 2), "bias": torch.zeros(1).half()})
        >>> filled(torch.tensor([3.0, 4.0]))
        tensor([7.])
    """
    given = trained.state_dict() if isinstance(trained, nn.Module) else trained
    own = tower.state_dict()
    check_tensors(given, {name: tuple(tensor.shape) for name, tensor in own.items()}, "depth tower")
    copies = {}
    for name, tensor in given.items():
        expected = own[name].dtype
        if type_name(tensor) not in (type_name(own[name]), "float16"):
            raise ModelError(
                f"depth tower: the tensor {name!r} is in {tensor.dtype}, expected {expected} or torch.float16"
            )
        # The tower's memory layout whatever the source had, so that the same weights give the same bits.
        copies[name] = torch.empty_like(own[name], device="cpu").copy_(torch.from_numpy(np.array(to_array(tensor))))
    tower.load_state_dict(copies, assign=True)
    return tower.eval().requires_grad_(False)


def check_image_size(wanted: int | None, own: int, owner: str) -> None:
    """Make sure that a tower which takes images of one size only is asked for no other.

    Args:
        wanted: Side of the images in pixels; None for the tower's own.
        own: Side of the images that the tower takes, in pixels.
        owner: Name of the model, for the message.

    Raises:
        OptionError: If the sizes differ.

    Examples:
        >>> check_image_size(None, 224, "clip-vit-b-32")
        >>> check_image_size(160, 224, "clip-vit-b-32")
        Traceback (most recent call last):
        clip2point.core.errors.OptionError: image size 160 of the depth tower: clip-vit-b-32 takes 224 pixels only
    """
    if wanted not in (None, own):
        raise OptionError(f"image size {wanted} of the depth tower: {owner} takes {own} pixels only")
