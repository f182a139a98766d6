"""Adapters: what recognises shapes from the features of their views after seeing some examples."""

from clip2point.models.adapters.aggregator import GlobalView
from clip2point.models.adapters.dpa import DPA
from clip2point.models.adapters.gdpa import GDPA, GDPASettings
from clip2point.models.adapters.heads import Head, LogisticRegression, NearestClassMean, ZeroShot
from clip2point.models.adapters.inter_view import InterView
from clip2point.models.adapters.tip_adapter import TipAdapter

__all__ = [
    "DPA",
    "GDPA",
    "GDPASettings",
    "GlobalView",
    "Head",
    "InterView",
    "LogisticRegression",
    "NearestClassMean",
    "TipAdapter",
    "ZeroShot",
]
