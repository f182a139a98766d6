"""Retrieval metrics: recall of shapes by name, and precision among the neighbours of a shape."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import OptionError
from clip2point.search.entry import Float32

_RESAMPLES, _SEED = 1_000, 0


@dataclass(frozen=True)
class Figure:
    """The mean of a quantity over the queries.

    Attributes:
        mean: Mean in [0, 1].
        interval: Ends of its 95 % bootstrap interval over the queries.
    """

    mean: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class Retrieval:
    """Retrieval metrics of a set of queries.

    Attributes:
        queries: Number of queries.
        gallery: Number of shapes searched.
        figures: Figures by name, for example "recall@5".
    """

    queries: int
    gallery: int
    figures: dict[str, Figure]

    def to_dict(self) -> dict[str, Any]:
        """Convert to JSON types."""
        figures = {
            name: {"mean": figure.mean, "interval": list(figure.interval)} for name, figure in self.figures.items()
        }
        return {**asdict(self), "figures": figures}


def measure_text_to_shape(
    texts: Float32,
    names: Sequence[str],
    shapes: Float32,
    truths: Sequence[str],
    *,
    among: Sequence[int] = (1, 5, 10),
) -> Retrieval:
    """Measure the ranks of the shapes of a name when it is searched for.

    Args:
        texts: [Q, D] query vectors.
        names: Q names of the queries.
        shapes: [N, D] unit vectors.
        truths: N names of the shapes; all shapes with the name of a query are relevant to it.
        among: Numbers k of recall@k, the fraction of queries with a relevant shape among the first k.

    Returns:
        Recalls, mean reciprocal rank of the first relevant shape, and mean average precision.

    Raises:
        OptionError: Lengths do not fit, or no shape is relevant to a query.
    """
    right = np.asarray(names)[:, None] == np.asarray(truths)[None, :]
    if len(texts) != len(names) or len(shapes) != len(truths) or not right.any(1).all():
        raise OptionError(
            f"got {len(texts)} queries with {len(names)} names and {len(shapes)} shapes with {len(truths)}: expected a "
            "name for each, and for each query a shape of its name"
        )
    ranked = _rank_relevance(texts @ shapes.T, right)
    first = ranked.argmax(1)
    figures = {f"recall@{k}": _figure(first < k) for k in among}
    figures["reciprocal rank"] = _figure(1 / (first + 1))
    figures["average precision"] = _figure(_average_precision(ranked))
    return Retrieval(len(texts), len(shapes), figures)


def measure_shape_to_shape(
    shapes: Float32, kinds: Sequence[str], *, asking: Sequence[int] | None = None, among: Sequence[int] = (1, 5, 10)
) -> Retrieval:
    """Measure the fraction of the same kind among the neighbours of a shape.

    Args:
        shapes: [N, D] unit vectors.
        kinds: N kinds; a shape without another of its kind is searched, but is no query.
        asking: Indices of the query shapes; None for all.
        among: Numbers k of precision@k, the fraction of the same kind among the k nearest other shapes. With fewer than
            k others of a kind only as many neighbours count: otherwise no search could reach 1.

    Returns:
        Precisions, and mean average precision over all shapes of the kind.

    Raises:
        OptionError: No kind has two shapes.
    """
    same = np.asarray(kinds)[:, None] == np.asarray(kinds)[None, :]
    np.fill_diagonal(same, False)
    others = same.sum(1)
    chosen = np.arange(len(shapes)) if asking is None else np.asarray(asking)
    chosen = chosen[others[chosen] > 0]
    if not len(chosen):
        raise OptionError("no class has two shapes: expected at least one that has")
    scores = shapes @ shapes.T
    np.fill_diagonal(scores, -np.inf)  # last, where it is right for nobody
    ranked, others = _rank_relevance(scores[chosen], same[chosen]), others[chosen]
    seen = ranked.cumsum(1)
    figures = {}
    for k in among:
        looked_at = np.minimum(k, others)
        figures[f"precision@{k}"] = _figure(seen[np.arange(len(chosen)), looked_at - 1] / looked_at)
    figures["average precision"] = _figure(_average_precision(ranked))
    return Retrieval(len(chosen), len(shapes), figures)


def find_kind(name: str) -> str:
    """Return the kind in an English name: its last word, without sizes ("Bed 140x190") and plural.

    Args:
        name: Name of a shape.

    Examples:
        >>> find_kind("Bed 140x190"), find_kind("office chairs")
        ('bed', 'chair')
    """
    words = [word for word in re.findall(r"[a-z]+(?:-[a-z]+)*|\S+", name.lower()) if not re.search(r"\d|&", word)]
    if not words:
        return name.lower()
    last = words[-1]
    return last[:-1] if last.endswith("s") and not last.endswith("ss") else last


def _rank_relevance(scores: Float32, right: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return [Q, N], best score first, True where relevant; among equal scores the irrelevant come first."""
    order = np.lexsort((right, -scores), axis=1)
    return np.take_along_axis(right, order, axis=1)


def _average_precision(ranked: NDArray[np.bool_]) -> NDArray[np.float64]:
    precision = ranked.cumsum(1) / np.arange(1, ranked.shape[1] + 1)
    return (precision * ranked).sum(1) / ranked.sum(1)


def _figure(values: NDArray[Any]) -> Figure:
    """Return the mean and the 95 % percentile bootstrap interval of values [Q]."""
    rng = np.random.default_rng(_SEED)
    drawn = rng.integers(len(values), size=(_RESAMPLES, len(values)), dtype=np.int32)
    low, high = np.percentile(values[drawn].mean(1), (2.5, 97.5))
    return Figure(float(values.mean()), (float(low), float(high)))
