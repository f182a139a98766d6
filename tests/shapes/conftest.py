"""Fixtures of sampled and augmented points."""

from training_fixtures import cloud

__all__ = ["cloud"]
