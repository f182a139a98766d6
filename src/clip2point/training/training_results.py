"""Results of the training engine: a validation on the way, and the outcome of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from torch import Tensor

from clip2point.core.errors import InterruptedTrainingError

#: Measures by which the best weights can be chosen.
Criterion = Literal["accuracy", "cross_entropy"]


@dataclass(frozen=True)
class ValidationResult:
    """Accuracies and temperature-scaled cross-entropy on the validation shapes.

    Attributes:
        accuracy: Fraction of the shapes with a correct class, in [0, 1].
        mean_class_accuracy: Mean of the accuracies of the classes, in [0, 1].
        cross_entropy: Cross-entropy of the confidences under ``scale``; the steadier measure where shapes are few.
        scale: Factor on mean cosines that fits best (temperature scaling, Guo et al. 2017).
    """

    accuracy: float
    mean_class_accuracy: float
    cross_entropy: float
    scale: float

    def score(self, criterion: Criterion) -> float:
        """Return the measure that the best weights maximise.

        Examples:
            >>> ValidationResult(0.9, 0.8, cross_entropy=0.5, scale=30.0).score("cross_entropy")
            -0.5
        """
        return self.accuracy if criterion == "accuracy" else -self.cross_entropy

    def to_dict(self) -> dict[str, float]:
        """Return the measures, without the scale, as JSON types."""
        measures = asdict(self)
        del measures["scale"]
        return measures


#: Measures a tower, given by its state.
Validate = Callable[[Mapping[str, Tensor]], ValidationResult]


@dataclass(frozen=True)
class TrainingOutcome:
    """End of a run of a training: all steps are done, or the run was interrupted (Ctrl-C, SIGTERM).

    Attributes:
        step: Number of the steps that are done.
        total: Number of all steps.
        checkpoint: File of the last state, which a resumed run begins with; None if it was not kept.
    """

    step: int
    total: int
    checkpoint: Path | None

    @property
    def interrupted(self) -> bool:
        """Whether steps are left."""
        return self.step < self.total

    def __str__(self) -> str:
        """Say where the training ended, in a few words."""
        return f"{'stopped after' if self.interrupted else 'done:'} step {self.step:,} of {self.total:,}"

    def require_end(self) -> None:
        """Check that the training was not interrupted, where nothing can be done with a part of it.

        Raises:
            InterruptedTrainingError: If steps are left.
        """
        if self.interrupted:
            where = f"; its checkpoint is {self.checkpoint}" if self.checkpoint else ""
            raise InterruptedTrainingError(f"the training was {self}{where}")
