"""What every vision-language backbone offers, and how work is split into batches."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, Protocol, get_args

import torch
from torch import Tensor, nn

from clip2point.core.errors import OptionError

#: Which tower reads depth maps: the one trained for them, or that of photos. They are one until one is trained.
DepthPath = Literal["depth", "image"]

#: Paths that read depth maps, in the order in which their features are stacked.
PATHS: tuple[DepthPath, ...] = ("depth", "image")

#: Images that go through a tower at once: glibc's allocator makes larger batches several times slower on the CPU.
MAX_BATCH = 64


class Backbone(Protocol):
    """Two vision towers (photos and depth maps) and a text tower that share one embedding space.

    Features come out as float32 on the CPU's or the model's device and are not normalised.

    Attributes:
        name: what ``clip2point.load`` knows it by.
        dim: D, width of the embedding space.
        image_size: S, pixels; the size at which depth maps are to be rendered.
        logit_scale: factor on cosines before a softmax.
        device: where the towers are.
        dtype: in which the vision towers compute.
    """

    name: str
    dim: int
    image_size: int
    logit_scale: float
    device: torch.device
    dtype: torch.dtype

    def fingerprint(self, path: DepthPath = "depth") -> str:
        """Hash of all that the features of depth maps depend on: the tower's weights as loaded, and its code."""
        ...

    def encode_depth(self, depth: Tensor, path: DepthPath = "depth") -> Tensor:
        """Features [B, V, D] of depth maps [B, V, S, S] in [0, 1].

        Raises:
            OptionError: if there is no such path.
        """
        ...

    def encode_image(self, images: Tensor) -> Tensor:
        """Features [B, D] of colour images [B, 3, H, W] in [0, 1]."""
        ...

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """Features [C, D] of C texts."""
        ...

    def depth_tower(self, path: DepthPath = "depth") -> nn.Module:
        """A copy of a tower to be trained, in fp32 and in evaluation mode, sharing nothing with this backbone.

        It maps depth maps [N, 1, S, S] in [0, 1] to features [N, D], those of ``encode_depth`` before training.

        Args:
            path: "depth" to train the depth tower further, "image" to begin with the image tower.

        Raises:
            OptionError: if there is no such path.
        """
        ...

    def with_depth_tower(self, tower: nn.Module | Mapping[str, Tensor], *, image_size: int | None = None) -> Backbone:
        """A backbone that reads depth maps with a trained tower and shares the other towers with this one.

        Args:
            tower: made by ``depth_tower`` and trained since, or the state of one; it is copied.
            image_size: at which depth maps are to be rendered for it, in pixels; as before if not given.

        Raises:
            ModelError: that names a tensor which is not what it should be.
            OptionError: if the network does not take images of that size.
        """
        ...

    def state_dict(self) -> dict[str, Tensor]:
        """The tensors that a checkpoint has to hold, in fp32; those of a trained depth tower begin with ``depth.``."""
        ...

    def config(self) -> dict[str, Any]:
        """What a checkpoint has to say besides, as JSON types; ``backbone`` names the kind."""
        ...


def shapes_per_batch(views: int) -> int:
    """Return how many shapes of so many views go through a tower at once, at least one.

    Examples:
        >>> shapes_per_batch(6), shapes_per_batch(100)
        (10, 1)
    """
    return max(1, MAX_BATCH // views)


def check_path(path: str) -> None:
    """Make sure that a path for depth maps exists.

    Raises:
        OptionError: if it does not.
    """
    if path not in get_args(DepthPath):
        raise OptionError(f"unknown path {path!r} for depth maps: expected one of {', '.join(get_args(DepthPath))}")


def hash_tensors(tensors: Iterable[tuple[str, Tensor]]) -> str:
    """Hash of named tensors: names, shapes, number formats and every byte."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors, key=lambda pair: pair[0]):
        digest.update(f"{name} {list(tensor.shape)} {tensor.dtype};".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


@torch.inference_mode()
def in_batches(tower: Callable[[Tensor], Tensor], images: Tensor, size: int = MAX_BATCH) -> Tensor:
    """Run a tower over images in batches of at most ``size``.

    Args:
        tower: from [I, C, H, W] to [I, D].
        images: [I, C, H, W].
        size: of a batch.

    Returns:
        [I, D] float32.
    """
    return torch.cat([tower(batch).float() for batch in images.split(size)])
