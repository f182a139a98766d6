"""A head that learned from examples, with all that its answers need: classes, temperature and thresholds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from clip2point.core.errors import ModelError, OptionError

if TYPE_CHECKING:
    from clip2point.heads.base import Head
    from clip2point.heads.ood import Familiarity


@dataclass(frozen=True, eq=False)
class AdaptedHead:
    """A fitted head with all that its answers need.

    Attributes:
        head: from view features to class scores.
        classes: names of the C classes, in the order of the scores.
        temperature: that the scores are divided by before a softmax, above 0; found on validation.
        threshold: confidence in [0, 1] below which a shape counts as unknown, or None if none does.
        base: the model whose features the head reads, as ``clip2point.load`` takes it.
        record: what the head was fitted on and how good it was, as JSON types.
        familiarity: tells foreign shapes, or None if none is told.
    """

    head: Head
    classes: tuple[str, ...]
    temperature: float
    threshold: float | None
    base: str
    record: dict[str, Any]
    familiarity: Familiarity | None = None

    def check_labels(self, labels: Sequence[str]) -> None:
        """Make sure that the head can choose among labels: its own classes, or any words if it takes words.

        Raises:
            OptionError: if it cannot.
        """
        unknown = [label for label in labels if label not in self.classes]
        if unknown and not self.head.words:
            raise OptionError(
                f"the label {unknown[0]!r}: the head {self.head.name!r} knows only the classes that it was "
                f"fitted on ({_some(self.classes)}); leave the labels away, or choose among these"
            )

    def scores(
        self, features: Tensor, labels: Sequence[str], text_features: Callable[[Sequence[str]], Tensor]
    ) -> Tensor:
        """Scores of labels.

        Args:
            features: [N, P, V, D] as ``encode_paths`` gives them.
            labels: C' names, among the head's classes or, where the head takes words, any.
            text_features: gives those [C', D] of names; called only for names that are not the head's.

        Returns:
            [N, C'] float32.

        Raises:
            OptionError: if the head cannot choose among these labels.
        """
        self.check_labels(labels)
        if set(labels) <= set(self.classes):
            return self.head.scores(features)[:, [self.classes.index(label) for label in labels]]
        return self.head.with_words(text_features(labels).cpu()).scores(features)

    def confidences(self, scores: Tensor) -> Tensor:
        """Calibrated confidences [N, C] float64, each row with the sum 1, of scores [N, C]."""
        return (scores.double() / self.temperature).softmax(-1)

    def probabilities(self, features: Tensor) -> Tensor:
        """Confidences [N, C] float64 in the head's own classes for features [N, P, V, D]."""
        return self.confidences(self.head.scores(features))

    def check_features(self, paths: int, views: int, dim: int) -> None:
        """Make sure that the head reads features of this kind and gives one finite score for each class.

        Raises:
            ModelError: if it does not.
        """
        generator = torch.Generator().manual_seed(0)
        try:
            scores = self.head.scores(torch.randn(1, paths, views, dim, generator=generator))
        except (OptionError, RuntimeError, IndexError) as error:
            raise ModelError(
                f"the head {self.head.name!r} does not read features of {paths} paths, {views} views and width {dim}, "
                "which the base model gives under these settings"
            ) from error
        if tuple(scores.shape) != (1, len(self.classes)) or not scores.isfinite().all():
            raise ModelError(
                f"the head {self.head.name!r} gives scores {list(scores.shape)}: expected finite ones for "
                f"{len(self.classes)} classes"
            )
        if self.familiarity is not None and tuple(self.familiarity.classes.shape) != (len(self.classes), dim):
            raise ModelError(
                f"the tensor 'familiar_classes' is {list(self.familiarity.classes.shape)}: expected "
                f"{[len(self.classes), dim]}"
            )


def _some(names: Sequence[str]) -> str:
    """The first few of many names."""
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
