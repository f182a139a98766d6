"""Models: recognition, settings and results; loading, saving, converting and publishing."""

from typing import TYPE_CHECKING

from clip2point.core.lazy import lazy_attributes

if TYPE_CHECKING:
    from clip2point.model.listing import list_models
    from clip2point.model.loading import load
    from clip2point.model.recogniser import Recogniser
    from clip2point.model.results import Classification, Embedding, Failure, Guess
    from clip2point.model.zero_shot import class_features, view_cosines, zero_shot_logits

__all__ = [
    "Classification",
    "Embedding",
    "Failure",
    "Guess",
    "Recogniser",
    "class_features",
    "list_models",
    "load",
    "view_cosines",
    "zero_shot_logits",
]

#: Results and lists of models need no torch.
__getattr__ = lazy_attributes(
    __name__,
    {
        "listing": ("list_models",),
        "loading": ("load",),
        "recogniser": ("Recogniser",),
        "results": ("Classification", "Embedding", "Failure", "Guess"),
        "zero_shot": ("class_features", "view_cosines", "zero_shot_logits"),
    },
)
