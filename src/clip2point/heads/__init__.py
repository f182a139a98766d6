"""Heads: from view features to class scores, learned from labelled examples, with calibration and OOD detection."""

from typing import TYPE_CHECKING

from clip2point.core.lazy import lazy_attributes

if TYPE_CHECKING:
    from clip2point.heads.aggregator import GlobalView
    from clip2point.heads.base import Head, WordHead
    from clip2point.heads.dpa import DPA
    from clip2point.heads.examples import Examples, join
    from clip2point.heads.gdpa import GDPA
    from clip2point.heads.head_options import GDPASettings, HeadSettings, PathSettings, number
    from clip2point.heads.head_registry import grid, head_from_state, make_head, register_head
    from clip2point.heads.inter_view import InterView
    from clip2point.heads.linear import LogisticRegression
    from clip2point.heads.point_classifier import PointClassifier
    from clip2point.heads.tip_adapter import TipAdapter, TipAdapterF
    from clip2point.heads.trained import DepthPathHead, DPAHead, GDPAHead, ImagePathHead, InterViewHead, TrainedHead
    from clip2point.heads.training_free import NearestClassMean, ZeroShot

__all__ = [
    "DPA",
    "GDPA",
    "DPAHead",
    "DepthPathHead",
    "Examples",
    "GDPAHead",
    "GDPASettings",
    "GlobalView",
    "Head",
    "HeadSettings",
    "ImagePathHead",
    "InterView",
    "InterViewHead",
    "LogisticRegression",
    "NearestClassMean",
    "PathSettings",
    "PointClassifier",
    "TipAdapter",
    "TipAdapterF",
    "TrainedHead",
    "WordHead",
    "ZeroShot",
    "grid",
    "head_from_state",
    "join",
    "make_head",
    "number",
    "register_head",
]

#: The networks are modules of PyTorch, which fitted heads do without.
__getattr__ = lazy_attributes(
    __name__,
    {
        "aggregator": ("GlobalView",),
        "base": ("Head", "WordHead"),
        "dpa": ("DPA",),
        "examples": ("Examples", "join"),
        "gdpa": ("GDPA",),
        "head_options": ("GDPASettings", "HeadSettings", "PathSettings", "number"),
        "head_registry": ("grid", "head_from_state", "make_head", "register_head"),
        "inter_view": ("InterView",),
        "linear": ("LogisticRegression",),
        "point_classifier": ("PointClassifier",),
        "tip_adapter": ("TipAdapter", "TipAdapterF"),
        "trained": ("DPAHead", "DepthPathHead", "GDPAHead", "ImagePathHead", "InterViewHead", "TrainedHead"),
        "training_free": ("NearestClassMean", "ZeroShot"),
    },
)
