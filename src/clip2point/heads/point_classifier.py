"""Classifiers of points: plug-ins that read the sampled points themselves rather than the features of depth maps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from clip2point.core.progress import Progress
from clip2point.data import SampledDataset


class PointClassifier(ABC):
    """A network or another method that is trained from scratch on the points of a train split.

    ``evaluate --protocol supervised`` compares it with heads on the same points; models cannot be built on it.

    Args:
        options: Keywords of the constructor; OptionError if one is unknown or has an invalid value.
    """

    #: What commands and reports call the classifier.
    name: ClassVar[str]

    @abstractmethod
    def __init__(self, **options: Any) -> None: ...

    @property
    @abstractmethod
    def options(self) -> dict[str, Any]:
        """All options, as JSON types, and once fitted what validation chose, such as an epoch."""

    @abstractmethod
    def fit(
        self, train: SampledDataset, validation: SampledDataset | None, *, seed: int, progress: Progress | None = None
    ) -> bool:
        """Learn from shapes.

        Args:
            train: Shapes with a declared up-axis.
            validation: Shapes of the same classes for every choice; nothing is learned from them.
            seed: Seed of everything random.
            progress: Wrapper of the iterable of all steps. If it ends before them, so does the training.

        Returns:
            True unless the training was stopped before its end.

        Raises:
            OptionError: If an option does not suit the data, or the data set does not say which way is up.
            DataError: If there are too few shapes, or the classes of the data sets differ.
        """

    @abstractmethod
    def probabilities(self, points: NDArray[np.float32], up: str) -> NDArray[np.float64]:
        """Return the confidence [N, C] in each class, rows of which add up to 1.

        Args:
            points: Points [N, P, 3] in the frame and unit of the files.
            up: Axis that points up in them.
        """
