"""Out-of-distribution (OOD) detection: tells shapes that are like none of the learned classes.

Softmax confidence only weighs the known classes against each other, so a head that was trained to be sure is sure of
shapes of foreign classes as well. The OOD score is absolute and does not depend on the head: the cosine of a shape's
vector with the nearest class centroid. As usual in the literature, the higher the score, the more a shape is in
distribution.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from clip2point.backbones import PATHS
from clip2point.backbones.pooling import mean_unit_features
from clip2point.core.errors import OptionError
from clip2point.heads.examples import Examples, join

#: Fraction of the shapes of known classes that may be taken for out of distribution.
_FALSE_ALARM_RATE = 0.05


@dataclass(frozen=True, eq=False)
class OODDetector:
    """Class centroids, and the threshold on the cosine with the nearest of them.

    Attributes:
        centroids: [C, D] unit vectors, each halfway between the name of a class and the mean of its examples.
        threshold: OOD score in [-1, 1] below which a shape is out of distribution.

    Examples:
        >>> import torch
        >>> detector = OODDetector(centroids=torch.eye(2, 3), threshold=0.5)
        >>> detector.score(torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]))
        tensor([1., 0.])
        >>> detector.detect(torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]))
        tensor([False,  True])
    """

    centroids: Tensor
    threshold: float

    def __post_init__(self) -> None:
        if not -1 <= self.threshold <= 1:
            raise OptionError(f"an OOD threshold of {self.threshold}: expected a cosine from -1 to 1")

    def score(self, vectors: Tensor) -> Tensor:
        """Return the cosines [N] of unit vectors [N, D], as of ``Recogniser.embed``, with the nearest centroid."""
        return (vectors.float() @ self.centroids.T).amax(-1)

    def detect(self, vectors: Tensor) -> Tensor:
        """Return [N] bool, true for each of the unit vectors [N, D] that is out of distribution."""
        return self.score(vectors) < self.threshold

    def with_classes(self, text: Tensor, examples: Examples | None) -> OODDetector:
        """Return a detector with the same threshold that knows more classes.

        Args:
            text: [M, D] features of the names of the new classes, any length.
            examples: Examples of them, or None where there are names alone.
        """
        added = normalize(text.float(), dim=-1) if examples is None else _find_centroids(examples, text)
        return OODDetector(torch.cat([self.centroids, added]), self.threshold)


def fit_ood_detector(train: Examples, validation: Examples, text: Tensor) -> OODDetector:
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
    threshold = scores.min() if len(scores) < 1 / _FALSE_ALARM_RATE else scores.quantile(_FALSE_ALARM_RATE)
    return OODDetector(_find_centroids(join(train, validation), text), threshold.item())


def _find_centroids(examples: Examples, text: Tensor) -> Tensor:
    """Return [C, D] unit vectors halfway between the names [C, D] and the means of the examples.

    The centroid of a class without examples is its name.
    """
    names = normalize(text.float(), dim=-1)
    sums = torch.zeros_like(names).index_add_(0, examples.labels, _pool_depth_views(examples))
    return normalize(normalize(sums, dim=-1) + names, dim=-1)


def _pool_depth_views(examples: Examples) -> Tensor:
    """Return [N, D] unit vectors of the unaugmented shapes on the depth path."""
    return mean_unit_features(examples.unaugmented[:, PATHS.index("depth")].float()).cpu()
