"""What every vision-language backbone offers, and how work is split into batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

from clip2point.core.arrays import Container, Float32
from clip2point.core.errors import OptionError

if TYPE_CHECKING:
    from torch import nn

    from clip2point.backbones.depth_tower import DepthTower
    from clip2point.core.arrays import Array

#: Which tower reads depth maps: the one trained for them, or that of photos. They are one until one is trained.
DepthPath = Literal["depth", "image"]

#: Paths that read depth maps, in the order in which their features are stacked.
PATHS: tuple[DepthPath, ...] = ("depth", "image")

#: Images that go through a tower at once: glibc's allocator makes larger batches several times slower on the CPU.
MAX_BATCH = 64


class Backbone(Protocol):
    """Two vision towers (photos and depth maps) and a text tower that share one embedding space.

    Images and tokens are arrays or tensors; features come out in the same container, in float32, not normalised.
    Those of texts are arrays. A plug-in may give tensors whatever it was given.

    Attributes:
        name: Name by which ``clip2point.load`` knows it.
        dim: D, width of the embedding space.
        image_size: S, side in pixels of the depth maps that it reads.
        logit_scale: Factor on cosines before a softmax.
        device: Name of the device of the towers, such as "cpu".
        dtype: Name of the number format in which the vision towers compute: "float32" or "bfloat16".
    """

    name: str
    dim: int
    image_size: int
    logit_scale: float
    device: str
    dtype: str

    def fingerprint(self, path: DepthPath = "depth") -> str:
        """Hash all that the features of depth maps depend on: the tower's weights as loaded, and its code."""
        ...

    def encode_depth(self, depth: Container, path: DepthPath = "depth") -> Container:
        """Return features [B, V, D] of depth maps [B, V, S, S] in [0, 1].

        Raises:
            OptionError: If there is no such path.
        """
        ...

    def encode_image(self, images: Container) -> Container:
        """Return features [B, D] of colour images [B, 3, H, W] in [0, 1]."""
        ...

    def encode_pixels(self, pixels: Container, path: DepthPath = "image") -> Container:
        """Return features of images exactly as they are: nothing is resized, normalised or clipped.

        Args:
            pixels: Images [N, 3, S, S], resized and normalised by the mean and deviation of this backbone.
            path: Tower that reads them: "image", or "depth" for depth maps repeated to three channels. A depth tower
                that takes one channel is given the mean of the three, after normalising was undone.

        Returns:
            [N, D] float32.

        Raises:
            OptionError: If there is no such path, or the images are of another form.
        """
        ...

    def encode_text(self, texts: Sequence[str]) -> Float32:
        """Return features [C, D] of C texts."""
        ...

    def encode_tokens(self, ids: Container) -> Container:
        """Return features of texts given as the numbers of their tokens; needs no tokenizer.

        Args:
            ids: Integers [B, L] as the backbone's tokenizer gives them, special tokens and padding included.

        Returns:
            [B, D] float32.

        Raises:
            OptionError: If the tokens are of another form, or none of the tower's.
        """
        ...

    def depth_tower(self, path: DepthPath = "depth") -> DepthTower:
        """Copy a tower to be trained, in fp32 and in evaluation mode; it shares nothing with this backbone.

        Args:
            path: "depth" to train the depth tower further, "image" to begin with the image tower.

        Returns:
            A tower that gives the features of ``encode_depth`` until it is trained.

        Raises:
            OptionError: If there is no such path.
        """
        ...

    def with_depth_tower(self, tower: nn.Module | Mapping[str, Array], *, image_size: int | None = None) -> Backbone:
        """Make a backbone that reads depth maps with a trained tower and shares the other towers with this one.

        Args:
            tower: Tower made by ``depth_tower`` and trained since, or the state of one; it is copied.
            image_size: Side in pixels of the depth maps to be rendered for it; as before if not given.

        Raises:
            ModelError: If a tensor is not what it should be; the message names it.
            OptionError: If the network does not take images of that size.
        """
        ...

    def state_dict(self) -> Mapping[str, Array]:
        """Return the tensors that a checkpoint has to hold, in fp32; a trained depth tower's begin with ``depth.``."""
        ...

    def config(self) -> dict[str, Any]:
        """Return what a checkpoint has to say besides, as JSON types; ``backbone`` names the kind."""
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
        OptionError: If it does not.

    Examples:
        >>> check_path("depth")
        >>> check_path("photo")
        Traceback (most recent call last):
        clip2point.core.errors.OptionError: unknown path 'photo' for depth maps: expected one of depth, image
    """
    if path not in get_args(DepthPath):
        raise OptionError(f"unknown path {path!r} for depth maps: expected one of {', '.join(get_args(DepthPath))}")


def check_pixels(pixels: Array) -> None:
    """Make sure that an array or tensor holds colour images [N, 3, H, W].

    Raises:
        OptionError: If it has another number of axes or channels, or holds integers.

    Examples:
        >>> import numpy as np
        >>> check_pixels(np.zeros((1, 3, 224, 224), np.float32))
        >>> check_pixels(np.zeros((3, 224, 224), np.float32))
        Traceback (most recent call last):
        clip2point.core.errors.OptionError: images of shape [3, 224, 224]: expected [N, 3, H, W]
    """
    if pixels.ndim != 4 or pixels.shape[1] != 3:
        raise OptionError(f"images of shape {list(pixels.shape)}: expected [N, 3, H, W]")
    if "float" not in str(pixels.dtype):
        raise OptionError(f"images in {pixels.dtype}: expected floating-point numbers")


def check_tokens(ids: Array, vocabulary: int, context: int) -> None:
    """Make sure that an array or tensor holds token numbers [B, L] that a text tower knows.

    Args:
        ids: Array or tensor to be checked.
        vocabulary: Number of tokens that the tower knows.
        context: Number of tokens of the longest text.

    Raises:
        OptionError: If it holds something else.

    Examples:
        >>> import numpy as np
        >>> check_tokens(np.array([[49406, 320, 49407]]), 49408, 77)
        >>> check_tokens(np.array([[49408]]), 49408, 77)
        Traceback (most recent call last):
        clip2point.core.errors.OptionError: tokens from 49408 to 49408: expected 0 to 49407
    """
    if ids.ndim != 2 or "int" not in str(ids.dtype) or not 1 <= ids.shape[1] <= context:
        raise OptionError(
            f"tokens of shape {list(ids.shape)} in {ids.dtype}: expected integers [B, L], L from 1 to {context}"
        )
    if len(ids) and not (int(ids.min()) >= 0 and int(ids.max()) < vocabulary):
        raise OptionError(f"tokens from {int(ids.min())} to {int(ids.max())}: expected 0 to {vocabulary - 1}")
