"""The networks as plug-ins of clip2point: classifiers of points by name, options and seed."""

from __future__ import annotations

from dataclasses import asdict, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import OptionError
from clip2point.core.progress import Progress
from clip2point.data import SampledDataset
from clip2point.heads import PointClassifier
from clip2point_baselines.training import (
    POINT_TRAINING,
    PointTrainingSettings,
    TrainedPointNetwork,
    train_point_network,
)


class _NetworkClassifier(PointClassifier):
    """A network that is trained from scratch.

    Args:
        options: Fields of ``PointTrainingSettings``; the others are those of ``POINT_TRAINING``.
    """

    def __init__(self, **options: Any) -> None:
        known = [option.name for option in fields(PointTrainingSettings)]
        if unknown := sorted(set(options) - set(known)):
            raise OptionError(f"{self.name} has no option {unknown[0]!r}: expected one of {', '.join(known)}")
        try:
            self._settings = replace(POINT_TRAINING[self.name], **options)
        except (OptionError, TypeError) as error:
            raise OptionError(f"{self.name}: {error}") from None
        self._trained: TrainedPointNetwork | None = None

    @property
    def options(self) -> dict[str, Any]:
        """Settings of the training, and once it is trained the epoch after which validation found it best."""
        return {**asdict(self._settings), **({"epoch": self._trained.epoch} if self._trained else {})}

    def fit(
        self, train: SampledDataset, validation: SampledDataset | None, *, seed: int, progress: Progress | None = None
    ) -> bool:
        """Train the network; see ``PointClassifier.fit``."""
        self._trained = train_point_network(self.name, train, validation, self._settings, seed, progress)
        return self._trained.finished

    def probabilities(self, points: NDArray[np.float32], up: str) -> NDArray[np.float64]:
        """Return the confidence [N, C] in each class; see ``PointClassifier.probabilities``."""
        if self._trained is None:
            raise OptionError(f"{self.name} was not fitted yet: call fit first")
        return self._trained.probabilities(points, up)


class PointNetClassifier(_NetworkClassifier):
    """PointNet, with both of its alignment networks."""

    name = "pointnet"


class DGCNNClassifier(_NetworkClassifier):
    """DGCNN, with graphs of the nearest neighbours in feature space."""

    name = "dgcnn"
