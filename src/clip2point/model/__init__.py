"""Models: zero-shot recognition, checkpoints."""

from clip2point.model.loading import load
from clip2point.model.recogniser import Recogniser
from clip2point.model.results import Classification, Failure, Guess
from clip2point.model.zero_shot import class_features, view_cosines, zero_shot_logits

__all__ = [
    "Classification",
    "Failure",
    "Guess",
    "Recogniser",
    "class_features",
    "load",
    "view_cosines",
    "zero_shot_logits",
]
