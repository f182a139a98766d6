"""A head that learned from examples, with all that its answers need: classes, temperature and thresholds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from clip2point.core.arrays import Container, match_container, softmax, to_array
from clip2point.core.errors import ModelError, OptionError
from clip2point.core.labels import split_synonyms

if TYPE_CHECKING:
    from clip2point.core.arrays import Array
    from clip2point.heads.base import Head
    from clip2point.heads.ood import OODDetector


@dataclass(frozen=True, eq=False)
class AdaptedHead:
    """A fitted head with all that its answers need.

    Attributes:
        head: Head from view features to class scores.
        classes: Names of the C classes, in the order of the scores.
        temperature: Softmax temperature of the scores (> 0), fitted on validation.
        threshold: Confidence in [0, 1] below which a shape counts as unknown, or None if none does.
        base: Model whose features the head reads, as ``clip2point.load`` takes it.
        record: Training data, settings and validation metrics of the head, as JSON types.
        ood: Detector of shapes that are like none of the classes, or None.
    """

    head: Head
    classes: tuple[str, ...]
    temperature: float
    threshold: float | None
    base: str
    record: dict[str, Any]
    ood: OODDetector | None = None

    def find_class(self, label: str) -> str:
        """Return the class that one of a label's synonyms names, or the label as it is."""
        return next((name for name in split_synonyms(label) if name in self.classes), label)

    def check_labels(self, labels: Sequence[str]) -> None:
        """Raise OptionError unless the head can choose among labels: its own classes, or any if it takes words."""
        unknown = [label for label in labels if label not in self.classes]
        if unknown and not self.head.words:
            raise OptionError(
                f"the label {unknown[0]!r}: the head {self.head.name!r} knows only the classes that it was "
                f"fitted on ({_abbreviate(self.classes)}); leave out the labels, or choose among these"
            )

    def scores(
        self, features: Container, labels: Sequence[str], text_features: Callable[[Sequence[str]], Array]
    ) -> Container:
        """Return scores of labels.

        Args:
            features: [N, P, V, D] view features, as of ``encode_paths``.
            labels: C' names, among the head's classes or, where the head takes words, any.
            text_features: Function from names to text features [C', D]; called only for names that are not the head's.

        Returns:
            [N, C'] float32, in the container of the features.

        Raises:
            OptionError: If the head cannot choose among these labels.
        """
        self.check_labels(labels)
        if set(labels) <= set(self.classes):
            places = [self.classes.index(label) for label in labels]
            return cast(Container, self.head.scores(features)[:, places])
        return self.head.with_words(text_features(labels)).scores(features)

    def confidences(self, scores: Container) -> Container:
        """Return calibrated confidences [N, C] float64 of scores [N, C], in their container; each row sums to 1."""
        return match_container(softmax(to_array(scores).astype(np.float64) / self.temperature), scores)

    def probabilities(self, features: Container) -> Container:
        """Return confidences [N, C] float64 in the head's own classes for view features [N, P, V, D]."""
        return self.confidences(self.head.scores(features))

    def check_features(self, paths: int, views: int, dim: int) -> None:
        """Raise ModelError unless the head reads such features and gives one finite score for each class."""
        features: NDArray[np.float32] = np.random.default_rng(0).standard_normal((1, paths, views, dim), np.float32)
        try:
            scores = self.head.scores(features)
        except (OptionError, RuntimeError, IndexError, ValueError) as error:
            raise ModelError(
                f"the head {self.head.name!r} does not read features of {paths} paths, {views} views and width {dim}, "
                "which the base model gives under these settings"
            ) from error
        if tuple(scores.shape) != (1, len(self.classes)) or not np.isfinite(scores).all():
            raise ModelError(
                f"the head {self.head.name!r} gives scores {list(scores.shape)}: expected finite ones for "
                f"{len(self.classes)} classes"
            )
        if self.ood is not None and tuple(self.ood.centroids.shape) != (len(self.classes), dim):
            raise ModelError(
                f"the OOD centroids are {list(self.ood.centroids.shape)}: expected {[len(self.classes), dim]}"
            )


def _abbreviate(names: Sequence[str]) -> str:
    """Return the first few of many names."""
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
