"""Backbones by name: those that plug-ins bring, and a base class for towers that are used as they are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from clip2point.backbones.precision import choose_device, choose_dtype
from clip2point.backbones.protocol import Backbone, DepthPath, check_path
from clip2point.core.arrays import Float32, to_array
from clip2point.core.errors import OptionError, PluginError
from clip2point.core.plugin_code import plugin_code
from clip2point.core.registries import BACKBONES

if TYPE_CHECKING:
    from torch import nn

    from clip2point.backbones.depth_tower import DepthTower
    from clip2point.core.arrays import Array

#: Makes a backbone on a device ("cpu", "cuda", ...), whose vision towers compute in a number format ("auto", "fp32" or
#: "bf16"): called with the keywords ``device`` and ``dtype``.
BackboneLoader = Callable[..., Backbone]

_MEMBERS = tuple(name for name in (*Backbone.__annotations__, *vars(Backbone)) if not name.startswith("_"))


class FrozenBackbone(ABC):
    """Towers that are used as they are: depth maps are read as images, and no depth tower is trained for them.

    A class that derives from it and has the attributes ``name``, ``dim`` and ``logit_scale`` is a ``BackboneLoader``.

    Attributes:
        name: Name in the registry.
        dim: Width D of the embedding space.
        image_size: Height and width S in pixels of depth maps.
        logit_scale: Factor on cosines before a softmax.
        device: Name of the device of the towers.
        dtype: Name of the number format of the vision tower: "float32" or "bfloat16".

    Args:
        device: Name of a torch device.
        dtype: "auto", "fp32" or "bf16".
    """

    name: str
    dim: int
    image_size: int = 224
    logit_scale: float

    def __init__(self, *, device: str = "cpu", dtype: str = "auto") -> None:
        self.device = choose_device(device)
        self.dtype = choose_dtype(dtype, self.device)

    @abstractmethod
    def encode_image(self, images: Float32) -> Array:
        """Return features [B, D] of colour images [B, 3, H, W] in [0, 1], an array or a tensor."""

    @abstractmethod
    def encode_text(self, texts: Sequence[str]) -> Array:
        """Return features [C, D] of C texts, an array or a tensor."""

    def encode_depth(self, depth: Array, path: DepthPath = "depth") -> Float32:
        """Return features [B, V, D] of depth maps [B, V, S, S] in [0, 1], read as gray images by either path."""
        check_path(path)
        maps = to_array(depth)
        images = np.ascontiguousarray(np.repeat(maps.reshape(-1, 1, *maps.shape[2:]), 3, axis=1))
        return to_array(self.encode_image(images)).reshape(*maps.shape[:2], -1)

    def encode_pixels(self, pixels: Array, path: DepthPath = "image") -> Float32:
        """Raise OptionError: how images are normalised is not known here."""
        raise OptionError(f"{self.name}: takes no images that are normalised already; use encode_image")

    def encode_tokens(self, ids: Array) -> Float32:
        """Raise OptionError: how texts become tokens is not known here."""
        raise OptionError(f"{self.name}: takes no tokens; use encode_text")

    def fingerprint(self, path: DepthPath = "depth") -> str:
        """Return the name; what features depend on besides the code, such as weights in a file, is to be added."""
        return self.name

    def config(self) -> dict[str, Any]:
        """Return what a library of shapes and a checkpoint say of the backbone."""
        return {"backbone": self.name, "base_fingerprint": self.fingerprint()}

    def state_dict(self) -> dict[str, Array]:
        """Return nothing: no tower was trained here."""
        return {}

    def depth_tower(self, path: DepthPath = "depth") -> DepthTower:
        """Raise OptionError: no tower can be trained."""
        raise OptionError(f"{self.name}: its towers cannot be trained; use heads, or another model")

    def with_depth_tower(self, tower: nn.Module | Mapping[str, Array], *, image_size: int | None = None) -> Backbone:
        """Raise OptionError: no tower can be trained."""
        raise OptionError(f"{self.name}: its towers cannot be trained; use heads, or another model")


def register_backbone(name: str, load: BackboneLoader) -> None:
    """Have ``clip2point.load`` know another backbone, for the rest of this process.

    Packages use the entry points ``clip2point.backbones`` instead, which name the loader.

    Args:
        name: Name for ``--model``; the backbone has it as its ``name``.
        load: Function or class that makes the backbone, given ``device`` and ``dtype``.

    Raises:
        OptionError: If the name is built in or begins with "hf:".

    Examples:
        >>> import numpy as np
        >>> import clip2point
        >>> from clip2point.backbones import FrozenBackbone, register_backbone
        >>> class MeanColor(FrozenBackbone):
        ...     name, dim, logit_scale = "mean-color", 3, 10.0
        ...     def encode_image(self, images):
        ...         return images.mean((2, 3))
        ...     def encode_text(self, texts):
        ...         return np.eye(3)[[len(text) % 3 for text in texts]]
        >>> register_backbone("mean-color", MeanColor)
        >>> clip2point.load("mean-color").backbone.dim
        3
    """
    if name.startswith("hf:"):
        raise OptionError(f"{name!r} is no name for a backbone: those that begin with hf: are on a hub")
    BACKBONES.register(name, load)


def load_plugin_backbone(name: str, *, device: str = "cpu", dtype: str = "auto") -> Backbone:
    """Make a backbone of a plug-in.

    Args:
        name: Name of the backbone.
        device: Name of a torch device.
        dtype: "auto", "fp32" or "bf16".

    Raises:
        OptionError: If there is no such backbone, or the device or dtype cannot be used.
        PluginError: If the plug-in is broken, or what it makes lacks something that ``Backbone`` asks for.
    """
    backbone: Backbone = BACKBONES.load(name)(device=device, dtype=dtype)
    if missing := [member for member in _MEMBERS if not hasattr(backbone, member)]:
        raise PluginError(f"the backbone {name!r} lacks {', '.join(missing)}: see clip2point.backbones.Backbone")
    return backbone


def backbone_code(backbone: Backbone) -> dict[str, str]:
    """Return the hash of a plug-in's code as an entry for a key; nothing for backbones of clip2point's own."""
    code = plugin_code(backbone)
    return {"tower_code": code} if code else {}
