"""Pieces of scans that are one thing by what they look like: their union is more like something than they are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip2point.model import Classification, Recogniser
from clip2point.scenes.finding import fill_things
from clip2point.scenes.naming import stand_up
from clip2point.scenes.results import SceneParts
from clip2point.shapes import Shape
from clip2point.shapes.groups import sort_by_size
from clip2point.shapes.neighbours import find_neighbours, measure_spacing

Int = NDArray[np.int64]

#: Gain of confidence and of score by which a union is more like something than each of its pieces.
_CONFIDENCE, _SCORE = 0.15, 0.09
#: Distance at which pieces touch, in spacings, and least number of links between them.
_NEAR, _LINKS = 2.5, 8
#: Unions that are looked at; scenes of more pieces are taken as they are.
_MOST_UNIONS = 80


def merge_by_names(model: Recogniser, shape: Shape, found: SceneParts, *, seed: int = 0) -> SceneParts:
    """Join touching pieces of a scan whose union is recognised with clearly more confidence than each of them.

    The recogniser chooses among its own default names, whatever names are asked for later: the evidence is how much a
    union is like anything.

    Args:
        model: Recogniser.
        shape: Cloud that was split.
        found: Things on it; other parts than those of a cloud are returned as they are.
        seed: Seed of the point sampling.
    """
    if found.split_by != "scan" or shape.mesh is not None or len(found.parts) < 2:
        return found
    own = (found.instances if shape.kept is None else found.instances[shape.kept]).astype(np.int64)
    pairs = find_touching(shape.points, own)
    if not pairs or len(pairs) > _MOST_UNIONS:
        return found
    asker = _Asker(model.without_head(), shape, found, seed)
    members = {part.number: frozenset([part.number]) for part in found.parts}
    looked = 0
    while pairs and looked < 4 * _MOST_UNIONS:
        gains = asker.gains(own, [(members[a], members[b]) for a, b in pairs])
        looked += len(pairs)
        best = max(range(len(pairs)), key=lambda place: gains[place])
        if gains[best] <= 0:
            break
        a, b = pairs[best]
        members[a] = members[a] | members.pop(b)
        renamed = ((a if one == b else one, a if other == b else other) for one, other in pairs)
        pairs = sorted({(min(pair), max(pair)) for pair in renamed if pair[0] != pair[1]})
    joined = len(found.parts) - len(members)
    if not joined:
        return found
    merged = own.copy()
    for number, pieces in members.items():
        merged[np.isin(own, list(pieces))] = number
    note = f"{joined} piece{'s' if joined > 1 else ''} joined to others: together they look more like something"
    return fill_things(replace(found, notes=(*found.notes, note)), sort_by_size(merged), shape.points, shape.kept)


def find_touching(points: NDArray[np.float32], own: Int) -> list[tuple[int, int]]:
    """Return the pairs of things that touch, the lower number first.

    Args:
        points: [N, 3].
        own: Number of the thing of each point, [N], -1 for none.
    """
    rows = np.flatnonzero(own >= 0)
    spacing = measure_spacing(points.astype(np.float64))
    near = find_neighbours(points[rows].astype(np.float64), _NEAR * spacing, 12)
    others = np.where(near >= 0, own[rows][near], -1)
    mine = np.broadcast_to(own[rows][:, None], others.shape)
    between = (others >= 0) & (others != mine)
    if not between.any():
        return []
    ends = np.stack([np.minimum(others, mine)[between], np.maximum(others, mine)[between]], axis=1)
    pairs, links = np.unique(ends, axis=0, return_counts=True)
    return [(int(a), int(b)) for (a, b), count in zip(pairs, links, strict=True) if count >= _LINKS]


class _Asker:
    """What sets of pieces look like; each set is looked at once."""

    def __init__(self, model: Recogniser, shape: Shape, found: SceneParts, seed: int) -> None:
        self._model, self._shape, self._found, self._seed = model, shape, found, seed
        self._known: dict[frozenset[int], tuple[float, float]] = {}

    def gains(self, own: Int, pairs: list[tuple[frozenset[int], frozenset[int]]]) -> list[float]:
        """Return how much more each union is like something than its halves; 0 where it is not clearly."""
        wanted = dict.fromkeys(pieces for a, b in pairs for pieces in (a, b, a | b) if pieces not in self._known)
        shapes = [self._cut(own, pieces) for pieces in wanted]
        answers: list[Any] = list(self._model.classify_many(shapes, up="auto", top=1, seed=self._seed))
        for pieces, answer in zip(wanted, answers, strict=True):
            sure = isinstance(answer, Classification)
            self._known[pieces] = (answer.confidence, answer.guesses[0].score) if sure else (0.0, -1.0)
        gains = []
        for a, b in pairs:
            (confidence, score), halves = self._known[a | b], (self._known[a], self._known[b])
            surer = confidence - max(half[0] for half in halves)
            nearer = score - max(half[1] for half in halves)
            gains.append(nearer if surer > _CONFIDENCE and nearer > _SCORE else 0.0)
        return gains

    def _cut(self, own: Int, pieces: frozenset[int]) -> Shape:
        points = self._shape.points[np.isin(own, list(pieces))]
        return stand_up(Shape(points, source=self._shape.source, up=self._shape.up), self._found)
