"""One model into the files of its pair: points of its surface, and shaded images of all views."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np

from clip2point.core.errors import Clip2PointError, ShapeError, reason
from clip2point.data.pairs import encode_pair
from clip2point.pretraining.pairs.source_model import SourceModel

#: The recipe of the paper.
POINTS, VIEWS, IMAGE_SIZE = 8192, "clip2point-10", 224
#: To be raised whenever the same model would give other points or images: a folder is not filled by two of these.
REVISION = 1


@dataclass(frozen=True)
class RenderedPair:
    """A model's pair, or the reason why there is none.

    Attributes:
        key: Key of the model.
        files: Content by ending (see ``encode_pair``): 8,192 points and ten images of 224 x 224 pixels; empty if the
            model is broken.
        error: Error of a broken model, or "".
    """

    key: str
    files: dict[str, bytes] = field(default_factory=dict)
    error: str = ""


def render_pair(model: SourceModel, seed: int) -> RenderedPair:
    """Render a model; a broken one is an answer, too, and no exception.

    Args:
        model: Model to open.
        seed: Seed of the points, together with the key; other models of the source do not matter.

    Returns:
        The same bytes for the same model and seed.
    """
    try:
        return RenderedPair(model.key, _render(model, seed))
    except Clip2PointError as error:
        return RenderedPair(model.key, error=f"{model.key}: {error}")
    except Exception as error:  # one odd model among thousands must not end a run of hours
        return RenderedPair(model.key, error=f"{model.key}: {type(error).__name__} ({reason(error)}) while rendering")


def report_crash(model: SourceModel) -> RenderedPair:
    """Return what is left of a model that ended the process which rendered it."""
    return RenderedPair(
        model.key, error=f"{model.key}: ended the process that rendered it, perhaps for want of memory; simplify it"
    )


def _render(model: SourceModel, seed: int) -> dict[str, bytes]:
    """The files of a model's pair."""
    from clip2point.rendering.shaded import render_color
    from clip2point.rendering.views import view_set
    from clip2point.shapes import sample_points, to_unit_sphere

    shape = model.open()
    if shape.mesh is None and model.pictures is None:
        raise ShapeError(f"{shape.source}: has no surface, which pairs need for their images; expected a mesh")
    point_seed = int.from_bytes(hashlib.sha256(f"{seed}/{model.key}".encode()).digest()[:4], "big")
    drawn = sample_points(shape, POINTS, point_seed)
    if model.pictures is not None:
        return encode_pair(model.info, to_unit_sphere(drawn), model.pictures(), views=VIEWS, seed=seed)
    assert shape.mesh is not None
    # The images get the frame of the points, so that both sides of a pair line up.
    center = drawn.mean(axis=0, dtype=np.float64)
    scale = float(np.linalg.norm(drawn - center, axis=1).max())
    images = render_color(shape.mesh, view_set(VIEWS), image_size=IMAGE_SIZE, center=center, scale=scale)
    return encode_pair(model.info, to_unit_sphere(drawn), images, views=VIEWS, seed=seed)
