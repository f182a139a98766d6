"""What every vision-language backbone offers, and how work is split into batches."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import torch
from torch import Tensor

#: Images that go through a tower at once: glibc's allocator makes larger batches several times slower on the CPU.
MAX_BATCH = 64


class Backbone(Protocol):
    """Two vision towers (photos and depth maps) and a text tower that share one embedding space.

    Features come out as float32 on the CPU's or the model's device and are not normalised.

    Attributes:
        name: what :func:`clip2point.load` knows it by.
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

    def fingerprint(self) -> str:
        """Hash of all that the features of depth maps depend on: the tower's weights as loaded, and its code."""
        ...

    def encode_depth(self, depth: Tensor) -> Tensor:
        """Features [B, V, D] of depth maps [B, V, S, S] in [0, 1]."""
        ...

    def encode_image(self, images: Tensor) -> Tensor:
        """Features [B, D] of colour images [B, 3, H, W] in [0, 1]."""
        ...

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """Features [C, D] of C texts."""
        ...


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
