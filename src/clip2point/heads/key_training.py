"""Training of Tip-Adapter-F's keys, in PyTorch."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy

from clip2point.core.arrays import Float32
from clip2point.heads.head_options import TipTrainingSettings
from clip2point.heads.tensors import to_tensor

_BATCH_SIZE = 256  # shapes of a training step, as in the paper
_EPS = 1e-4  # of AdamW, as in the paper


@torch.inference_mode(False)
@torch.enable_grad()
def train_keys(
    inputs: Float32,
    zero_shot: Float32,
    state: Mapping[str, Float32],
    labels: NDArray[np.int64],
    settings: TipTrainingSettings,
    seed: int,
) -> Float32:
    """Train keys to classify the examples, a random augmented view of each in every epoch.

    Args:
        inputs: [K, N, V * D] flattened unit features of K augmented views of N examples.
        zero_shot: [K, N, C] zero-shot logits.
        state: State of Tip-Adapter with the first keys [N, V, D] and the values [N, C].
        labels: [N] classes.
        settings: Options of the head.
        seed: Seed of the order and of the augmented views.

    Returns:
        [N, V * D] keys.
    """
    count = len(labels)
    given, logits, truth = to_tensor(inputs).flatten(0, 1), to_tensor(zero_shot).flatten(0, 1), to_tensor(labels)
    keys, values = to_tensor(state["keys"]).flatten(1).clone().requires_grad_(), to_tensor(state["values"])
    optimizer = torch.optim.AdamW([keys], lr=settings.lr, eps=_EPS, fused=True)
    steps, step = settings.epochs * math.ceil(count / _BATCH_SIZE), 0
    order = torch.Generator().manual_seed(seed)
    for _ in range(settings.epochs):
        rows = torch.randint(len(inputs), (count,), generator=order) * count + torch.arange(count)
        for batch in torch.randperm(count, generator=order).split(_BATCH_SIZE):
            optimizer.param_groups[0]["lr"] = settings.lr * (1 + math.cos(math.pi * step / steps)) / 2
            cached = cache_logits(given[rows[batch]] @ keys.T, settings.beta, values)
            loss = cross_entropy(logits[rows[batch]] + settings.alpha * cached, truth[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
    found: Float32 = keys.detach().numpy()
    return found


def cache_logits(affinities: Tensor, beta: float, values: Tensor) -> Tensor:
    """Return the cache's logits [N, C] as Tip-Adapter scores them, with a gradient."""
    return (beta * (affinities - 1)).exp() @ values
