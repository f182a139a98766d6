"""The classifier that fine-tuning trains: a depth tower and one row of weights for each class."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from clip2point.adaptation.shape_batches import ShapeBatch


class LabelledFeatures(NamedTuple):
    """Inputs of the loss of a batch.

    Attributes:
        features: [N, D] mean unit features of each shape's views.
        labels: [N] int64 classes.
    """

    features: Tensor
    labels: Tensor


class ViewClassifier(nn.Module):
    """A depth tower and a row for each class: the logits are mean cosines of the views times a learned scale.

    Args:
        network: Module from depth maps [N, 1, S, S] to features [N, D].
        rows: [C, D] initial features of the classes.
        scale: Initial factor on the cosines (> 0).
    """

    def __init__(self, network: nn.Module, rows: Tensor, scale: float) -> None:
        super().__init__()
        self.network = network
        self.rows = nn.Parameter(rows.clone())
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))

    def forward(self, depth: Tensor) -> Tensor:
        """Return mean unit features [N, D] of depth maps [N, V, S, S]."""
        features = self.network(depth.flatten(0, 1)[:, None]).float().unflatten(0, depth.shape[:2])
        return normalize(features, dim=-1).mean(1)

    def logits(self, features: Tensor) -> Tensor:
        """Return logits [N, C] of mean unit features [N, D]."""
        return self.log_scale.exp() * features @ normalize(self.rows, dim=-1).T


class FineTuningModule(nn.Module):
    """The loss over a classifier; a ``TrainingModule``.

    Args:
        tower: Depth tower with its classifier, both of which are averaged and validated.
        label_smoothing: Fraction of each target that is spread over all classes, in [0, 1).
    """

    def __init__(self, tower: ViewClassifier, label_smoothing: float) -> None:
        super().__init__()
        self.tower, self._smoothing = tower, label_smoothing

    def forward(self, batch: ShapeBatch) -> LabelledFeatures:
        """Return the features of this process's part of a batch."""
        return LabelledFeatures(self.tower(batch.depth), batch.labels)

    def losses(self, batch: LabelledFeatures) -> dict[str, Tensor]:
        """Return the "total" loss, and the accuracy on the batch."""
        logits = self.tower.logits(batch.features)
        correct = (logits.argmax(-1) == batch.labels).float().mean()
        return {
            "train_accuracy": correct,
            "total": cross_entropy(logits, batch.labels, label_smoothing=self._smoothing),
        }
