"""Layers of point networks: batch norm folded into linear layers, and a maximum that reads no more than it must.

Batch norm of W x needs the mean and the variance of W x, and these follow from the mean m and the covariance S of x:
they are W m and the diagonal of W S W^T. So the norm is known before W x is computed, and becomes a part of W. As
activations grow with their input, the maximum of the activations is the activation of the maximum: where only that is
wanted, gradients go through the few places that it was found at.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from clip2point.core.errors import OptionError
from clip2point_baselines.neighbours import find_highest


class PointNetwork(nn.Module, ABC):
    """Network from the points of shapes to class scores; the order of the points does not matter.

    Args:
        classes: Number C of classes.

    Raises:
        OptionError: There are no classes.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        if classes < 1:
            raise OptionError(f"a network for {classes} classes: expected at least 1")
        self.classes = classes

    def forward(self, points: Tensor) -> Tensor:
        """Return class scores [B, C] of points [B, N, 3], any N.

        Raises:
            OptionError: The points have another shape, or a batch for training holds one shape only.
        """
        return self.score_with_penalty(points)[0]

    def score_with_penalty(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Return class scores as ``forward`` does, and a number that training adds to the loss."""
        if points.ndim != 3 or points.shape[2] != 3 or 0 in points.shape:
            raise OptionError(f"expected points [B, N, 3] with B and N at least 1, got {list(points.shape)}")
        if self.training and len(points) < 2:
            raise OptionError("a batch of one shape: expected at least 2 for training, as batch norm needs")
        return self._score_with_penalty(points)

    @abstractmethod
    def _score_with_penalty(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Return the same for checked points."""


@dataclass(frozen=True)
class Moments:
    """Statistics of vectors of F values.

    Attributes:
        mean: Mean [F].
        covariance: Covariance [F, F], divided by the number of vectors (not by one less).
        count: Number of vectors.
    """

    mean: Tensor
    covariance: Tensor
    count: int


def measure_moments(rows: Tensor) -> Moments:
    """Return the statistics of vectors [M, F]."""
    mean = rows.mean(0)
    centred = rows - mean
    return Moments(mean, centred.T @ centred / len(rows), len(rows))


class NormedLinear(nn.Module):
    """A linear layer without bias, batch norm, and an activation: on whole shapes, or on every point alike.

    Args:
        inputs: Width F.
        outputs: Width C.
        activation: Activation that grows with its input.
    """

    def __init__(self, inputs: int, outputs: int, activation: nn.Module) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs, bias=False)
        self.norm = nn.BatchNorm1d(outputs)
        self.activation = activation

    def forward(self, features: Tensor) -> Tensor:
        """Return [..., C] of features [..., F]."""
        normed = self.norm(self.linear(features.flatten(0, -2)))
        return self.activation(normed).unflatten(0, features.shape[:-1])

    def affine(self, seen: Moments | None) -> tuple[Tensor, Tensor]:
        """Return weight [C, F] and bias [C] of the map from x to the batch norm of W x.

        Args:
            seen: Statistics of all x of the batch, in training; None to go by the running statistics.
        """
        weight, norm = self.linear.weight, self.norm
        if seen is None:
            mean, variance = self._running()
        else:
            # Rounding can take the variance of a channel that hardly varies below zero.
            mean, variance = weight @ seen.mean, ((weight @ seen.covariance) * weight).sum(1).clamp(min=0)
            self._track(mean.detach(), variance.detach() * (seen.count / max(1, seen.count - 1)))
        scale = norm.weight * (variance + norm.eps).rsqrt()
        return weight * scale[:, None], norm.bias - mean * scale

    def _track(self, mean: Tensor, variance: Tensor) -> None:
        """Move the running statistics, as batch norm does."""
        for running, value in zip(self._running(), (mean, variance), strict=True):
            running.lerp_(value, self.norm.momentum or 0.0)
        assert self.norm.num_batches_tracked is not None
        self.norm.num_batches_tracked += 1

    def _running(self) -> tuple[Tensor, Tensor]:
        """Return the running mean and variance."""
        assert self.norm.running_mean is not None
        assert self.norm.running_var is not None
        return self.norm.running_mean, self.norm.running_var


class MaxOverPoints(nn.Module):
    """A linear layer on every point, batch norm, ReLU, and the maximum over the points of each shape.

    Equal to these four in a row, but the gradient is computed for the C points of a shape that hold a maximum rather
    than for all values of all its points.

    Args:
        inputs: Width F.
        outputs: Width C.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.normed = NormedLinear(inputs, outputs, nn.ReLU(inplace=True))

    def forward(self, features: Tensor) -> Tensor:
        """Return [B, C] of the features [B, N, F] of points."""
        rows = features.flatten(0, 1)
        weight, bias = self.normed.affine(measure_moments(rows) if self.training else None)
        with torch.no_grad():
            # One shape after the other: all products [B, N, C] at once would not stay in the processor's caches.
            places = torch.stack([find_highest(shape @ weight.T) for shape in features])
            places += torch.arange(len(features), device=places.device)[:, None] * features.shape[1]
        chosen = rows.index_select(0, places.flatten()).unflatten(0, places.shape)  # [B, C, F]
        return self.normed.activation((chosen * weight).sum(-1) + bias)
