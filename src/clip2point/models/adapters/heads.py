"""Heads on view features that need no network to be trained: fitted once, in seconds, on labelled examples.

Those that use examples hold shapes against each other view by view: the cosine of two shapes is the mean of the cosines
of their views, that is, of their unit view features laid side by side.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, TypeVar

import torch
from torch import Tensor
from torch.nn.functional import normalize, one_hot

from clip2point.errors import OptionError
from clip2point.models.zero_shot import view_cosines

AnyHead = TypeVar("AnyHead", bound="Head")

_MAX_ITERATIONS = 1000


class Head(ABC):
    """From view features to class scores.

    Attributes:
        state: tensors by name, all that fitting found; a head of the same options with the same state gives the same
            scores. Empty before :meth:`fit`.
    """

    #: The tensor of the state, [*, V, D] or [C, D], that views are held against.
    _against: ClassVar[str]
    #: Whether a class without an example leaves nothing to recognise it by.
    _needs_all_classes: ClassVar[bool] = True

    def __init__(self) -> None:
        self.state: dict[str, Tensor] = {}

    @torch.no_grad()
    def fit(self: AnyHead, view_features: Tensor, labels: Tensor, text_features: Tensor) -> AnyHead:
        """Learn from labelled examples, all tensors on one device.

        Args:
            view_features: [N, V, D], any length.
            labels: [N], numbers of classes from 0 to C - 1.
            text_features: [C, D] of the names of the classes, any length.

        Returns:
            This head.

        Raises:
            OptionError: if the shapes do not belong together, a label is out of range, a value is not finite, or a
                class that the head can know from examples alone has none.
        """
        _check_examples(view_features, labels, text_features)
        counts = labels.bincount(minlength=len(text_features))
        if self._needs_all_classes and not counts.all():
            raise OptionError(
                f"class {int(counts.argmin())} of {len(counts)} (counted from 0) has no example: "
                f"{type(self).__name__} needs at least one of each"
            )
        unit, text = (normalize(features.float(), dim=-1) for features in (view_features, text_features))
        found = self._fitted(unit, labels, text)
        self.state = {name: tensor.contiguous() for name, tensor in found.items()}
        return self

    @torch.no_grad()
    def scores(self, view_features: Tensor) -> Tensor:
        """Class scores.

        Args:
            view_features: [N, V, D], any length; V views as in training.

        Returns:
            [N, C] float32, the largest for the most probable class.

        Raises:
            OptionError: if the head was not fitted, or the features have another shape.
        """
        if not self.state:
            raise OptionError(f"{type(self).__name__} was not fitted yet: call fit first")
        known = list(self.state[self._against].shape[1:])
        if view_features.ndim != 3 or list(view_features.shape[-len(known) :]) != known:
            sizes = ", ".join(["N", "V"][: 3 - len(known)] + [str(size) for size in known])
            raise OptionError(f"expected view features [{sizes}], got {list(view_features.shape)}")
        return self._scored(normalize(view_features.float(), dim=-1))

    @abstractmethod
    def _fitted(self, unit: Tensor, labels: Tensor, text: Tensor) -> dict[str, Tensor]:
        """The state for unit view features [N, V, D], labels [N] and unit text features [C, D]."""

    @abstractmethod
    def _scored(self, unit: Tensor) -> Tensor:
        """The scores [N, C] of unit view features [N, V, D]."""


class ZeroShot(Head):
    """Cosines with the class names, averaged over the views; examples are not looked at."""

    _against = "text"
    _needs_all_classes = False

    def _fitted(self, unit: Tensor, labels: Tensor, text: Tensor) -> dict[str, Tensor]:
        return {"text": text}

    def _scored(self, unit: Tensor) -> Tensor:
        return view_cosines(unit, self.state["text"]).mean(1)


class NearestClassMean(Head):
    """Cosines with the mean of the examples of each class."""

    _against = "means"

    def _fitted(self, unit: Tensor, labels: Tensor, text: Tensor) -> dict[str, Tensor]:
        # A product, because adding up by index is in no fixed order on a GPU.
        sums = one_hot(labels, len(text)).to(unit).T @ unit.flatten(1)
        return {"means": normalize(sums, dim=-1).unflatten(1, unit.shape[1:])}

    def _scored(self, unit: Tensor) -> Tensor:
        return side_by_side(unit) @ self.state["means"].flatten(1).T


class LogisticRegression(Head):
    """Multinomial logistic regression; the scores are log-probabilities.

    Args:
        c: inverse strength of the L2 penalty, as scikit-learn defines it, above 0; the features have length 1.
    """

    _against = "weight"

    def __init__(self, c: float = 100.0) -> None:
        super().__init__()
        if not 0 < c < float("inf"):
            raise OptionError(f"c is {c}: expected a number above 0")
        self.c = c

    def _fitted(self, unit: Tensor, labels: Tensor, text: Tensor) -> dict[str, Tensor]:
        # Takes a second to import.
        from sklearn.linear_model import LogisticRegression as Solver

        if len(text) < 2:
            raise OptionError("LogisticRegression needs at least 2 classes, got 1")
        solver = Solver(C=self.c, max_iter=_MAX_ITERATIONS)
        solver.fit(side_by_side(unit).cpu().numpy(), labels.cpu().numpy())
        weight, bias = (torch.from_numpy(found).to(unit) for found in (solver.coef_, solver.intercept_))
        if len(text) == 2:  # one row, that of the second class
            weight, bias = (torch.cat([torch.zeros_like(found), found]) for found in (weight, bias))
        return {"weight": weight.view(len(text), *unit.shape[1:]), "bias": bias}

    def _scored(self, unit: Tensor) -> Tensor:
        return (side_by_side(unit) @ self.state["weight"].flatten(1).T + self.state["bias"]).log_softmax(-1)


def side_by_side(unit: Tensor) -> Tensor:
    """One unit vector [N, V * D] for each shape, of unit view features [N, V, D]."""
    return unit.flatten(1) / unit.shape[1] ** 0.5


def _check_examples(view_features: Tensor, labels: Tensor, text_features: Tensor) -> None:
    """Make sure that examples and classes belong together.

    Raises:
        OptionError: if they do not.
    """
    if view_features.ndim != 3 or text_features.ndim != 2 or view_features.shape[-1] != text_features.shape[-1]:
        raise OptionError(
            "expected view features [N, V, D] and text features [C, D], got "
            f"{list(view_features.shape)} and {list(text_features.shape)}"
        )
    if 0 in view_features.shape or 0 in text_features.shape:
        raise OptionError("nothing to learn from: expected at least one example and one class")
    if labels.shape != view_features.shape[:1] or labels.dtype != torch.int64:
        raise OptionError(
            f"expected {len(view_features)} labels of type int64, got {list(labels.shape)} of {labels.dtype}"
        )
    if labels.min() < 0 or labels.max() >= len(text_features):
        raise OptionError(
            f"labels from {int(labels.min())} to {int(labels.max())}: expected 0 to {len(text_features) - 1}"
        )
    if not (view_features.isfinite().all() and text_features.isfinite().all()):
        raise OptionError("view or text features have values that are not finite")
