"""Queries: words, photos and shapes as one vector, and the nearest entries of a library.

The weights of the parts were chosen by measurement (``benchmarks/retrieval.py``) on shapes that the depth tower
never saw:

- Phrases go through the model's templates as class names do, without a leading article.
- The mean over the names of ModelNet40 is subtracted from each phrase: the part that all texts share tells nothing of a
  shape but is nearer to some shapes than to others. Average precision on ModelNet10 rises from 0.815 to 0.852; on a
  catalogue of furniture the gain is within the noise, as is that of subtracting a mean from shapes as well.
- The parts of a kind are added and normalised. Photos and shapes have half the weight of phrases, whose cosines with
  shapes vary less from one shape to the next.
- Excluded phrases have half the weight of the others, whatever their number. With the full weight, results are far from
  the excluded phrases but no longer near the query.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from clip2point.core.arrays import normalize_rows, to_array
from clip2point.core.class_names import MODELNET40
from clip2point.core.display import NotebookDisplay
from clip2point.core.errors import DataError, OptionError
from clip2point.core.labels import name_label, split_synonyms
from clip2point.model.kept_texts import encode_labels
from clip2point.model.recogniser import Recogniser
from clip2point.search.entry import Entry, Float32
from clip2point.search.library import Library
from clip2point.search.photos import read_photo
from clip2point.shapes import ShapeLike

if TYPE_CHECKING:
    from PIL.Image import Image

#: Weight of photos and shapes in a query; that of phrases is 1.
PHOTO_WEIGHT, SHAPE_WEIGHT = 0.5, 0.5
#: Weight of excluded phrases.
WITHOUT_WEIGHT = 0.5
#: Most labels that a message lists.
_TOLD = 20

_ARTICLE = re.compile(r"(?:an?|the)\s+(?=\S)", re.IGNORECASE)
#: Fingerprint of the library that a model last matched: hashing its weights takes longer than a search.
_fitting: WeakKeyDictionary[Recogniser, str] = WeakKeyDictionary()


@dataclass(frozen=True)
class Query:
    """A query of at least one phrase, photo or shape.

    Attributes:
        texts: Phrases.
        without: Excluded phrases.
        images: Photos: files or open images.
        shapes: Files, Shapes or points [N, 3].
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
    """An entry found by a query.

    Attributes:
        entry: Entry of the library.
        score: Cosine of its vector with that of the query, in [-1, 1].
    """

    entry: Entry
    score: float

    def to_dict(self) -> dict[str, Any]:
        """Convert to JSON types: the score and the entry, without vector and thumbnail."""
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
    """Find the entries of a library that are nearest to a query.

    Args:
        library: Library with at least one entry.
        model: Model that embedded the library.
        query: Phrases, photos and shapes.
        top: Largest number of hits.
        where: SQL condition over ``COLUMNS``, or None.
        up: Up-axis of the shapes in the query, as for ``Recogniser.classify``.
        seed: Seed of the point sampling.

    Returns:
        Hits, the best first.

    Raises:
        DataError: The library is empty.
        ModelError: The model's vectors cannot be compared with the library's.
        OptionError: A photo cannot be read, or an argument is invalid.
        ShapeError: A shape cannot be read.
    """
    if not len(library):
        raise DataError(f"{library.path}: is empty; add shapes with 'clip2point index FOLDER --db {library.path}'")
    if _fitting.get(model) != library.fingerprint:
        library.check_model(model)
        _fitting[model] = library.fingerprint
    vector = embed_query(model, query, labels=library.labels, up=up, seed=seed)
    return [Hit(entry, score) for entry, score in library.nearest(vector, top, where)]


