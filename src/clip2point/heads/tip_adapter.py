"""Tip-Adapter (Zhang et al., ECCV 2022): the examples as a key-value cache beside the zero-shot classifier."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import product
from typing import Any, ClassVar

import numpy as np

from clip2point.core.arrays import Float32, normalize_rows, to_array
from clip2point.core.lazy import require
from clip2point.heads.base import (
    PATH_GRID,
    AnyHead,
    Head,
    count_views,
    flatten_views,
    mean_cosines,
    one_hot,
    unit_views,
)
from clip2point.heads.calibration import rate_scores
from clip2point.heads.examples import Examples
from clip2point.heads.head_options import TipSettings, TipTrainingSettings

#: Candidates of validation, besides the options as they are.
_ALPHAS = tuple(round(0.1 * 10 ** (step / 6), 3) for step in range(25))  # 0.1 to 1000
_BETAS = tuple(round(2 ** (step / 2), 3) for step in range(15))  # 1 to 128

_PAIRS_AT_ONCE = 32  # pairs of an alpha and a beta that are rated together; bounds the memory


class TipAdapter(Head):
    """Zero-shot logits plus, for each example, its cache value weighted by the affinity of the shape to its key.

    logits = logit_scale * mean cosine of the views with the class names + alpha * sum over the examples of
    exp(-beta (1 - affinity)) * cache value. The affinity of a shape to a key is their mean cosine, view by view. A key
    is the mean of the augmented views of an example; its value is its one-hot label / mean number of examples of a
    class.

    Examples:
        >>> examples = Examples(np.broadcast_to(np.eye(4)[None, :, None, None], (1, 4, 2, 6, 4)), np.arange(4))
        >>> head = TipAdapter(beta=5.0).fit(examples, np.roll(np.eye(4), 1, 0), logit_scale=1.0)  # misleading names
        >>> head.scores(examples.unaugmented).argmax(1).tolist()
        [0, 1, 2, 3]
    """

    name = "tip-adapter"
    on_arrays = True
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
        own, labels = self.settings, to_array(examples.labels)
        alphas = [own.alpha] if "alpha" in fixed else sorted({own.alpha, *_ALPHAS})
        betas = [own.beta] if "beta" in fixed else sorted({own.beta, *_BETAS})
        zero_shot, affinities = self._compare(to_array(examples.unaugmented))
        cached = [_cache_logits(affinities, beta, self.state["values"]) for beta in betas]
        pairs = list(product(range(len(betas)), alphas))
        correct = [int(((zero_shot + alpha * cached[beta]).argmax(1) == labels).sum()) for beta, alpha in pairs]
        tied = [pair for pair, count in zip(pairs, correct, strict=True) if count == max(correct)]
        losses = np.concatenate(
            [
                rate_scores(np.stack([zero_shot + alpha * cached[beta] for beta, alpha in some]), labels)[1]
                for some in (tied[start : start + _PAIRS_AT_ONCE] for start in range(0, len(tied), _PAIRS_AT_ONCE))
            ]
        )
        beta, alpha = tied[int(losses.argmin())]
        return self.with_state({}, alpha=alpha, beta=betas[beta])

    def fit_state(self, examples: Examples, text: Float32, logit_scale: Float32, seed: int) -> dict[str, Float32]:
        values = _cache_values(examples, len(text))
        return {"keys": self._build_keys(examples), "values": values, "text": text, "logit_scale": logit_scale}

    def score_batch(self, features: Float32) -> Float32:
        zero_shot, affinities = self._compare(features)
        return zero_shot + self.settings.alpha * _cache_logits(affinities, self.settings.beta, self.state["values"])

    def _compare(self, features: Float32) -> tuple[Float32, Float32]:
        """Return zero-shot logits [N, C] and affinities [N, M] to the M keys of view features [N, P, V, D]."""
        unit, keys = unit_views(features, self.settings.path), self.state["keys"]
        zero_shot = self.state["logit_scale"] * mean_cosines(unit, self.state["text"])
        return zero_shot, flatten_views(unit) @ keys.reshape(len(keys), -1).T

    def extend_state(self, text: Float32, examples: Examples | None) -> dict[str, Float32]:
        examples = self.check_new_examples(examples, text)
        old, new = self.state["values"], _cache_values(examples, len(text))
        return {
            "keys": np.concatenate([self.state["keys"], self._build_keys(examples)]),
            "values": np.block(
                [
                    [old, np.zeros_like(old, shape=(len(old), len(text)))],
                    [np.zeros_like(new, shape=(len(new), old.shape[1])), new],
                ]
            ),
            "text": np.concatenate([self.state["text"], text]),
        }

    def _build_keys(self, examples: Examples) -> Float32:
        """Return keys [N, V, D], each of length 1 with its views flattened."""
        mean = unit_views(to_array(examples.features), self.settings.path).mean(0)
        return normalize_rows(mean.reshape(len(mean), -1)).reshape(mean.shape)

    def derive_shapes(self, state: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
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
        >>> examples = Examples(np.broadcast_to(np.eye(4)[None, :, None, None], (1, 4, 2, 6, 4)), np.arange(4))
        >>> head = TipAdapterF(epochs=1).fit(examples, np.eye(4), logit_scale=1.0)
        >>> head.scores(examples.unaugmented).argmax(1).tolist()
        [0, 1, 2, 3]
    """

    name = "tip-adapter-f"
    settings_type = TipTrainingSettings
    grid = ({},)

    settings: TipTrainingSettings

    def fit_state(self, examples: Examples, text: Float32, logit_scale: Float32, seed: int) -> dict[str, Float32]:
        require("torch", "train", f"fitting the head {self.name}")
        from clip2point.heads.key_training import train_keys

        state = super().fit_state(examples, text, logit_scale, seed)
        unit = unit_views(to_array(examples.features), self.settings.path)
        zero_shot = logit_scale * mean_cosines(unit, text)
        keys = train_keys(flatten_views(unit), zero_shot, state, to_array(examples.labels), self.settings, seed)
        return {**state, "keys": keys.reshape(state["keys"].shape)}


def _cache_values(examples: Examples, classes: int) -> Float32:
    """Return the values [N, C] of the examples: one-hot labels / mean number of examples of a class."""
    return one_hot(examples.labels, classes) * np.float32(classes / len(examples))


def _cache_logits(affinities: Float32, beta: float, values: Float32) -> Float32:
    """Return the cache's logits [N, C] for the affinities [N, M] of N shapes to M keys with the values [M, C]."""
    logits: Float32 = np.exp(beta * (affinities - 1)) @ values
    return logits
