"""Fixtures of everything that trains."""

from training_fixtures import cache, cloud, meshes, pair_folder, tiny_tower

__all__ = ["cache", "cloud", "meshes", "pair_folder", "tiny_tower"]