def restrict_to_labels(library: Library, labels: Sequence[str], where: str | None = None) -> str | None:
    """Return an SQL condition that also asks for one of some best labels.

    Args:
        library: Library that will be searched.
        labels: Labels of its vocabulary, with blanks or underscores; none of them restricts nothing.
        where: SQL condition that shapes have to meet besides, or None.

    Raises:
        OptionError: A label is not in the library's vocabulary.
    """
    known = {name.replace("_", " "): name_label(entry) for entry in library.labels for name in split_synonyms(entry)}
    names = [label.replace("_", " ") for label in labels]
    for label, name in zip(labels, names, strict=True):
        if name not in known:
            raise OptionError(
                f"{library.path}: no shape has the label {label!r}: expected one of {', '.join(list(known)[:_TOLD])}"
                + (f" and {len(known) - _TOLD:,} others" if len(known) > _TOLD else "")
            )
    if not labels:
        return where
    quoted = ", ".join("'" + known[name].replace("'", "''") + "'" for name in names)
    condition = f"labels[1] in ({quoted})"
    return f"({where}) and {condition}" if where else condition


def embed_query(
    model: Recogniser, query: Query, *, labels: Sequence[str] = MODELNET40, up: str = "auto", seed: int = 0
) -> Float32:
    """Return the unit vector [D] of a query.

    Args:
        model: Model whose towers read the query.
        query: Phrases, photos and shapes.
        labels: Labels that guess the up-axis of shapes, as for the entries of a library.
        up: Up-axis of the shapes, as for ``search``.
        seed: Seed of the point sampling.

    Raises:
        OptionError: A photo cannot be read, or the excluded phrases leave nothing of the query.
        ShapeError: A shape cannot be read.
    """
    parts = []
    if query.texts:
        parts.append(_unit_sum(embed_texts(model, query.texts)))
    if query.images:
        parts.append(PHOTO_WEIGHT * _unit_sum(embed_photos(model, query.images)))
    if query.shapes:
        parts.append(SHAPE_WEIGHT * _unit_sum(embed_shapes(model, query.shapes, labels=labels, up=up, seed=seed)))
    vector = _unit_sum(np.stack(parts))
    if query.without:
        vector = vector - WITHOUT_WEIGHT * _unit_sum(embed_texts(model, query.without))
    if not 0 < float(np.linalg.norm(vector)) < np.inf:
        raise OptionError("the parts of the query cancel each other out: expected something to look for")
    found: Float32 = normalize_rows(vector)
    return found


def embed_texts(model: Recogniser, phrases: Sequence[str]) -> Float32:
    """Return unit vectors [N, D] of phrases, without the part that all texts share."""
    bare = [
        _ARTICLE.sub("", phrase.strip(), count=1) if _ARTICLE.match(phrase.strip()) else phrase.strip()
        for phrase in phrases
    ]
    features = encode_labels(model.backbone, bare, model.settings.templates)
    found: Float32 = normalize_rows(features - model.class_features(MODELNET40).mean(0))
    return found


def embed_photos(model: Recogniser, photos: Sequence[str | os.PathLike[str] | Image]) -> Float32:
    """Return unit vectors [N, D] of photos by the image tower.

    Raises:
        OptionError: A photo cannot be read.
    """
    rows = []
    for photo in photos:
        pixels = np.array(read_photo(photo), np.float32).transpose(2, 0, 1)[None] / 255
        rows.append(to_array(model.backbone.encode_image(pixels))[0])
    found: Float32 = normalize_rows(np.stack(rows))
    return found


def embed_shapes(
    model: Recogniser,
    shapes: Sequence[ShapeLike],
    *,
    labels: Sequence[str] = MODELNET40,
    up: str = "auto",
    seed: int = 0,
) -> Float32:
    """Return unit vectors [N, D] of shapes, equal to those of a library with these labels.

    Raises:
        ShapeError: A shape cannot be read.
    """
    model = model.without_head()
    rows = []
    for shape in shapes:
        vector = model.classify(shape, labels, up=up, top=1, seed=seed, keep_views=False).vector
        assert vector is not None
        rows.append(vector)
    return np.stack(rows)


def _unit_sum(vectors: Float32) -> Float32:
    """The sum [D] of vectors [N, D], made unit."""
    found: Float32 = normalize_rows(vectors.sum(0))
    return found
