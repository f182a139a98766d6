"""Backbones: vision-language towers behind one protocol."""

from clip2point.backbones.protocol import MAX_BATCH, Backbone, DepthPath

__all__ = ["MAX_BATCH", "Backbone", "DepthPath"]
