"""Conversion of foreign checkpoints into our format: OpenAI's CLIP, OpenCLIP, and the authors of CLIP2Point."""

from clip2point.model.conversion.converting import Conversion, convert

__all__ = ["Conversion", "convert"]
