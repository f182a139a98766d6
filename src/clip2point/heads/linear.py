"""Multinomial logistic regression on view features."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from clip2point.core.errors import OptionError
from clip2point.core.registries import HEADS
from clip2point.heads.base import Head, count_views, flatten_views, unit_views
from clip2point.heads.examples import Examples
from clip2point.heads.head_options import LinearSettings

_MAX_STEPS = 500
#: Largest gradient entry of the mean loss at which the search ends, as scikit-learn's.
_TOLERANCE = 1e-4
#: History size of L-BFGS. Steps take long on thousands of shapes, and a third fewer are needed than with the usual 10.
_HISTORY = 50


class LogisticRegression(Head):
    """Logistic regression on the concatenated unit view features of a shape; the scores are log-probabilities.

    The penalised loss is that of scikit-learn's multinomial solver, in which the augmented views of a shape share the
    weight of one sample; its minimum is found by L-BFGS.

    Examples:
        >>> import torch
        >>> examples = Examples(torch.eye(4)[None, :, None, None].expand(1, 4, 2, 6, 4), torch.tensor([0, 0, 1, 1]))
        >>> head = LogisticRegression(c=10.0).fit(examples, torch.eye(2, 4), logit_scale=1.0)
        >>> head.scores(examples.unaugmented).argmax(1)
        tensor([0, 0, 1, 1])
    """

    name = "linear"
    settings_type = LinearSettings
    grid = ({"c": 100.0}, {"c": 10.0}, {"c": 1000.0})

    settings: LinearSettings

    def fit_state(self, examples: Examples, text: Tensor, logit_scale: Tensor, seed: int) -> dict[str, Tensor]:
        if len(text) < 2:
            raise OptionError(f"{self.name} needs at least 2 classes, got 1")
        unit = unit_views(examples.features, self.settings.path).flatten(0, 1)
        labels = examples.labels.repeat(examples.augmentations)
        penalty = 1 / (2 * self.settings.c * len(examples))
        weight, bias = _minimize_loss(flatten_views(unit), labels, len(text), penalty)
        return {"weight": weight.unflatten(1, unit.shape[1:]), "bias": bias}

    def score_batch(self, features: Tensor) -> Tensor:
        unit = flatten_views(unit_views(features, self.settings.path))
        return (unit @ self.state["weight"].flatten(1).T + self.state["bias"]).log_softmax(-1)

    def extend_state(self, text: Tensor, examples: Examples | None) -> dict[str, Tensor]:
        # The weights that separate the old classes have never seen the new ones.
        others = ", ".join(name for name, entry in HEADS.built_in.items() if entry.takes_classes)
        raise OptionError(
            f"{self.name} cannot take new classes: fit it again on the examples of all classes, or use one of {others}"
        )

    def derive_shapes(self, state: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
        weight = self.read_views_shape(state, "weight", self.settings.path)
        return {"weight": weight, "bias": weight[:1]}

    @property
    def feature_sizes(self) -> tuple[int | None, int]:
        _, chosen, dim = self.state["weight"].shape
        return count_views(self.settings.path, chosen), dim


@torch.enable_grad()
def _minimize_loss(inputs: Tensor, labels: Tensor, classes: int, penalty: float) -> tuple[Tensor, Tensor]:
    """Return weight [C, F] and bias [C] with the least mean cross-entropy + penalty * |weight|^2 on inputs [N, F]."""
    # The bias has no penalty, so centring leaves the minimum where it is, and makes the search faster.
    mean = inputs.mean(0)
    centered = inputs - mean
    weight = torch.zeros(classes, inputs.shape[1], requires_grad=True)
    bias = torch.zeros(classes, requires_grad=True)
    solver = torch.optim.LBFGS(
        [weight, bias],
        max_iter=_MAX_STEPS,
        history_size=_HISTORY,
        tolerance_grad=_TOLERANCE,
        line_search_fn="strong_wolfe",
    )

    def loss() -> Tensor:
        solver.zero_grad()
        value = cross_entropy(centered @ weight.T + bias, labels) + penalty * weight.square().sum()
        value.backward()
        return value

    solver.step(loss)
    found = weight.detach()
    return found, bias.detach() - found @ mean
