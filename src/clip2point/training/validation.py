"""What a validation in a training finds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

from torch import Tensor


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

    def to_dict(self) -> dict[str, float]:
        """Return the measures, without the scale, as JSON types."""
        measures = asdict(self)
        del measures["scale"]
        return measures


#: Measures a tower, given by its state.
Validate = Callable[[Mapping[str, Tensor]], ValidationResult]
