"""Runtimes of towers: what computes a network, and which of them is at hand."""

from clip2point.backbones.runtimes.choice import RUNTIMES, choose_runtime

__all__ = ["RUNTIMES", "choose_runtime"]
