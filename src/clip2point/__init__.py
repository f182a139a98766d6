"""clip2point: recognise 3D shapes with language.

A shape is rendered as depth maps; vision-language towers read them; class names are compared with what they read.
Nothing heavy is imported before it is used: ``import clip2point`` loads neither torch nor numba.
"""

import os as _os
import sys as _sys

if "-m" in _sys.orig_argv[:-1] and _sys.orig_argv[_sys.orig_argv.index("-m") + 1] == __name__:
    # Python would look for every module in the current folder first, where somebody's data may lie.
    _current = _os.path.realpath(".")
    if _sys.path[0] in ("", _current) and _os.path.realpath(__path__[0] + "/..") != _current:
        del _sys.path[0]

from pathlib import Path as _Path
from typing import TYPE_CHECKING

from clip2point.core.display import register_renderer
from clip2point.core.lazy import lazy_attributes
from clip2point.core.numba_cache import place_numba_cache
from clip2point.core.version import __version__

if TYPE_CHECKING:
    from clip2point.adaptation.adapt_settings import AdaptSettings
    from clip2point.adaptation.adapting import adapt
    from clip2point.adaptation.classifier import FewShotClassifier
    from clip2point.heads.dpa import DPA
    from clip2point.heads.gdpa import GDPA
    from clip2point.model.conversion import convert
    from clip2point.model.listing import list_models
    from clip2point.model.loading import load
    from clip2point.model.recogniser import Recogniser
    from clip2point.model.results import Classification, Embedding, Failure, Guess
    from clip2point.model.settings import Settings
    from clip2point.model.zero_shot import zero_shot_logits
    from clip2point.pretraining.losses import pretraining_loss
    from clip2point.rendering import ViewSet, render_depth, rotate_modelnet, view_set
    from clip2point.shapes import Shape, find_shapes, load_shape, sample_points

#: Public names by the module that they are imported from when they are first used.
_PLACES = {
    "adaptation.adapting": ("adapt",),
    "adaptation.classifier": ("FewShotClassifier",),
    "adaptation.adapt_settings": ("AdaptSettings",),
    "heads.dpa": ("DPA",),
    "heads.gdpa": ("GDPA",),
    "model.conversion": ("convert",),
    "model.listing": ("list_models",),
    "model.loading": ("load",),
    "model.recogniser": ("Recogniser",),
    "model.results": ("Classification", "Embedding", "Failure", "Guess"),
    "model.settings": ("Settings",),
    "model.zero_shot": ("zero_shot_logits",),
    "pretraining.losses": ("pretraining_loss",),
    "rendering": ("ViewSet", "render_depth", "rotate_modelnet", "view_set"),
    "shapes": ("Shape", "find_shapes", "load_shape", "sample_points"),
}

__all__ = [
    "DPA",
    "GDPA",
    "AdaptSettings",
    "Classification",
    "Embedding",
    "Failure",
    "FewShotClassifier",
    "Guess",
    "Recogniser",
    "Settings",
    "Shape",
    "ViewSet",
    "__version__",
    "adapt",
    "convert",
    "find_shapes",
    "list_models",
    "load",
    "load_shape",
    "pretraining_loss",
    "render_depth",
    "rotate_modelnet",
    "sample_points",
    "view_set",
    "zero_shot_logits",
]

#: Renderers of results in notebooks.
_NOTEBOOK_VIEWS = {
    "Classification": "clip2point.report.notebook:classification_html",
    "Hit": "clip2point.report.notebook:hit_html",
    "Shape": "clip2point.report.notebook:shape_html",
}
for _kind, _place in _NOTEBOOK_VIEWS.items():
    register_renderer(_kind, _place)

place_numba_cache(_Path(__file__).parent)

__getattr__ = lazy_attributes(__name__, _PLACES)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
