"""Training of adapters that are networks, in PyTorch, and answers of those of plug-ins."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.func import functional_call

from clip2point.core.arrays import Float32
from clip2point.heads.examples import Examples
from clip2point.heads.head_options import NetworkSettings
from clip2point.heads.network_arrays import FIXED_SCALE
from clip2point.heads.tensors import to_tensor

Cosines = Callable[[nn.Module, Tensor, Tensor], Tensor]

#: Initial value of a learned factor on cosines, that of CLIP's own training.
_INITIAL_SCALE = 1 / 0.07


class Scorer(nn.Module):
    """All that is trained: from view features [B, P, V, D] and unit text features [C, D] to logits [B, C].

    Args:
        network: Adapter.
        cosines: Function from the adapter, view features and text features to cosines.
        scale: Factor on the cosines: "off" for 1, "fixed" for 100, "learned".
    """

    def __init__(self, network: nn.Module, cosines: Cosines, scale: str) -> None:
        super().__init__()
        self.network = network
        self.cosines = cosines
        self.scale = FIXED_SCALE if scale == "fixed" else 1.0
        self.log_scale = nn.Parameter(torch.tensor(math.log(_INITIAL_SCALE))) if scale == "learned" else None

    def forward(self, features: Tensor, text: Tensor) -> Tensor:
        """Return the logits."""
        return self.factor() * self.cosines(self.network, features, text)

    def factor(self) -> Tensor | float:
        """Return the factor on cosines."""
        return self.scale if self.log_scale is None else self.log_scale.exp()


class Adapter(Protocol):
    """Parts of a head that its training calls; ``TrainedHead`` describes them."""

    settings: NetworkSettings

    def build_network(self, views: int, dim: int) -> nn.Module:
        """Return an untrained adapter."""
        ...

    def compute_cosines(self, network: nn.Module, features: Tensor, text: Tensor) -> Tensor:
        """Return cosines [N, C]."""
        ...

    def compute_loss(self, scorer: Scorer, batch: Tensor, labels: Tensor, given: Mapping[str, Tensor]) -> Tensor:
        """Return the loss of a batch."""
        ...

    def prepare(self, features: Float32) -> Float32:
        """Return view features as the adapter takes them."""
        ...


def train_network(head: Adapter, examples: Examples, text: Float32, seed: int) -> dict[str, Float32]:
    """Train the adapter of a head.

    Args:
        head: Head whose options say how.
        examples: Examples to learn from.
        text: [C, D] unit text features.
        seed: Seed of weights, order, augmented views and dropout.

    Returns:
        State of the scorer.
    """
    with torch.random.fork_rng(devices=[]), torch.inference_mode(False), torch.enable_grad():
        torch.default_generator.manual_seed(seed)  # also of what dropout draws
        scorer = _build_scorer(head, *examples.features.shape[-2:]).train()
        _train(head, scorer, examples, to_tensor(text))
    return {name: tensor.detach().numpy() for name, tensor in scorer.state_dict().items()}


def describe_network(head: Adapter, views: int, dim: int) -> dict[str, tuple[int, ...]]:
    """Return the shapes of an adapter's tensors by name, without weights.

    Raises:
        RuntimeError: If there can be no tensors of these sizes.
    """
    with torch.device("meta"):
        network = head.build_network(views, dim)
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}


def run_network(head: Adapter, state: Mapping[str, Float32], features: Float32) -> Float32:
    """Return cosines [N, C] of the module with the state of a fitted head for prepared view features [N, P, V, D]."""
    with torch.device("meta"):
        scorer = Scorer(head.build_network(*features.shape[-2:]), head.compute_cosines, "off").eval()
    tensors = {name: to_tensor(state[name]) for name in scorer.state_dict()}
    inputs = to_tensor(features), to_tensor(state["text"])
    with torch.no_grad():
        found: Float32 = functional_call(scorer, tensors, inputs, strict=True).numpy()
    return found


def _build_scorer(head: Adapter, views: int, dim: int) -> Scorer:
    return Scorer(head.build_network(views, dim), head.compute_cosines, head.settings.scale)


def _train(head: Adapter, scorer: Scorer, examples: Examples, text: Tensor) -> None:
    own, labels = head.settings, to_tensor(examples.labels)
    features = to_tensor(head.prepare(to_tensor(examples.features).float().flatten(0, 1).numpy()))
    optimizer = torch.optim.AdamW(scorer.parameters(), lr=own.lr, weight_decay=own.weight_decay, fused=True)
    batches = list(_plan_batches(len(examples), examples.augmentations, own))
    for step, (rows, augmentations) in enumerate(batches):
        optimizer.param_groups[0]["lr"] = own.lr * (1 + math.cos(math.pi * step / len(batches))) / 2
        batch = features[augmentations * len(examples) + rows]
        optimizer.zero_grad()
        head.compute_loss(scorer, batch, labels[rows], {"text": text}).backward()
        optimizer.step()


def _plan_batches(count: int, augmentations: int, own: NetworkSettings) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield shape numbers [B] and the number of an augmented view for each; a last batch of one shape is left out."""
    steps = max(1, count // own.batch_size)
    for _ in range(min(own.epochs, max(1, own.steps // steps))):
        chosen = torch.randint(augmentations, (count,))
        for rows in torch.randperm(count).split(own.batch_size):
            if len(rows) > 1:
                yield rows, chosen[rows]
