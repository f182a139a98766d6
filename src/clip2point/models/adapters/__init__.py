"""Adapters: what recognises shapes from the features of their views after seeing some examples."""

from clip2point.models.adapters.aggregator import GlobalView
from clip2point.models.adapters.dpa import DPA
from clip2point.models.adapters.examples import Examples, join
from clip2point.models.adapters.gdpa import GDPA
from clip2point.models.adapters.heads import Head
from clip2point.models.adapters.inter_view import InterView
from clip2point.models.adapters.linear import LogisticRegression
from clip2point.models.adapters.registry import HEADS, grid, head_from_state, make_head
from clip2point.models.adapters.settings import GDPASettings
from clip2point.models.adapters.tip_adapter import TipAdapter, TipAdapterF
from clip2point.models.adapters.trained import DepthPathHead, DPAHead, GDPAHead, ImagePathHead, InterViewHead
from clip2point.models.adapters.training_free import NearestClassMean, ZeroShot

__all__ = [
    "DPA",
    "GDPA",
    "HEADS",
    "DPAHead",
    "DepthPathHead",
    "Examples",
    "GDPAHead",
    "GDPASettings",
    "GlobalView",
    "Head",
    "ImagePathHead",
    "InterView",
    "InterViewHead",
    "LogisticRegression",
    "NearestClassMean",
    "TipAdapter",
    "TipAdapterF",
    "ZeroShot",
    "grid",
    "head_from_state",
    "join",
    "make_head",
]
