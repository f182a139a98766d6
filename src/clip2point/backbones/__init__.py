"""Backbones: vision-language towers behind one protocol."""

from clip2point.backbones.backbone_registry import FrozenBackbone, register_backbone
from clip2point.backbones.depth_tower import DepthTower
from clip2point.backbones.protocol import MAX_BATCH, PATHS, Backbone, DepthPath, shapes_per_batch

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
