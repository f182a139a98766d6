"""Names of parts: each through the recogniser, the same shape once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from clip2point.core.errors import OptionError
from clip2point.model import Classification, Recogniser
from clip2point.shapes import Mesh, Shape

if TYPE_CHECKING:
    from clip2point.scenes.results import Part, SceneParts

#: Kinds that are named, those with the largest parts first.
MOST_NAMED = 400
#: Words that a phrase may begin with and a prompt brings itself.
_ARTICLES = ("a ", "an ", "the ")

#: Callback that passes items through and shows how many are done.
Progress = Callable[[Iterable[Any], int], Iterator[Any]]


def cut_part(shape: Shape, found: SceneParts, part: Part) -> Shape:
    """Return one part as a shape of its own, in the file's frame.

    Args:
        shape: Shape that was split.
        found: Parts of it.
        part: One of them.
    """
    source = f"{shape.source}#{part.name or part.number}"
    if shape.mesh is None:
        instances = found.instances if shape.kept is None else found.instances[shape.kept]
        return Shape(shape.points[instances == part.number], source=source, up=shape.up)
    mesh = shape.mesh
    chosen = found.instances == part.number
    used, corners = np.unique(mesh.faces[chosen], return_inverse=True)
    cut = Mesh(
        vertices=mesh.vertices[used],
        faces=corners.reshape(-1, 3).astype(np.int32),
        materials=mesh.materials,
        face_materials=mesh.face_materials[chosen],
        uv=None if mesh.uv is None else mesh.uv[used],
        vertex_colors=None if mesh.vertex_colors is None else mesh.vertex_colors[used],
    )
    return Shape(cut.vertices, cut, source, shape.up)


def stand_up(shape: Shape, found: SceneParts) -> Shape:
    """Return a part of a scan as it stands on its support, y up; parts of other files as they are."""
    if found.upright is None:
        return shape
    return replace(shape.rotate(found.upright), up="y")


def name_parts(
    model: Recogniser,
    shape: Shape,
    found: SceneParts,
    labels: Sequence[str] | None = None,
    *,
    find: Sequence[str] = (),
    top: int = 5,
    seed: int = 0,
    unknown_below: float | None = None,
    progress: Progress | None = None,
) -> SceneParts:
    """Name each part by the recogniser, alone; parts of one kind are looked at once.

    Args:
        model: Recogniser.
        shape: Shape that was split.
        found: Parts of it.
        labels: Class names to choose from, see ``Recogniser.classify``.
        find: Phrases that parts are to be compared with.
        top: Number of guesses to keep.
        seed: Seed of the point sampling.
        unknown_below: Confidence below which a part is called unknown, see ``Recogniser.classify``.
        progress: Progress callback.

    Returns:
        The same parts, with names.

    Raises:
        OptionError: If an argument is out of range.
    """
    phrases = [check_phrase(phrase) for phrase in find]
    kinds = sorted(found.kinds(), key=lambda parts: -max(_volume(part) for part in parts))
    shapes = (stand_up(cut_part(shape, found, parts[0]), found) for parts in kinds[:MOST_NAMED])
    answers: Iterable[Any] = model.classify_many(
        shapes, labels, up="auto", top=top, seed=seed, unknown_below=unknown_below
    )
    if progress is not None:
        answers = progress(answers, min(len(kinds), MOST_NAMED))
    texts = model.without_head().class_features(phrases) if phrases else None
    named: dict[int, tuple[Classification, dict[str, float]]] = {}
    unnamed = 0
    for parts, answer in zip(kinds, answers, strict=False):
        if isinstance(answer, Classification):
            cosines = [] if texts is None or answer.vector is None else (texts @ answer.vector).tolist()
            named[parts[0].kind] = answer, dict(zip(find, cosines, strict=False))
        else:
            unnamed += 1
    notes = []
    if len(kinds) > MOST_NAMED:
        notes.append(f"{len(kinds) - MOST_NAMED:,} kinds of small parts, of {len(kinds):,} in all: not named")
    if unnamed:
        notes.append(f"{unnamed:,} kinds of parts have no extent: not named")
    result = tuple(
        replace(part, answer=named[part.kind][0], fits=named[part.kind][1]) if part.kind in named else part
        for part in found.parts
    )
    return found.with_parts(result, model.name, tuple(notes))


def check_phrase(phrase: str) -> str:
    """Return what a phrase names, without the article that prompts bring themselves.

    Raises:
        OptionError: If it is empty.

    Examples:
        >>> check_phrase(" A mug ")
        'mug'
    """
    words = " ".join(phrase.split())
    for article in _ARTICLES:
        if words.lower().startswith(article):
            words = words[len(article) :]
    if not words:
        raise OptionError(f"the phrase {phrase!r} has no words: expected one such as 'a mug'")
    return words


def _volume(part: Part) -> float:
    return float(np.prod(np.maximum(part.size, max(part.size) * 1e-3)))
