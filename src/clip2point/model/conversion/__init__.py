"""Checkpoints of others: OpenAI's CLIP, OpenCLIP, and the authors of CLIP2Point, converted once into our format."""

from clip2point.model.conversion.converting import Conversion, convert

__all__ = ["Conversion", "convert"]
