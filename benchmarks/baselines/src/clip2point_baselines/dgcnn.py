"""DGCNN (Wang et al., "Dynamic Graph CNN for Learning on Point Clouds", ACM Transactions on Graphics 2019)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from clip2point.core.errors import OptionError
from clip2point_baselines.layers import Moments, NormedLinear, PointNetwork
from clip2point_baselines.neighbours import find_highest, find_nearest, max_neighbours, sum_neighbours

_SLOPE = 0.2
_DROPOUT = 0.5
_WIDTHS = (64, 64, 128, 256)
_DIM = 1024


class DGCNN(PointNetwork):
    """The classification network, as in the authors' PyTorch code (which has no spatial transform).

    Four edge convolutions, each on the graph of the nearest neighbours among the features that it is given; their
    outputs side by side, a linear layer, and both the maximum and the mean over the points.

    Args:
        classes: Number C of classes.
        k: Neighbours of a point, itself among them; all points of a shape that has fewer.
    """

    def __init__(self, classes: int, k: int = 20) -> None:
        super().__init__(classes)
        self.edges = nn.ModuleList(
            EdgeConv(inputs, outputs, k) for inputs, outputs in zip((3, *_WIDTHS), _WIDTHS, strict=False)
        )
        self.mix = _dense(sum(_WIDTHS), _DIM)
        self.classifier = nn.Sequential(
            _dense(2 * _DIM, 512),
            nn.Dropout(_DROPOUT),
            _dense(512, 256),
            nn.Dropout(_DROPOUT),
            nn.Linear(256, classes),
        )

    def _score_with_penalty(self, points: Tensor) -> tuple[Tensor, Tensor]:
        features, outputs = points, []
        for edge in self.edges:
            features = edge(features)
            outputs.append(features)
        mixed = self.mix(torch.cat(outputs, dim=-1))
        places = torch.stack([find_highest(shape) for shape in mixed.detach()])  # [B, D]
        pooled = torch.cat([mixed.gather(1, places[:, None])[:, 0], mixed.mean(1)], dim=-1)
        return self.classifier(pooled), pooled.new_zeros(())


class EdgeConv(nn.Module):
    """Edge convolution: the maximum over the neighbours j of a point i of LeakyReLU(norm(W [x_i, x_j - x_i])).

    With W = [A, B], an edge is (A - B) x_i + B x_j: two products for a point instead of one for each of its k edges.
    The statistics of the batch norm are those over all edges.

    Args:
        inputs: Width F.
        outputs: Width C.
        k: Neighbours of a point, itself among them; all points of a shape that has fewer.

    Raises:
        OptionError: k is below 1.
    """

    def __init__(self, inputs: int, outputs: int, k: int) -> None:
        super().__init__()
        if k < 1:
            raise OptionError(f"k is {k}: expected at least 1 neighbour")
        self.k = k
        self.normed = _dense(2 * inputs, outputs)

    def forward(self, features: Tensor) -> Tensor:
        """Return [B, N, C] of the features [B, N, F] of points."""
        neighbours = find_nearest(features, self.k)
        rows = features.flatten(0, 1)
        weight, bias = self.normed.affine(measure_edges(rows, neighbours) if self.training else None)
        own, difference = weight.chunk(2, dim=1)
        edges = torch.addmm(bias, rows, (own - difference).T) + max_neighbours(rows @ difference.T, neighbours)
        return self.normed.activation(edges).unflatten(0, features.shape[:2])


def measure_edges(rows: Tensor, neighbours: Tensor) -> Moments:
    """Return statistics of [x_i, x_j - x_i] over all edges of a graph, without a list of these.

    Args:
        rows: Features [M, F] of points.
        neighbours: Row numbers [M, k] of the neighbours j of each i.

    Returns:
        Statistics of 2 F values, over M k edges.
    """
    count, k = neighbours.shape
    centroid = rows.mean(0)
    rows = rows - centroid
    around = sum_neighbours(rows, neighbours) / k
    # How often each point is a neighbour: sums over edges of what belongs to j are sums over points with this weight.
    weight = neighbours.flatten().bincount(minlength=count).to(rows.dtype)[:, None] / k
    products = rows.T @ torch.cat([rows, around, rows * weight], dim=1) / count
    own, mixed, other = products.chunk(3, dim=1)  # means of x_i x_i^T, x_i x_j^T, x_j x_j^T
    mean = around.mean(0)  # of x_j - x_i, as x_i has the mean 0
    cross = mixed - own
    difference = other - mixed - mixed.T + own - mean[:, None] * mean
    covariance = torch.cat([torch.cat([own, cross], dim=1), torch.cat([cross.T, difference], dim=1)])
    return Moments(torch.cat([centroid, mean]), covariance, count * k)


def _dense(inputs: int, outputs: int) -> NormedLinear:
    """Return a layer like all but the last."""
    return NormedLinear(inputs, outputs, nn.LeakyReLU(_SLOPE, inplace=True))
