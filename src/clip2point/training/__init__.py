"""Training: the image-depth pre-training of depth towers, from a recipe to a model folder."""

from clip2point.training.recipe import Recipe, read_recipe

__all__ = ["Recipe", "read_recipe"]
