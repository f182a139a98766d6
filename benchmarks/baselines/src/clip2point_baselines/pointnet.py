"""PointNet (Qi et al., "PointNet: Deep Learning on Point Sets for 3D Classification and Segmentation", CVPR 2017)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from clip2point_baselines.layers import MaxOverPoints, NormedLinear, PointNetwork

#: Weight of the penalty on feature transforms that are not orthogonal; dropout before the last layer (0.7 are kept).
_ORTHOGONALITY = 0.001
_DROPOUT = 0.3


class PointNet(PointNetwork):
    """The classification network of the paper, with both of its alignment networks.

    Args:
        classes: Number C of classes.
    """

    def __init__(self, classes: int) -> None:
        super().__init__(classes)
        self.input_transform = Transform(3)
        self.first = nn.Sequential(_dense(3, 64), _dense(64, 64))
        self.feature_transform = Transform(64)
        self.second = nn.Sequential(_dense(64, 64), _dense(64, 128), MaxOverPoints(128, 1024))
        self.classifier = nn.Sequential(
            _dense(1024, 512), _dense(512, 256), nn.Dropout(_DROPOUT), nn.Linear(256, classes)
        )

    def _score_with_penalty(self, points: Tensor) -> tuple[Tensor, Tensor]:
        features = self.first(points @ self.input_transform(points))
        transform = self.feature_transform(features)
        return self.classifier(self.second(features @ transform)), _ORTHOGONALITY * penalise_skew(transform)


class Transform(nn.Module):
    """A "T-Net", which finds the matrix to multiply the features of a shape by; the identity before training.

    Args:
        dim: Width F.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim
        self.shape = nn.Sequential(_dense(dim, 64), _dense(64, 128), MaxOverPoints(128, 1024))
        last = nn.Linear(256, dim * dim)
        nn.init.zeros_(last.weight)
        with torch.no_grad():
            last.bias.copy_(torch.eye(dim).flatten())
        self.matrix = nn.Sequential(_dense(1024, 512), _dense(512, 256), last)

    def forward(self, features: Tensor) -> Tensor:
        """Return [B, F, F] of the features [B, N, F] of points."""
        return self.matrix(self.shape(features)).unflatten(1, (self.dim, self.dim))


def penalise_skew(transforms: Tensor) -> Tensor:
    """Return the squared Frobenius norm of I - T T^T, as a mean over the matrices T [B, F, F]."""
    identity = torch.eye(transforms.shape[1], device=transforms.device, dtype=transforms.dtype)
    return (identity - transforms @ transforms.mT).square().sum((1, 2)).mean()


def _dense(inputs: int, outputs: int) -> NormedLinear:
    """Return a layer like all but the last ones."""
    return NormedLinear(inputs, outputs, nn.ReLU(inplace=True))
