"""Tip-Adapter (Zhang et al., ECCV 2022): the examples as a key-value cache beside the zero-shot classifier."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from itertools import product

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize, one_hot

from clip2point.heads.base import PATH_GRID, AnyHead, Head, mean_cosines, side_by_side, unit_views, views_of
from clip2point.heads.calibration import rate_scores
from clip2point.heads.examples import Examples
from clip2point.heads.head_options import TipSettings, TipTrainingSettings

#: What validation chooses between, besides the options as they are.
_ALPHAS = tuple(round(0.1 * 10 ** (step / 6), 3) for step in range(25))  # 0.1 to 1000
_BETAS = tuple(round(2 ** (step / 2), 3) for step in range(15))  # 1 to 128

_AT_ONCE = 32  # pairs of an alpha and a beta that are compared together
_BATCH = 256  # of shapes in training, as in the paper
_EPS = 1e-4  # of AdamW, as in the paper


class TipAdapter(Head):
    """Zero-shot logits, plus for each example a vote for its class that grows with its likeness.

    The logits of a shape are logit_scale * mean cosine of the views with the class names + alpha * sum over the
    examples of exp(-beta (1 - likeness)) * its one-hot label / mean number of examples of a class. Likeness is the mean
    of the cosines view by view; the copies of an example are averaged into one.
    """

    name = "tip-adapter"
    needs_all_classes = False
    settings_type = TipSettings
    #: Alpha and beta are searched after each fit, see ``tuned``.
    grid = PATH_GRID

    settings: TipSettings

    def tuned(self: AnyHead, examples: Examples, fixed: Collection[str] = ()) -> AnyHead:
        """The same cache with the alpha and the beta that are best on examples, by accuracy, then by cross-entropy."""
        assert isinstance(self, TipAdapter)
        self.check_features(examples.measured)
        own, labels = self.settings, examples.labels
        alphas = [own.alpha] if "alpha" in fixed else sorted({own.alpha, *_ALPHAS})
        betas = [own.beta] if "beta" in fixed else sorted({own.beta, *_BETAS})
        cosines, likeness = self._compared(examples.measured)
        votes = [_votes(likeness, beta, self.state["votes"]) for beta in betas]
        pairs = list(product(range(len(betas)), alphas))
        right = [int(((cosines + alpha * votes[beta]).argmax(1) == labels).sum()) for beta, alpha in pairs]
        tied = [pair for pair, count in zip(pairs, right, strict=True) if count == max(right)]
        losses = torch.cat(
            [
                rate_scores(torch.stack([cosines + alpha * votes[beta] for beta, alpha in some]), labels)[1]
                for some in (tied[start : start + _AT_ONCE] for start in range(0, len(tied), _AT_ONCE))
            ]
        )
        beta, alpha = tied[int(losses.argmin())]
        return self.with_state({}, alpha=alpha, beta=betas[beta])

    def fit_state(self, examples: Examples, text: Tensor, logit_scale: Tensor, seed: int) -> dict[str, Tensor]:
        votes = one_hot(examples.labels, len(text)) * (len(text) / len(examples))
        return {"keys": self._keys(examples), "votes": votes, "text": text, "logit_scale": logit_scale}

    def score_batch(self, features: Tensor) -> Tensor:
        cosines, likeness = self._compared(features)
        return cosines + self.settings.alpha * _votes(likeness, self.settings.beta, self.state["votes"])

    def _compared(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Zero-shot logits [N, C], and likeness [N, M] to the M keys, of view features [N, P, V, D]."""
        unit = unit_views(features, self.settings.path)
        cosines = self.state["logit_scale"] * mean_cosines(unit, self.state["text"])
        return cosines, side_by_side(unit) @ self.state["keys"].flatten(1).T

    def extend_state(self, text: Tensor, examples: Examples | None) -> dict[str, Tensor]:
        examples = self.check_new_examples(examples, text)
        votes = one_hot(examples.labels, len(text)) * (len(text) / len(examples))
        return {
            "keys": torch.cat([self.state["keys"], self._keys(examples)]),
            "votes": torch.block_diag(self.state["votes"], votes),
            "text": torch.cat([self.state["text"], text]),
        }

    def _keys(self, examples: Examples) -> Tensor:
        """Keys [N, V, D], each of length 1 with its views side by side."""
        mean = unit_views(examples.features, self.settings.path).mean(0)
        return normalize(mean.flatten(1), dim=-1).view_as(mean)

    def derive_shapes(self, state: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
        keys, text = self.read_views_shape(state, "keys", self.settings.path), self.read_shape(state, "text", 2)
        return {
            "keys": keys,
            "votes": (keys[0], text[0]),
            "text": (text[0], keys[2]),
            "logit_scale": (),
        }

    @property
    def feature_sizes(self) -> tuple[int | None, int]:
        _, chosen, dim = self.state["keys"].shape
        return views_of(self.settings.path, chosen), dim


class TipAdapterF(TipAdapter):
    """Tip-Adapter-F: the keys, not the votes, are trained on the examples, from these themselves on."""

    name = "tip-adapter-f"
    settings_type = TipTrainingSettings
    grid = ({},)

    settings: TipTrainingSettings

    def fit_state(self, examples: Examples, text: Tensor, logit_scale: Tensor, seed: int) -> dict[str, Tensor]:
        state = super().fit_state(examples, text, logit_scale, seed)
        return {**state, "keys": self._trained(examples, state, seed).view_as(state["keys"])}

    @torch.enable_grad()
    def _trained(self, examples: Examples, state: Mapping[str, Tensor], seed: int) -> Tensor:
        """Keys [N, V * D] that were trained to classify the examples, a random copy of each in every round."""
        own = self.settings
        unit = unit_views(examples.features, own.path).flatten(0, 1)
        cosines, inputs = state["logit_scale"] * mean_cosines(unit, state["text"]), side_by_side(unit)
        keys = state["keys"].flatten(1).clone().requires_grad_()
        optimizer = torch.optim.AdamW([keys], lr=own.lr, eps=_EPS, fused=True)
        count = len(examples)
        steps, step = own.epochs * math.ceil(count / _BATCH), 0
        order = torch.Generator().manual_seed(seed)
        for _ in range(own.epochs):
            rows = torch.randint(examples.copies, (count,), generator=order) * count + torch.arange(count)
            for batch in torch.randperm(count, generator=order).split(_BATCH):
                optimizer.param_groups[0]["lr"] = own.lr * (1 + math.cos(math.pi * step / steps)) / 2
                votes = _votes(inputs[rows[batch]] @ keys.T, own.beta, state["votes"])
                loss = cross_entropy(cosines[rows[batch]] + own.alpha * votes, examples.labels[batch])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                step += 1
        return keys.detach()


def _votes(likeness: Tensor, beta: float, votes: Tensor) -> Tensor:
    """What the examples say [N, C], for their likeness [N, M] to N shapes and their votes [M, C]."""
    return (beta * (likeness - 1)).exp() @ votes
