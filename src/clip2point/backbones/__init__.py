"""Backbones: vision-language towers behind one protocol."""

from typing import TYPE_CHECKING

from clip2point.backbones.backbone_registry import FrozenBackbone, register_backbone
from clip2point.backbones.protocol import MAX_BATCH, PATHS, Backbone, DepthPath, shapes_per_batch
from clip2point.core.lazy import lazy_attributes

if TYPE_CHECKING:
    from clip2point.backbones.depth_tower import DepthTower

__all__ = [
    "MAX_BATCH",
    "PATHS",
    "Backbone",
    "DepthPath",
    "DepthTower",
    "FrozenBackbone",
    "register_backbone",
    "shapes_per_batch",
]

#: Depth towers are modules of PyTorch, which the rest does without.
__getattr__ = lazy_attributes(__name__, {"depth_tower": ("DepthTower",)})
