"""Tip-Adapter (Zhang et al., ECCV 2022): the examples as a key-value cache beside the zero-shot classifier."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from itertools import product
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize, one_hot

from clip2point.heads.base import PATH_GRID, AnyHead, Head, count_views, flatten_views, mean_cosines, unit_views
from clip2point.heads.calibration import rate_scores
from clip2point.heads.examples import Examples
from clip2point.heads.head_options import TipSettings, TipTrainingSettings

#: Candidates of validation, besides the options as they are.
_ALPHAS = tuple(round(0.1 * 10 ** (step / 6), 3) for step in range(25))  # 0.1 to 1000
_BETAS = tuple(round(2 ** (step / 2), 3) for step in range(15))  # 1 to 128

_PAIRS_AT_ONCE = 32  # pairs of an alpha and a beta that are rated together; bounds the memory
_BATCH_SIZE = 256  # shapes of a training step, as in the paper
_EPS = 1e-4  # of AdamW, as in the paper


class TipAdapter(Head):
    """Zero-shot logits plus, for each example, its cache value weighted by the affinity of the shape to its key.

    logits = logit_scale * mean cosine of the views with the class names + alpha * sum over the examples of
    exp(-beta (1 - affinity)) * cache value. The affinity of a shape to a key is their mean cosine, view by view. A key
    is the mean of the augmented views of an example; its value is its one-hot label / mean number of examples of a
    class.

    Examples:
        >>> import torch
        >>> examples = Examples(torch.eye(4)[None, :, None, None].expand(1, 4, 2, 6, 4), torch.arange(4))
        >>> head = TipAdapter(beta=5.0).fit(examples, torch.eye(4).roll(1, 0), logit_scale=1.0)  # misleading names
        >>> head.scores(examples.unaugmented).argmax(1)
        tensor([0, 1, 2, 3])
    """

    name = "tip-adapter"
    needs_all_classes = False
    settings_type = TipSettings
    #: Alpha and beta are searched after each fit, see ``tune``.
    grid = PATH_GRID
    former_state_names: ClassVar[Mapping[str, str]] = {"votes": "values"}

    settings: TipSettings

    def tune(self: AnyHead, examples: Examples, fixed: Collection[str] = ()) -> AnyHead:
        """Return the same cache with the alpha and beta that are best on examples: accuracy, then cross-entropy."""
        assert isinstance(self, TipAdapter)
        self.check_features(examples.unaugmented)
        own, labels = self.settings, examples.labels
        alphas = [own.alpha] if "alpha" in fixed else sorted({own.alpha, *_ALPHAS})
        betas = [own.beta] if "beta" in fixed else sorted({own.beta, *_BETAS})
        zero_shot, affinities = self._compare(examples.unaugmented)
        cached = [_cache_logits(affinities, beta, self.state["values"]) for beta in betas]
        pairs = list(product(range(len(betas)), alphas))
        correct = [int(((zero_shot + alpha * cached[beta]).argmax(1) == labels).sum()) for beta, alpha in pairs]
        tied = [pair for pair, count in zip(pairs, correct, strict=True) if count == max(correct)]
        losses = torch.cat(
            [
                rate_scores(torch.stack([zero_shot + alpha * cached[beta] for beta, alpha in some]), labels)[1]
                for some in (tied[start : start + _PAIRS_AT_ONCE] for start in range(0, len(tied), _PAIRS_AT_ONCE))
            ]
        )
        beta, alpha = tied[int(losses.argmin())]
        return self.with_state({}, alpha=alpha, beta=betas[beta])

    def fit_state(self, examples: Examples, text: Tensor, logit_scale: Tensor, seed: int) -> dict[str, Tensor]:
        values = _cache_values(examples, len(text))
        return {"keys": self._build_keys(examples), "values": values, "text": text, "logit_scale": logit_scale}

    def score_batch(self, features: Tensor) -> Tensor:
        zero_shot, affinities = self._compare(features)
        return zero_shot + self.settings.alpha * _cache_logits(affinities, self.settings.beta, self.state["values"])

    def _compare(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return zero-shot logits [N, C] and affinities [N, M] to the M keys of view features [N, P, V, D]."""
        unit = unit_views(features, self.settings.path)
        zero_shot = self.state["logit_scale"] * mean_cosines(unit, self.state["text"])
        return zero_shot, flatten_views(unit) @ self.state["keys"].flatten(1).T

    def extend_state(self, text: Tensor, examples: Examples | None) -> dict[str, Tensor]:
        examples = self.check_new_examples(examples, text)
        return {
            "keys": torch.cat([self.state["keys"], self._build_keys(examples)]),
            "values": torch.block_diag(self.state["values"], _cache_values(examples, len(text))),
            "text": torch.cat([self.state["text"], text]),
        }

    def _build_keys(self, examples: Examples) -> Tensor:
        """Return keys [N, V, D], each of length 1 with its views flattened."""
        mean = unit_views(examples.features, self.settings.path).mean(0)
        return normalize(mean.flatten(1), dim=-1).view_as(mean)

    def derive_shapes(self, state: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
        keys, text = self.read_views_shape(state, "keys", self.settings.path), self.read_shape(state, "text", 2)
        return {
            "keys": keys,
            "values": (keys[0], text[0]),
            "text": (text[0], keys[2]),
            "logit_scale": (),
        }

    @property
    def feature_sizes(self) -> tuple[int | None, int]:
        _, chosen, dim = self.state["keys"].shape
        return count_views(self.settings.path, chosen), dim


class TipAdapterF(TipAdapter):
    """Tip-Adapter-F: Tip-Adapter whose keys are trained on the examples, starting from Tip-Adapter's.

    Examples:
        >>> import torch
        >>> examples = Examples(torch.eye(4)[None, :, None, None].expand(1, 4, 2, 6, 4), torch.arange(4))
        >>> head = TipAdapterF(epochs=1).fit(examples, torch.eye(4), logit_scale=1.0)
        >>> head.scores(examples.unaugmented).argmax(1)
        tensor([0, 1, 2, 3])
    """

    name = "tip-adapter-f"
    settings_type = TipTrainingSettings
    grid = ({},)

    settings: TipTrainingSettings

    def fit_state(self, examples: Examples, text: Tensor, logit_scale: Tensor, seed: int) -> dict[str, Tensor]:
        state = super().fit_state(examples, text, logit_scale, seed)
        return {**state, "keys": self._train_keys(examples, state, seed).view_as(state["keys"])}

    @torch.enable_grad()
    def _train_keys(self, examples: Examples, state: Mapping[str, Tensor], seed: int) -> Tensor:
        """Return keys [N, V * D] trained to classify the examples, a random augmented view of each in every epoch."""
        own = self.settings
        unit = unit_views(examples.features, own.path).flatten(0, 1)
        zero_shot, inputs = state["logit_scale"] * mean_cosines(unit, state["text"]), flatten_views(unit)
        keys = state["keys"].flatten(1).clone().requires_grad_()
        optimizer = torch.optim.AdamW([keys], lr=own.lr, eps=_EPS, fused=True)
        count = len(examples)
        steps, step = own.epochs * math.ceil(count / _BATCH_SIZE), 0
        order = torch.Generator().manual_seed(seed)
        for _ in range(own.epochs):
            rows = torch.randint(examples.augmentations, (count,), generator=order) * count + torch.arange(count)
            for batch in torch.randperm(count, generator=order).split(_BATCH_SIZE):
                optimizer.param_groups[0]["lr"] = own.lr * (1 + math.cos(math.pi * step / steps)) / 2
                cached = _cache_logits(inputs[rows[batch]] @ keys.T, own.beta, state["values"])
                loss = cross_entropy(zero_shot[rows[batch]] + own.alpha * cached, examples.labels[batch])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                step += 1
        return keys.detach()


def _cache_values(examples: Examples, classes: int) -> Tensor:
    """Return the values [N, C] of the examples: one-hot labels / mean number of examples of a class."""
    return one_hot(examples.labels, classes) * (classes / len(examples))


def _cache_logits(affinities: Tensor, beta: float, values: Tensor) -> Tensor:
    """Return the cache's logits [N, C] for the affinities [N, M] of N shapes to M keys with the values [M, C]."""
    return (beta * (affinities - 1)).exp() @ values
