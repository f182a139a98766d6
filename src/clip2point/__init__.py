"""clip2point: recognise 3D shapes with language.

A shape is rendered as depth maps; vision-language towers read them; class names are compared with what they read.
Nothing heavy is imported before it is used: ``import clip2point`` loads neither torch nor numba.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from clip2point.core.display import register_renderer
from clip2point.core.version import __version__

if TYPE_CHECKING:
    from clip2point.adaptation.classifier import FewShotClassifier
    from clip2point.model import Classification, Failure, Guess, Recogniser, load
    from clip2point.model.conversion import convert
    from clip2point.model.settings import Settings
    from clip2point.rendering import render_depth, rotate_modelnet, view_set
    from clip2point.shapes import Shape, load_shape, sample_points

#: Public names and where they live.
_ROOMS = {
    "adaptation.classifier": ("FewShotClassifier",),
    "model": ("Classification", "Failure", "Guess", "Recogniser", "load"),
    "model.conversion": ("convert",),
    "model.settings": ("Settings",),
    "rendering": ("render_depth", "rotate_modelnet", "view_set"),
    "shapes": ("Shape", "load_shape", "sample_points"),
}

__all__ = [
    "Classification",
    "Failure",
    "FewShotClassifier",
    "Guess",
    "Recogniser",
    "Settings",
    "Shape",
    "__version__",
    "convert",
    "load",
    "load_shape",
    "render_depth",
    "rotate_modelnet",
    "sample_points",
    "view_set",
]


#: What notebooks show of results.
_NOTEBOOK_VIEWS = {
    "Classification": "clip2point.report.notebook:classification_html",
    "Hit": "clip2point.report.notebook:hit_html",
    "Shape": "clip2point.report.notebook:shape_html",
}
for _kind, _place in _NOTEBOOK_VIEWS.items():
    register_renderer(_kind, _place)


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    for room, names in _ROOMS.items():
        if name in names:
            return getattr(import_module(f"clip2point.{room}"), name)
    raise AttributeError(f"module 'clip2point' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
