"""``pocket``, the embedded backbone: it needs package registries and no model hub, and no PyTorch to answer.

Its text tower is all-MiniLM-L6-v2 and its image tower EfficientNet-Lite2 with ImageNet weights. Image features are
mapped into the text space by ridge regression from the rows of the ImageNet classifier, which stand for images of their
classes, to the embeddings of the class names: a closed form that needs no image. Both sides are centred first, images
separately for photos and depth maps. The depth tower is the image tower until one is trained; then it has the same
architecture and a linear map into the text space of its own.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clip2point.backbones import efficientnet_weights as efficientnet
from clip2point.backbones.fingerprints import hash_tensors
from clip2point.backbones.known_words import find_unknown_words
from clip2point.backbones.minilm_files import MAX_TOKENS, check_not_empty, tokenize
from clip2point.backbones.photos import resize_images
from clip2point.backbones.pocket_state import DepthState, check_depth_state
from clip2point.backbones.pocket_towers import EngineTowers, PocketTowers, SharedFiles
from clip2point.backbones.precision import choose_device, choose_dtype
from clip2point.backbones.protocol import DepthPath, check_path, check_pixels, check_tokens
from clip2point.backbones.runtimes import choose_runtime
from clip2point.core.arrays import Container, Float32, match_container, normalize_rows, to_array
from clip2point.core.errors import OptionError
from clip2point.core.lazy import require

if TYPE_CHECKING:
    from torch import nn

    from clip2point.backbones.pocket_modules import PocketDepthTower
    from clip2point.core.arrays import Array

#: Width of the embedding space.
DIM = 384
#: Side of colour images in pixels, and of depth maps until a tower is trained on others.
IMAGE_SIZE = 224
#: Least and greatest side of depth maps: the network halves images five times.
_SIZES = (32, 1024)

#: Shapes of the tensors that a checkpoint of this backbone has.
TENSORS: dict[str, tuple[int, ...]] = {
    "map.weight": (efficientnet.FEATURES, DIM),  # ridge map from image features to the text space
    "map.depth_mean": (efficientnet.FEATURES,),  # mean feature of depth maps
    "map.image_mean": (efficientnet.FEATURES,),  # mean feature of colour images
    "map.text_mean": (DIM,),  # mean embedding of the class names
}


class PocketBackbone:
    """The embedded backbone; implements ``Backbone``.

    Args:
        tensors: Arrays or tensors named in ``TENSORS``.
        logit_scale: Factor on cosines before a softmax.
        device: Name of a torch device.
        dtype: "auto", "fp32" or "bf16".
        runtime: Runtime that computes the towers: "auto", "openvino" or "torch", see ``runtimes.choose_runtime``.

    Attributes:
        runtime: "openvino" or "torch".
    """

    name = "pocket"
    #: Whether weights stay as they are; so fingerprints need be computed once only.
    frozen = True
    dim = DIM
    image_size = IMAGE_SIZE

    def __init__(
        self,
        tensors: Mapping[str, Array],
        *,
        logit_scale: float,
        device: str = "cpu",
        dtype: str = "auto",
        runtime: str = "auto",
    ) -> None:
        self.logit_scale = logit_scale
        self.device = choose_device(device)
        self.runtime = choose_runtime(runtime, self.device)
        self.dtype = _choose_dtype(dtype, self.device, self.runtime)
        self._map: dict[str, Float32] = {name: to_array(values).astype(np.float32) for name, values in tensors.items()}
        self._shared = SharedFiles()
        #: The trained depth tower as it is stored.
        self._depth: DepthState | None = None

    def fingerprint(self, path: DepthPath = "depth") -> str:
        """Hash the tower that reads depth maps and the map behind it, in the number format of this backbone."""
        check_path(path)
        if path == "depth" and self._depth is not None:
            return self._depth.fingerprint(self.dtype)
        return hash_tensors(self._map.items(), rounded=(self.dtype, self._shared.vision.items()))

    def text_fingerprint(self) -> str:
        """Hash the text tower, by the shapes and both ends of its tensors, and the mean that texts are centred by.

        Reading all of it would take longer than its vectors for a few labels do to be found.
        """
        weights = self._shared.text.weights
        ends = {
            f"{name} {list(array.shape)}": np.concatenate([array.ravel()[:64], array.ravel()[-64:]])
            for name, array in weights.items()
        }
        return hash_tensors({**ends, **self._map}.items())

    def encode_depth(self, depth: Container, path: DepthPath = "depth") -> Container:
        """Return features [B, V, 384] of depth maps [B, V, S, S] in [0, 1]."""
        check_path(path)
        maps = to_array(depth)
        images = maps.reshape(-1, 1, *maps.shape[2:]).astype(np.float32, copy=False)
        if path == "depth" and self._depth is not None:
            features = self._towers.encode_depth(images, maps.shape[1])
        else:
            features = self._map_features(self._towers.encode_grayscale(images, maps.shape[1]), "map.depth_mean")
        return match_container(features.reshape(*maps.shape[:2], DIM), depth)

    def encode_image(self, images: Container) -> Container:
        """Return features [B, 384] of colour images [B, 3, H, W] in [0, 1], resized to 224 x 224."""
        pixels = efficientnet.normalize(resize_images(to_array(images), IMAGE_SIZE))
        return match_container(self.encode_pixels(pixels), images)

    def encode_pixels(self, pixels: Container, path: DepthPath = "image") -> Container:
        """Return features [N, 384] of images [N, 3, H, W] as they are; see ``Backbone.encode_pixels``."""
        check_path(path)
        check_pixels(pixels)
        values = to_array(pixels).astype(np.float32, copy=False)
        if path == "depth" and self._depth is not None:
            depth = efficientnet.denormalize(values).mean(1, keepdims=True)
            return match_container(self._towers.encode_depth(depth, 1), pixels)
        return match_container(self._map_features(self._towers.encode_color(values), f"map.{path}_mean"), pixels)

    def encode_text(self, texts: Sequence[str]) -> Float32:
        """Return features [C, 384] of C texts."""
        return self._center_texts(self._towers.encode_tokens(tokenize(self._shared.text.tokenizer, texts)))

    def find_unknown_words(self, texts: Sequence[str]) -> list[str]:
        """Return words of texts that the text tower, which learned English, probably does not know."""
        return find_unknown_words(self._shared.text.tokenizer, texts)

    def encode_tokens(self, ids: Container) -> Container:
        """Return features [B, 384] of texts given as the numbers of their tokens; needs no tokenizer.

        Args:
            ids: Integers [B, L], L up to 256: the tokens of MiniLM with its first and last special token; 0 is padding.

        Raises:
            OptionError: If the tokens are not of that form.
        """
        check_tokens(ids, len(self._shared.text.weights["words.weight"]), MAX_TOKENS)
        numbers = to_array(ids).astype(np.int64, copy=False)
        check_not_empty(numbers)
        return match_container(self._center_texts(self._towers.encode_tokens(numbers)), ids)

    def depth_tower(self, path: DepthPath = "depth") -> PocketDepthTower:
        """Copy the tower of a path to be trained, with batch normalisation, for images of any size.

        In training mode it normalises by the statistics of the batch, so it gives the features of ``encode_depth``
        in evaluation mode only, in which it is returned.

        Raises:
            OptionError: If there is no such path, or PyTorch is not installed.
        """
        check_path(path)
        torch: Any = require("torch", "train", "training a depth tower")
        from clip2point.backbones import pocket_modules

        if path == "depth" and self._depth is not None:
            tower = pocket_modules.build_depth_tower(self._depth)
        else:
            weight = np.ascontiguousarray(self._map["map.weight"].T)
            tower = pocket_modules.start_depth_tower(weight, -weight @ self._map["map.depth_mean"])
        # On a CPU several times as fast to train as in the usual layout.
        channels_last: PocketDepthTower = tower.to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return channels_last.eval().requires_grad_(True)

    def with_depth_tower(
        self, tower: nn.Module | Mapping[str, Array], *, image_size: int | None = None
    ) -> PocketBackbone:
        """Make a backbone with a trained depth tower; see ``Backbone.with_depth_tower``."""
        size = self.image_size if image_size is None else image_size
        if not _SIZES[0] <= size <= _SIZES[1]:
            raise OptionError(f"image size {size} of the depth tower: expected {_SIZES[0]} to {_SIZES[1]} pixels")
        other = copy.copy(self)
        other.__dict__.pop("_towers", None)
        other.image_size = size
        other._depth = check_depth_state(tower if isinstance(tower, Mapping) else tower.state_dict(), DIM)
        return other

    def state_dict(self) -> dict[str, Array]:
        """Return the arrays of ``TENSORS`` and those of a trained depth tower."""
        trained = self._depth.tensors if self._depth is not None else {}
        return {**self._map, **{f"depth.{name}": tensor for name, tensor in trained.items()}}

    def config(self) -> dict[str, Any]:
        """Return what a checkpoint has to say besides."""
        depth = {"depth_tower": {"image_size": self.image_size}} if self._depth is not None else {}
        return {"backbone": self.name, "logit_scale": self.logit_scale, **depth}

    @cached_property
    def _towers(self) -> PocketTowers:
        """Towers of the runtime, which load what they need when they are first used."""
        if self.runtime == "openvino":
            return EngineTowers(self._shared, self._depth, self.dtype)
        from clip2point.backbones.pocket_modules import ModuleTowers

        return ModuleTowers(self._shared, self._depth, self.device, self.dtype)

    def _map_features(self, features: Float32, mean: str) -> Float32:
        """Map image features [..., 1280] into the text space [..., 384]."""
        return np.asarray((features - self._map[mean]) @ self._map["map.weight"], np.float32)

    def _center_texts(self, embeddings: Float32) -> Float32:
        """Give text embeddings [C, 384] the length 1 and take the class names' mean from them."""
        centered: NDArray[np.float32] = normalize_rows(embeddings) - self._map["map.text_mean"]
        return centered


def _choose_dtype(dtype: str, device: str, runtime: str) -> str:
    """Return the number format of the vision towers.

    On the engine bf16 has to be asked for: 5 of the 908 answers on ModelNet10 are others then (83.15 % for 83.48 %).
    """
    return choose_dtype("fp32" if runtime == "openvino" and dtype == "auto" else dtype, device)
