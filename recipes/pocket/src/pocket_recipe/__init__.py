"""The making of the model "pocket": readers of the meshes that it learned from, its image map, and its release."""

from pocket_recipe.sources import list_catalogues, list_manifest, register

__all__ = ["list_catalogues", "list_manifest", "register"]
