"""Pre-training: the paper's losses, image-depth pairs into batches, and depth towers trained by a recipe."""

from clip2point.pretraining.recipe import Recipe, read_recipe

__all__ = ["Recipe", "read_recipe"]
