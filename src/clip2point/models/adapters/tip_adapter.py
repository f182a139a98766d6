"""Tip-Adapter (Zhang et al., ECCV 2022): the examples as a key-value cache beside the zero-shot classifier."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

from clip2point.errors import OptionError
from clip2point.models.adapters.heads import Head, side_by_side
from clip2point.models.zero_shot import view_cosines

_BATCH = 256  # of shapes, as in the paper's training; also bounds the memory of scoring


class TipAdapter(Head):
    """Zero-shot logits, plus for each example a vote for its class that grows with its likeness.

    The logits of a shape are logit_scale * cosines with the class names + alpha * sum over the examples of
    exp(-beta (1 - cosine with the example)) * its one-hot label. With ``epochs`` the keys of the cache, not the
    labels, are trained on the examples (Tip-Adapter-F).

    Args:
        alpha: weight of the examples, 0 or more.
        beta: how sharply likeness counts, above 0.
        logit_scale: factor on the zero-shot cosines, averaged over the views; the backbone's own.
        epochs: rounds of training over the examples; 0 for none.
        lr: first learning rate of AdamW; it falls to 0 along a cosine.
        seed: of the order of the examples in training.
    """

    _against = "keys"
    _needs_all_classes = False

    def __init__(
        self,
        *,
        alpha: float = 1.0,
        beta: float = 5.5,
        logit_scale: float = 100.0,
        epochs: int = 0,
        lr: float = 1e-3,
        seed: int = 0,
    ) -> None:
        super().__init__()
        for name, value in {"beta": beta, "logit_scale": logit_scale, "lr": lr}.items():
            if not 0 < value < float("inf"):
                raise OptionError(f"{name} is {value}: expected a number above 0")
        if not 0 <= alpha < float("inf") or epochs < 0:
            raise OptionError(f"alpha is {alpha} and epochs {epochs}: expected 0 or more of each")
        self.alpha, self.beta, self.logit_scale = alpha, beta, logit_scale
        self.epochs, self.lr, self.seed = epochs, lr, seed

    def _fitted(self, unit: Tensor, labels: Tensor, text: Tensor) -> dict[str, Tensor]:
        votes = one_hot(labels, len(text)).to(unit)
        keys = self._trained(unit, votes, labels, text) if self.epochs else side_by_side(unit)
        return {"keys": keys.view_as(unit), "votes": votes, "text": text}

    def _scored(self, unit: Tensor) -> Tensor:
        keys, votes, text = self.state["keys"].flatten(1), self.state["votes"], self.state["text"]
        return torch.cat([self._logits(batch, keys, votes, text) for batch in unit.split(_BATCH)])

    def _logits(self, unit: Tensor, keys: Tensor, votes: Tensor, text: Tensor) -> Tensor:
        """The logits [N, C] of unit view features [N, V, D] by M keys [M, V * D] with votes [M, C]."""
        likeness = (self.beta * (side_by_side(unit) @ keys.T - 1)).exp()
        return self.logit_scale * view_cosines(unit, text).mean(1) + self.alpha * likeness @ votes

    @torch.enable_grad()
    def _trained(self, unit: Tensor, votes: Tensor, labels: Tensor, text: Tensor) -> Tensor:
        """Keys [N, V * D] that were trained to classify the examples, from the examples themselves on."""
        keys = side_by_side(unit).clone().requires_grad_()
        optimizer = torch.optim.AdamW([keys], lr=self.lr, eps=1e-4)
        steps = self.epochs * -(-len(unit) // _BATCH)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        order = torch.Generator().manual_seed(self.seed)
        for _ in range(self.epochs):
            for batch in torch.randperm(len(unit), generator=order).to(unit.device).split(_BATCH):
                optimizer.zero_grad()
                cross_entropy(self._logits(unit[batch], keys, votes, text), labels[batch]).backward()
                optimizer.step()
                schedule.step()
        return keys.detach()
