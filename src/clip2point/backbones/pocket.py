"""``pocket``, the embedded backbone: it needs package registries and no model hub.

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
from typing import Any

import torch
from torch import Tensor, nn

from clip2point.backbones import efficientnet
from clip2point.backbones.depth_tower import DepthTower, fill_tower
from clip2point.backbones.minilm import MiniLMTextTower
from clip2point.backbones.precision import choose_device, choose_dtype
from clip2point.backbones.protocol import (
    MAX_BATCH,
    DepthPath,
    check_path,
    check_pixels,
    encode_in_batches,
    hash_tensors,
)
from clip2point.core.errors import OptionError

#: Images at once on the CPU. The layers' outputs for more of them outgrow what glibc's allocator keeps for reuse, and
#: each layer then waits for fresh memory: 64 at once are half as fast.
_CPU_BATCH = 8

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


class PocketDepthTower(DepthTower):
    """A network and its map into the text space.

    Args:
        network: Network that reads grayscale images.
        head: Map from its features, in fp32.
    """

    def __init__(self, network: efficientnet.EfficientNetLite, head: nn.Linear) -> None:
        super().__init__()
        self.network, self.head = network, head

    def forward(self, images: Tensor) -> Tensor:
        """Return features [N, 384] of depth maps [N, 1, S, S] in [0, 1]."""
        return self.head(self.network.forward_grayscale(images).float())

    def blocks(self) -> list[nn.Module]:
        """Return the inverted residual blocks."""
        return self.network.blocks()


class _SharedTowers:
    """The frozen image and text towers, loaded when first used."""

    def __init__(self, device: torch.device, dtype: torch.dtype) -> None:
        self._device, self._dtype = device, dtype

    @cached_property
    def vision(self) -> efficientnet.EfficientNetLite:
        return efficientnet.load_lite2()[0].fuse().to(self._device, self._dtype)

    @cached_property
    def text(self) -> MiniLMTextTower:
        tower = MiniLMTextTower()
        tower.encoder.to(self._device)
        return tower


class PocketBackbone:
    """The embedded backbone; implements ``Backbone``.

    Args:
        tensors: Tensors named in ``TENSORS``.
        logit_scale: Factor on cosines before a softmax.
        device: Name of a torch device.
        dtype: "auto", "fp32" or "bf16".
    """

    name = "pocket"
    dim = DIM
    image_size = IMAGE_SIZE

    def __init__(
        self, tensors: Mapping[str, Tensor], *, logit_scale: float, device: str = "cpu", dtype: str = "auto"
    ) -> None:
        self.logit_scale = logit_scale
        self.device = choose_device(device)
        self.dtype = choose_dtype(dtype, self.device)
        self._batch = _CPU_BATCH if self.device.type == "cpu" else MAX_BATCH
        self._map = {name: tensor.to(self.device, torch.float32) for name, tensor in tensors.items()}
        self._shared = _SharedTowers(self.device, self.dtype)
        #: The trained depth tower as it is stored, and as it computes.
        self._trained: PocketDepthTower | None = None
        self._depth: PocketDepthTower | None = None

    def fingerprint(self, path: DepthPath = "depth") -> str:
        """Hash the tower that reads depth maps and the map behind it."""
        check_path(path)
        if path == "depth" and self._depth is not None:
            return hash_tensors(self._depth.state_dict().items())
        return hash_tensors([*self._shared.vision.state_dict().items(), *self._map.items()])

    def encode_depth(self, depth: Tensor, path: DepthPath = "depth") -> Tensor:
        """Return features [B, V, 384] of depth maps [B, V, S, S] in [0, 1]."""
        check_path(path)
        images = depth.flatten(0, 1)[:, None].to(self.device, self.dtype)
        if path == "depth" and self._depth is not None:
            features = encode_in_batches(self._depth, images, self._batch)
        else:
            features = encode_in_batches(self._shared.vision.forward_grayscale, images, self._batch)
            features = self._map_features(features, "map.depth_mean")
        return features.unflatten(0, depth.shape[:2])

    def encode_image(self, images: Tensor) -> Tensor:
        """Return features [B, 384] of colour images [B, 3, H, W] in [0, 1], resized to 224 x 224."""
        size = (IMAGE_SIZE, IMAGE_SIZE)
        if images.shape[-2:] != size:
            images = torch.nn.functional.interpolate(images.float(), size, mode="bicubic", antialias=True).clamp(0, 1)
        return self.encode_pixels(efficientnet.normalize(images))

    def encode_pixels(self, pixels: Tensor, path: DepthPath = "image") -> Tensor:
        """Return features [N, 384] of images [N, 3, H, W] as they are; see ``Backbone.encode_pixels``."""
        check_path(path)
        check_pixels(pixels)
        if path == "depth" and self._depth is not None:
            depth = efficientnet.denormalize(pixels).mean(1, keepdim=True)
            return encode_in_batches(self._depth, depth.to(self.device, self.dtype), self._batch)
        pixels = pixels.to(self.device, self.dtype).contiguous(memory_format=torch.channels_last)
        return self._map_features(encode_in_batches(self._shared.vision, pixels, self._batch), f"map.{path}_mean")

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """Return features [C, 384] of C texts."""
        return self._center_texts(self._shared.text(texts))

    def encode_tokens(self, ids: Tensor) -> Tensor:
        """Return features [B, 384] of texts given as the numbers of their tokens; needs no tokenizer.

        Args:
            ids: Integers [B, L], L up to 256: the tokens of MiniLM with its first and last special token; 0 is padding.

        Raises:
            OptionError: If the tokens are not of that form.
        """
        return self._center_texts(encode_in_batches(self._shared.text.encode_tokens, ids))

    def depth_tower(self, path: DepthPath = "depth") -> PocketDepthTower:
        """Copy the tower of a path to be trained, with batch normalisation, for images of any size.

        In training mode it normalises by the statistics of the batch, so it gives the features of ``encode_depth``
        in evaluation mode only, in which it is returned.
        """
        check_path(path)
        if path == "depth" and self._trained is not None:
            tower = copy.deepcopy(self._trained)
        else:
            tower = PocketDepthTower(efficientnet.load_lite2()[0], self._depth_map())
        # On a CPU several times as fast to train as in the usual layout.
        channels_last: PocketDepthTower = tower.to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return channels_last.eval().requires_grad_(True)

    def with_depth_tower(
        self, tower: nn.Module | Mapping[str, Tensor], *, image_size: int | None = None
    ) -> PocketBackbone:
        """Make a backbone with a trained depth tower; see ``Backbone.with_depth_tower``."""
        size = self.image_size if image_size is None else image_size
        if not _SIZES[0] <= size <= _SIZES[1]:
            raise OptionError(f"image size {size} of the depth tower: expected {_SIZES[0]} to {_SIZES[1]} pixels")
        with torch.device("meta"):  # without drawing weights, which would take time and random numbers
            empty = PocketDepthTower(efficientnet.EfficientNetLite(), nn.Linear(efficientnet.FEATURES, DIM))
        trained = fill_tower(empty, tower)
        other = copy.copy(self)
        other.image_size = size
        other._trained = trained
        other._depth = PocketDepthTower(
            trained.network.fuse().to(self.device, self.dtype), copy.deepcopy(trained.head).to(self.device)
        )
        return other

    def state_dict(self) -> dict[str, Tensor]:
        """Return the tensors of ``TENSORS`` and those of a trained depth tower."""
        trained = self._trained.state_dict() if self._trained is not None else {}
        return {**self._map, **{f"depth.{name}": tensor for name, tensor in trained.items()}}

    def config(self) -> dict[str, Any]:
        """Return what a checkpoint has to say besides."""
        depth = {"depth_tower": {"image_size": self.image_size}} if self._trained is not None else {}
        return {"backbone": self.name, "logit_scale": self.logit_scale, **depth}

    def _depth_map(self) -> nn.Linear:
        """Make the map of depth maps' features, with the mean as a bias."""
        weight, mean = self._map["map.weight"], self._map["map.depth_mean"]
        head = nn.utils.skip_init(nn.Linear, *weight.shape, device=self.device)
        with torch.no_grad():
            head.weight.copy_(weight.T)
            head.bias.copy_(-mean @ weight)
        return head

    def _map_features(self, features: Tensor, mean: str) -> Tensor:
        """Map image features [..., 1280] into the text space [..., 384]."""
        return (features - self._map[mean]) @ self._map["map.weight"]

    def _center_texts(self, embeddings: Tensor) -> Tensor:
        """Give text embeddings [C, 384] the length 1 and take the class names' mean from them."""
        return torch.nn.functional.normalize(embeddings, dim=-1) - self._map["map.text_mean"]
