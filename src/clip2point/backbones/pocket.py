"""``pocket``, the embedded backbone: it needs package registries and no model hub.

Its text tower is all-MiniLM-L6-v2 and its image tower EfficientNet-Lite2 with ImageNet weights. Image features are
mapped into the text space by ridge regression from the rows of the ImageNet classifier, which stand for images of their
classes, to the embeddings of the class names: a closed form that needs no image. Both sides are centred first, images
separately for photos and depth maps. The depth tower is the image tower until one is trained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import torch
from torch import Tensor

from clip2point.backbones import efficientnet
from clip2point.backbones.minilm import MiniLMTextTower
from clip2point.backbones.precision import choose_device, choose_dtype
from clip2point.backbones.protocol import MAX_BATCH, hash_tensors, in_batches

#: Images at once on the CPU. The layers' outputs for more of them outgrow what glibc's allocator keeps for reuse, and
#: each layer then waits for fresh memory: 64 at once are half as fast.
_CPU_BATCH = 8

DIM = 384
IMAGE_SIZE = 224

#: Shapes of the tensors that a checkpoint of this backbone has.
TENSORS: dict[str, tuple[int, ...]] = {
    "map.weight": (efficientnet.FEATURES, DIM),  # ridge map from image features to the text space
    "map.depth_mean": (efficientnet.FEATURES,),  # mean feature of depth maps
    "map.image_mean": (efficientnet.FEATURES,),  # mean feature of colour images
    "map.text_mean": (DIM,),  # mean embedding of the class names
}


class PocketBackbone:
    """The embedded backbone; implements :class:`.protocol.Backbone`.

    Args:
        tensors: those named in :data:`TENSORS`.
        logit_scale: factor on cosines before a softmax.
        device: name of a torch device.
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

    @cached_property
    def _vision(self) -> efficientnet.EfficientNetLite:
        return efficientnet.load_lite2()[0].fused().to(self.device, self.dtype)

    @cached_property
    def _text(self) -> MiniLMTextTower:
        tower = MiniLMTextTower()
        tower.encoder.to(self.device)
        return tower

    def fingerprint(self) -> str:
        """Hash of the vision tower and the map behind it."""
        return hash_tensors([*self._vision.state_dict().items(), *self._map.items()])

    def encode_depth(self, depth: Tensor) -> Tensor:
        """Features [B, V, 384] of depth maps [B, V, S, S] in [0, 1]."""
        images = depth.flatten(0, 1)[:, None].to(self.device, self.dtype)
        features = in_batches(self._vision.forward_grey, images, self._batch)
        return self._mapped(features, "map.depth_mean").unflatten(0, depth.shape[:2])

    def encode_image(self, images: Tensor) -> Tensor:
        """Features [B, 384] of colour images [B, 3, H, W] in [0, 1], resized to 224 x 224."""
        size = (self.image_size, self.image_size)
        if images.shape[-2:] != size:
            images = torch.nn.functional.interpolate(images.float(), size, mode="bicubic", antialias=True).clamp(0, 1)
        normalized = efficientnet.normalize(images).to(self.device, self.dtype)
        features = in_batches(self._vision, normalized.contiguous(memory_format=torch.channels_last), self._batch)
        return self._mapped(features, "map.image_mean")

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """Features [C, 384] of C texts."""
        return torch.nn.functional.normalize(self._text(texts), dim=-1) - self._map["map.text_mean"]

    def _mapped(self, features: Tensor, mean: str) -> Tensor:
        """Image features [..., 1280] in the text space [..., 384]."""
        return (features - self._map[mean]) @ self._map["map.weight"]
