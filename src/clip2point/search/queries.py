"""Queries: words, photos and shapes become one vector, and the library gives the entries that are most like it.

How the parts are put together was decided by measurement (``benchmarks/retrieval.py``) on shapes that the depth tower
never saw:

- Phrases go through the model's templates as class names do, without a leading article.
- The mean over the names of ModelNet40 is taken off every phrase: what all texts have in common says nothing of a shape
  but lies near some shapes more than others. Average precision on ModelNet10 rises from 0.815 to 0.852; on a catalogue
  of furniture the gain is within the noise, as is that of taking the mean off shapes as well.
- The parts of a kind are added and made unit. Photos and shapes count half as much as phrases, whose cosines with
  shapes differ less from one shape to the next.
- What is not wanted counts half as much as what is, however many phrases it takes. With the whole weight, results are
  far from what was not wanted, and no longer what was.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from clip2point.core.display import NotebookDisplay
from clip2point.core.errors import DataError, OptionError
from clip2point.core.labels import MODELNET40
from clip2point.model.recogniser import Recogniser
from clip2point.model.zero_shot import class_features
from clip2point.search.entry import Entry, Float32
from clip2point.search.library import Library
from clip2point.search.photos import read_photo
from clip2point.shapes import ShapeLike

if TYPE_CHECKING:
    from PIL.Image import Image

#: How much of a query photos and shapes are, where phrases are 1.
PHOTO_WEIGHT, SHAPE_WEIGHT = 0.5, 0.5
#: How much what is not wanted counts, where what is wanted is 1.
WITHOUT_WEIGHT = 0.5

_ARTICLE = re.compile(r"(?:an?|the)\s+(?=\S)", re.IGNORECASE)
#: Fingerprint of the library that a model was last found to fit: to hash its weights takes longer than to search.
_fitting: WeakKeyDictionary[Recogniser, str] = WeakKeyDictionary()


@dataclass(frozen=True)
class Query:
    """What to look for; at least one phrase, photo or shape.

    Attributes:
        texts: phrases.
        without: phrases for what is not wanted.
        images: photos: files, or pictures that were read before.
        shapes: files, Shapes or points [N, 3].
    """

    texts: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    images: tuple[str | os.PathLike[str] | Image, ...] = ()
    shapes: tuple[ShapeLike, ...] = ()

    def __post_init__(self) -> None:
        for name in ("texts", "without", "images", "shapes"):
            if not isinstance(getattr(self, name), tuple):
                raise OptionError(f"{name} of a query: expected a tuple, also of a single one")
        if not all(phrase.strip() for phrase in (*self.texts, *self.without)):
            raise OptionError("an empty phrase: expected words")
        if not (self.texts or self.images or self.shapes):
            raise OptionError("nothing to look for: expected a phrase, a photo or a shape")


@dataclass(frozen=True, eq=False)
class Hit(NotebookDisplay):
    """An entry that was found.

    Attributes:
        entry: of the library.
        score: cosine of its vector with that of the query, in [-1, 1].
    """

    entry: Entry
    score: float

    def to_dict(self) -> dict[str, Any]:
        """As JSON types: the score and what the entry has, without vector and thumbnail."""
        return {"score": self.score, **self.entry.to_dict()}


def search(
    library: Library,
    model: Recogniser,
    query: Query,
    *,
    top: int = 10,
    where: str | None = None,
    up: str = "auto",
    seed: int = 0,
) -> list[Hit]:
    """Find the entries of a library that are most like a query.

    Args:
        library: with at least one entry.
        model: that the library was made with.
        query: what to look for.
        top: how many at most.
        where: condition in SQL over the columns of ``COLUMNS``, or None.
        up: the axis that points up in the shapes of the query; see ``Recogniser.classify``.
        seed: of the point sampling.

    Returns:
        The best first.

    Raises:
        DataError: if the library is empty.
        ModelError: if the model's vectors cannot be compared with the library's.
        OptionError: if a photo cannot be read, or an argument makes no sense.
        ShapeError: if a shape cannot be read.
    """
    if not len(library):
        raise DataError(f"{library.path}: is empty; add shapes with 'clip2point index FOLDER --db {library.path}'")
    if _fitting.get(model) != library.fingerprint:
        library.check_model(model)
        _fitting[model] = library.fingerprint
    vector = query_vector(model, query, labels=library.labels, up=up, seed=seed)
    return [Hit(entry, score) for entry, score in library.nearest(vector, top, where)]


def query_vector(
    model: Recogniser, query: Query, *, labels: Sequence[str] = MODELNET40, up: str = "auto", seed: int = 0
) -> Float32:
    """The unit vector [D] of a query.

    Args:
        model: whose towers read it.
        query: what to look for.
        labels: by which the up-axis of shapes is guessed, as for the entries of a library.
        up: see ``search``.
        seed: of the point sampling.

    Raises:
        OptionError: if a photo cannot be read, or what is not wanted leaves nothing of the query.
        ShapeError: if a shape cannot be read.
    """
    parts = []
    if query.texts:
        parts.append(_unit_sum(text_vectors(model, query.texts)))
    if query.images:
        parts.append(PHOTO_WEIGHT * _unit_sum(photo_vectors(model, query.images)))
    if query.shapes:
        parts.append(SHAPE_WEIGHT * _unit_sum(shape_vectors(model, query.shapes, labels=labels, up=up, seed=seed)))
    vector = _unit_sum(torch.stack(parts))
    if query.without:
        vector = vector - WITHOUT_WEIGHT * _unit_sum(text_vectors(model, query.without))
    if not 0 < float(vector.norm()) < torch.inf:
        raise OptionError("the parts of the query cancel each other out: expected something to look for")
    found: Float32 = normalize(vector, dim=0).numpy()
    return found


def text_vectors(model: Recogniser, phrases: Sequence[str]) -> Tensor:
    """Unit vectors [N, D] of phrases, without what all texts have in common."""
    bare = [
        _ARTICLE.sub("", phrase.strip(), count=1) if _ARTICLE.match(phrase.strip()) else phrase.strip()
        for phrase in phrases
    ]
    features = class_features(model.backbone, bare, model.settings.templates)
    return normalize(features - model.class_features(MODELNET40).mean(0), dim=-1).cpu()


def photo_vectors(model: Recogniser, photos: Sequence[str | os.PathLike[str] | Image]) -> Tensor:
    """Unit vectors [N, D] of photos by the image tower.

    Raises:
        OptionError: if one cannot be read.
    """
    rows = []
    for photo in photos:
        pixels = torch.from_numpy(np.array(read_photo(photo))).permute(2, 0, 1)[None]
        with torch.inference_mode():
            rows.append(model.backbone.encode_image(pixels.to(model.backbone.device).float() / 255)[0].float().cpu())
    return normalize(torch.stack(rows), dim=-1)


def shape_vectors(
    model: Recogniser,
    shapes: Sequence[ShapeLike],
    *,
    labels: Sequence[str] = MODELNET40,
    up: str = "auto",
    seed: int = 0,
) -> Tensor:
    """Unit vectors [N, D] of shapes, as they would have in a library with these labels.

    Raises:
        ShapeError: if one cannot be read.
    """
    model = model.without_head()
    rows = []
    for shape in shapes:
        vector = model.classify(shape, labels, up=up, top=1, seed=seed, keep_views=False).vector
        assert vector is not None
        rows.append(torch.from_numpy(vector))
    return torch.stack(rows)


def _unit_sum(vectors: Tensor) -> Tensor:
    """The sum [D] of vectors [N, D], made unit."""
    return normalize(vectors.sum(0), dim=0)
