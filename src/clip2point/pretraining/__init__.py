"""Pre-training: image-depth pairs, the paper's losses, and depth towers trained from a recipe to a model folder."""

from clip2point.pretraining.recipe import Recipe, read_recipe

__all__ = ["Recipe", "read_recipe"]
