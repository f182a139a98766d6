"""Nearest neighbours among the points of each shape; sums and maxima over them, and over all points.

Compiled loops on the CPU, where a selection or a reduction over gathered rows is many times slower in plain torch;
plain torch elsewhere.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

#: Distances that are held at once: 4 MB of them stay in the processor's caches.
_BLOCK = 2**20


@torch.no_grad()
def find_nearest(features: Tensor, k: int) -> Tensor:
    """Find the nearest neighbours of every point among the points of its own shape, itself included.

    Args:
        features: Features [B, N, F] of points.
        k: Number of neighbours; N if there are fewer points.

    Returns:
        [B N, min(k, N)] int64 row numbers among all B N points, in no particular order.
    """
    shapes, points, k = features.shape[0], features.shape[1], min(k, features.shape[1])
    found = features.new_empty((shapes, points, k), dtype=torch.int64)
    # The farther from the origin, the less of a distance is left after rounding.
    centred = features - features.mean(1, keepdim=True)
    size = max(1, _BLOCK // points)
    for shape in range(shapes):
        rows = centred[shape]
        squares = rows.square().sum(1)
        for start in range(0, points, size):
            # Without the square of the point itself, which is the same for all its neighbours.
            distances = torch.addmm(squares, rows[start : start + size], rows.T, alpha=-2)
            found[shape, start : start + size] = _least(distances, k) + shape * points
    return found.flatten(0, 1)


def sum_neighbours(rows: Tensor, neighbours: Tensor) -> Tensor:
    """Return sums [M, C] over the rows [M, C] that the neighbours [M, k] name."""
    return _Sum.apply(rows.contiguous(), neighbours) if _on_cpu(rows) else rows[neighbours].sum(1)


def max_neighbours(rows: Tensor, neighbours: Tensor) -> Tensor:
    """Return maxima [M, C], channel by channel, over the rows [M, C] that the neighbours [M, k] name."""
    return _Max.apply(rows.contiguous(), neighbours) if _on_cpu(rows) else rows[neighbours].max(1).values


@torch.no_grad()
def find_highest(values: Tensor) -> Tensor:
    """Return the rows [C], int64, in which the maxima of the columns of [N, C] stand; of equal ones, the first."""
    if not _on_cpu(values):
        return values.argmax(0)
    return torch.from_numpy(_column_argmax(values.contiguous().numpy()))


def _on_cpu(tensor: Tensor) -> bool:
    return tensor.device.type == "cpu"


def _least(distances: Tensor, k: int) -> Tensor:
    """Return the columns [R, k] of the least values of each row [R, N]."""
    if not _on_cpu(distances):
        return distances.topk(k, dim=1, largest=False, sorted=False).indices
    return torch.from_numpy(_select(distances.numpy(), k))


class _Sum(torch.autograd.Function):
    """Sums over neighbours; the gradient of a row goes to all its neighbours."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, neighbours: Tensor) -> Tensor:
        ctx.save_for_backward(neighbours)
        return torch.from_numpy(_gather_sum(rows.detach().numpy(), neighbours.numpy()))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (neighbours,) = ctx.saved_tensors
        return torch.from_numpy(_scatter_sum(gradient.contiguous().numpy(), neighbours.numpy())), None


class _Max(torch.autograd.Function):
    """Maxima over neighbours; the gradient of a value goes to the row where it was found."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, neighbours: Tensor) -> Tensor:
        values, places = _gather_max(rows.detach().numpy(), neighbours.numpy())
        ctx.save_for_backward(torch.from_numpy(places))
        return torch.from_numpy(values)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (places,) = ctx.saved_tensors
        return torch.from_numpy(_scatter_max(gradient.contiguous().numpy(), places.numpy())), None


@numba.njit(cache=True, nogil=True)
def _select(distances: NDArray[Any], k: int) -> NDArray[np.int64]:
    """Return the columns [R, k] of the least values of each row [R, N]; of equal ones, the first."""
    columns = np.empty((distances.shape[0], k), np.int64)
    least = np.empty(k, distances.dtype)
    for row in range(distances.shape[0]):
        least[:] = np.inf
        chosen, line = columns[row], distances[row]
        chosen[:] = 0
        for column in range(line.shape[0]):
            value = line[column]
            if value < least[k - 1]:
                place = k - 1
                while place > 0 and least[place - 1] > value:
                    least[place], chosen[place] = least[place - 1], chosen[place - 1]
                    place -= 1
                least[place], chosen[place] = value, column
    return columns


@numba.njit(cache=True, nogil=True)
def _column_argmax(values: NDArray[Any]) -> NDArray[np.int64]:
    """Return the rows [C] of the maxima of the columns of [N, C]."""
    best, where = values[0].copy(), np.zeros(values.shape[1], np.int32)
    for n in range(1, values.shape[0]):
        row = values[n]
        for c in range(row.shape[0]):
            larger = row[c] > best[c]
            best[c] = row[c] if larger else best[c]
            where[c] = np.int32(n) if larger else where[c]
    return where.astype(np.int64)


@numba.njit(cache=True, nogil=True)
def _gather_sum(rows: NDArray[Any], neighbours: NDArray[np.int64]) -> NDArray[Any]:
    """Return sums [M, C] over the neighbours [M, k]."""
    sums = np.zeros_like(rows)
    for i in range(neighbours.shape[0]):
        total = sums[i]
        for j in neighbours[i]:
            row = rows[j]
            for c in range(row.shape[0]):
                total[c] += row[c]
    return sums


@numba.njit(cache=True, nogil=True)
def _scatter_sum(gradient: NDArray[Any], neighbours: NDArray[np.int64]) -> NDArray[Any]:
    """Return the gradient [M, C] of rows, given that of their sums."""
    spread = np.zeros_like(gradient)
    for i in range(neighbours.shape[0]):
        row = gradient[i]
        for j in neighbours[i]:
            total = spread[j]
            for c in range(row.shape[0]):
                total[c] += row[c]
    return spread


@numba.njit(cache=True, nogil=True)
def _gather_max(rows: NDArray[Any], neighbours: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[np.int32]]:
    """Return maxima [M, C] over the neighbours [M, k], and the rows [M, C] in which they stand."""
    values, places = np.empty_like(rows), np.empty(rows.shape, np.int32)
    for i in range(neighbours.shape[0]):
        best, where = values[i], places[i]
        best[:], where[:] = rows[neighbours[i, 0]], neighbours[i, 0]
        for n in range(1, neighbours.shape[1]):
            j = np.int32(neighbours[i, n])
            row = rows[j]
            for c in range(row.shape[0]):
                # Without a branch, so that many channels are done at a time.
                larger = row[c] > best[c]
                best[c] = row[c] if larger else best[c]
                where[c] = j if larger else where[c]
    return values, places


@numba.njit(cache=True, nogil=True)
def _scatter_max(gradient: NDArray[Any], places: NDArray[np.int32]) -> NDArray[Any]:
    """Return the gradient [M, C] of rows, given that of their maxima."""
    spread = np.zeros_like(gradient)
    for i in range(places.shape[0]):
        for c in range(places.shape[1]):
            spread[places[i, c], c] += gradient[i, c]
    return spread
