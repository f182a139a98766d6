"""Out-of-distribution (OOD) detection: tells shapes that are like none of the learned classes.

Softmax confidence only weighs the known classes against each other, so a head that was trained to be sure is sure of
shapes of foreign classes as well. The OOD score is absolute and does not depend on the head: the cosine of a shape's
vector with the nearest class centroid. As usual in the literature, the higher the score, the more a shape is in
distribution.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clip2point.backbones import PATHS
from clip2point.backbones.pooling import mean_unit_features
from clip2point.core.arrays import Container, Float32, match_container, normalize_rows, to_array
from clip2point.core.errors import OptionError
from clip2point.heads.examples import Examples, join

if TYPE_CHECKING:
    from clip2point.core.arrays import Array

#: Fraction of the shapes of known classes that may be taken for out of distribution.
_FALSE_ALARM_RATE = 0.05


@dataclass(frozen=True, eq=False)
class OODDetector:
    """Class centroids, and the threshold on the cosine with the nearest of them.

    Attributes:
        centroids: [C, D] float32 unit vectors, each halfway between the name of a class and the mean of its examples.
        threshold: OOD score in [-1, 1] below which a shape is out of distribution.

    Examples:
        >>> detector = OODDetector(centroids=np.eye(2, 3, dtype=np.float32), threshold=0.5)
        >>> detector.score(np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])).tolist()
        [1.0, 0.0]
        >>> detector.detect(np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])).tolist()
        [False, True]
    """

    centroids: Float32
    threshold: float

    def __post_init__(self) -> None:
        if not -1 <= self.threshold <= 1:
            raise OptionError(f"an OOD threshold of {self.threshold}: expected a cosine from -1 to 1")
        object.__setattr__(self, "centroids", to_array(self.centroids).astype(np.float32, copy=False))

    def score(self, vectors: Container) -> Container:
        """Return the cosines [N] of unit vectors [N, D], as of ``Recogniser.embed``, with the nearest centroid.

        They come in the container of the vectors.
        """
        cosines = to_array(vectors).astype(np.float32, copy=False) @ self.centroids.T
        return match_container(cosines.max(-1), vectors)

    def detect(self, vectors: Container) -> Container:
        """Return [N] bool, true for each of the unit vectors [N, D] that is out of distribution."""
        return match_container(to_array(self.score(vectors)) < self.threshold, vectors)

    def with_classes(self, text: Array, examples: Examples | None) -> OODDetector:
        """Return a detector with the same threshold that knows more classes.

        Args:
            text: [M, D] features of the names of the new classes, any length.
            examples: Examples of them, or None where there are names alone.
        """
        added = _unit(text) if examples is None else _find_centroids(examples, text)
        return OODDetector(np.concatenate([self.centroids, added]), self.threshold)


def fit_ood_detector(train: Examples, validation: Examples, text: Array) -> OODDetector:
    """Find centroids and threshold, so that 19 of 20 validation shapes are in distribution.

    Args:
        train: Examples of C classes.
        validation: Other examples of the same classes. 95 % of them reach the threshold, and all if they are fewer than
            20. The centroids are then made of both sets.
        text: [C, D] features of the class names, any length.

    Raises:
        OptionError: If there is no validation example, or the examples do not fit together.
    """
    if not len(validation):
        raise OptionError("no validation examples: expected at least one, to find the OOD threshold by")
    scores = OODDetector(_find_centroids(train, text), threshold=-1.0).score(_pool_depth_views(validation))
    # A twentieth of a few shapes is less than one of them: none is out of distribution then.
    threshold = scores.min() if len(scores) < 1 / _FALSE_ALARM_RATE else np.quantile(scores, _FALSE_ALARM_RATE)
    return OODDetector(_find_centroids(join(train, validation), text), float(threshold))


def _find_centroids(examples: Examples, text: Array) -> Float32:
    """Return [C, D] unit vectors halfway between the names [C, D] and the means of the examples.

    The centroid of a class without examples is its name.
    """
    names = _unit(text)
    sums = np.zeros_like(names)
    np.add.at(sums, to_array(examples.labels), _pool_depth_views(examples))
    return normalize_rows(normalize_rows(sums) + names)


def _unit(text: Array) -> Float32:
    return normalize_rows(to_array(text).astype(np.float32))


def _pool_depth_views(examples: Examples) -> Float32:
    """Return [N, D] unit vectors of the unaugmented shapes on the depth path."""
    features = to_array(examples.unaugmented)[:, PATHS.index("depth")]
    return mean_unit_features(features.astype(np.float32, copy=False))
