"""What every head is: from the view features of shapes to class scores, after a look at labelled examples."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import asdict
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor
from torch.nn.functional import normalize

from clip2point.backbones import PATHS
from clip2point.backbones.depth_tower import check_tensors
from clip2point.core.errors import ModelError, OptionError, reason
from clip2point.heads.examples import Examples
from clip2point.heads.head_options import PathChoice, Settings, make_settings

AnyHead = TypeVar("AnyHead", bound="Head")

#: A ``Head.grid`` over the options of ``PathSettings``; the first is the default.
PATH_GRID: tuple[Mapping[str, Any], ...] = ({"path": "both"}, {"path": "depth"}, {"path": "image"})

_BATCH = 256  # of shapes; bounds the memory of scoring


class Head(ABC):
    """From view features to class scores.

    A head is its options and its state: another head of the same kind with the same options and state gives the same
    scores. Tensors are on the CPU.

    Args:
        options: see the settings of the head.

    Attributes:
        settings: the options.
        state: tensors by name, all that fitting found. Empty before ``fit``.

    Raises:
        OptionError: that names an option which the head does not have, or whose value makes no sense.
    """

    #: What commands, reports and model folders call the head.
    name: ClassVar[str]
    #: Whether words are enough for a class, so that there can be scores for any others without another fit.
    words: ClassVar[bool] = False
    #: Whether a class without an example leaves nothing to recognise it by.
    needs_all_classes: ClassVar[bool] = True
    #: Dataclass of the options; without any unless a head has its own.
    settings_type: ClassVar[type[Settings]] = Settings
    #: Options that validation chooses between; the first are the defaults.
    grid: ClassVar[tuple[Mapping[str, Any], ...]] = ({},)

    settings: Settings

    def __init__(self, **options: Any) -> None:
        self.settings = make_settings(self.settings_type, self.name, options)
        self.state: dict[str, Tensor] = {}

    @property
    def options(self) -> dict[str, Any]:
        """All options, as JSON types; keywords of the constructor."""
        return asdict(self.settings)

    def fit(self: AnyHead, examples: Examples, text_features: Tensor, *, logit_scale: float, seed: int = 0) -> AnyHead:
        """Learn from labelled examples.

        Args:
            examples: of shapes; their labels are rows of the text features.
            text_features: [C, D] of the names of the classes, any length.
            logit_scale: factor on cosines before a softmax, above 0; the backbone's own.
            seed: of everything random; the same seed gives the same state.

        Returns:
            This head.

        Raises:
            OptionError: if examples and text features do not belong together, a label is out of range, a value is not
                finite, a class that the head can know from examples alone has none, or there are too few.
        """
        examples = Examples(examples.features.detach(), examples.labels)
        _check_examples(examples, text_features)
        if not 0 < logit_scale < float("inf"):
            raise OptionError(f"a logit scale of {logit_scale}: expected a number above 0")
        self._check_all_classes(examples, len(text_features))
        # Features of towers may be inference tensors, which cannot be trained on.
        with torch.inference_mode(False), torch.no_grad():
            scale = torch.tensor(float(logit_scale))
            found = self.fit_state(examples, normalize(text_features.float(), dim=-1), scale, seed)
        self.state = {name: tensor.detach().contiguous() for name, tensor in found.items()}
        return self

    @torch.no_grad()
    def scores(self, features: Tensor) -> Tensor:
        """Class scores; softmax(scores / temperature) is the confidence.

        Args:
            features: [N, P, V, D] of N shapes, any length; views as in training, paths (depth, image).

        Returns:
            [N, C] float32, the largest for the most probable class.

        Raises:
            OptionError: if the head was not fitted, or the features have another shape.
        """
        self.check_features(features)
        return torch.cat([self.score_batch(block.float()) for block in features.split(_BATCH)])

    def with_classes(self: AnyHead, text_features: Tensor, examples: Examples | None = None) -> AnyHead:
        """A head that knows more classes; the scores of those that it knows already stay as they are.

        Args:
            text_features: [M, D] of the names of the M new classes, any length.
            examples: of the new classes, with labels from 0 to M - 1; not looked at where ``words`` is true.

        Returns:
            Another head, whose scores [N, C + M] end with the new classes.

        Raises:
            OptionError: if the head cannot take new classes, lacks examples of one, or these do not fit.
        """
        text = self._checked_text(text_features)
        with torch.no_grad():
            return self.with_state(self.extend_state(text, examples))

    def with_words(self: AnyHead, text_features: Tensor) -> AnyHead:
        """A head that answers among other classes than those it was fitted on, by their names alone.

        Args:
            text_features: [C', D] of the names, any length.

        Raises:
            OptionError: if the head knows classes by examples, was not fitted, or the text features do not fit.
        """
        if not self.words:
            raise OptionError(f"{self.name} knows classes by examples: it answers among those that it was fitted on")
        return self.with_state({"text": self._checked_text(text_features)})

    def tuned(self: AnyHead, examples: Examples, fixed: Collection[str] = ()) -> AnyHead:
        """The same fitted head with those options, of the ones that scoring alone reads, that are best on examples.

        Args:
            examples: that the head was not fitted on.
            fixed: names of options that stay as they are.

        Returns:
            A head; this one, if there is no such option.
        """
        return self

    def load_state(self: AnyHead, state: Mapping[str, Tensor]) -> AnyHead:
        """Take over a state.

        Args:
            state: as another head of this kind and these options had it.

        Returns:
            This head.

        Raises:
            ModelError: that names a tensor which is missing, too many, misshapen, of another type or not finite.
        """
        try:
            shapes = self.derive_shapes(state)
        except RuntimeError as error:  # sizes that no tensor can have
            raise ModelError(f"head {self.name}: {reason(error)}") from error
        check_tensors(state, shapes, f"head {self.name}")
        for name, tensor in state.items():
            expected = torch.int64 if name.endswith("num_batches_tracked") else torch.float32
            if tensor.dtype != expected:
                raise ModelError(f"head {self.name}: the tensor {name!r} is in {tensor.dtype}, expected {expected}")
        self.state = dict(state)
        return self

    @abstractmethod
    def fit_state(self, examples: Examples, text: Tensor, logit_scale: Tensor, seed: int) -> dict[str, Tensor]:
        """Learn a state from checked examples; called by ``fit`` without gradients.

        Args:
            examples: Labelled view features.
            text: Unit text features [C, D] of the class names.
            logit_scale: Scalar factor on cosines before a softmax.
            seed: Seed of everything random.

        Returns:
            All that ``score_batch`` needs, as float32 tensors by name.
        """

    @abstractmethod
    def score_batch(self, features: Tensor) -> Tensor:
        """Return the scores [N, C] of checked view features [N, P, V, D]."""

    @abstractmethod
    def derive_shapes(self, state: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
        """Return the shape that each tensor of a state must have, by name.

        A state from a file is held against it, so sizes are read with ``read_shape`` from as few tensors as possible.
        """

    @property
    @abstractmethod
    def feature_sizes(self) -> tuple[int | None, int]:
        """V, or None for any, and D of the view features that the head was fitted on."""

    def extend_state(self, text: Tensor, examples: Examples | None) -> dict[str, Tensor]:
        """Return the tensors of the state that change with M more classes; called without gradients.

        Args:
            text: Unit text features [M, D] of the names of the new classes.
            examples: Their examples, to be checked by ``check_new_examples`` where they are used.

        Raises:
            OptionError: If the head cannot take new classes, as is the case unless a head overrides this method.
        """
        raise OptionError(f"{self.name} cannot take new classes: fit it again on the examples of all classes")

    def with_state(self: AnyHead, changes: Mapping[str, Tensor], **options: Any) -> AnyHead:
        """Return a head of this kind with changes of its state and options."""
        other = type(self)(**{**self.options, **options})
        other.state = {**self.state, **changes}
        return other

    def read_shape(self, state: Mapping[str, Tensor], name: str, dimensions: int) -> torch.Size:
        """Return the shape of a tensor of a state; ModelError unless it has that many dimensions, none of them 0."""
        if name not in state:
            raise ModelError(f"head {self.name}: the tensor {name!r} is missing")
        shape = state[name].shape
        if len(shape) != dimensions or 0 in shape:
            raise ModelError(
                f"head {self.name}: the tensor {name!r} has shape {list(shape)}, expected {dimensions} dimensions, "
                "none of them 0"
            )
        return shape

    def read_views_shape(self, state: Mapping[str, Tensor], name: str, path: PathChoice) -> torch.Size:
        """Return the shape [*, V', D] of a tensor that is compared with view features of a path; else ModelError."""
        shape = self.read_shape(state, name, 3)
        if path == "both" and shape[1] % len(PATHS):
            raise ModelError(f"head {self.name}: the tensor {name!r} has shape {list(shape)}: expected V' to be even")
        return shape

    def _check_fitted(self) -> None:
        if not self.state:
            raise OptionError(f"{self.name} was not fitted yet: call fit first")

    def check_features(self, features: Tensor) -> None:
        """Raise OptionError unless the head was fitted on view features of this shape."""
        self._check_fitted()
        views, dim = self.feature_sizes
        fits = features.ndim == 4 and features.shape[1] == len(PATHS) and features.shape[3] == dim
        if not fits or views not in (None, features.shape[2]):
            raise OptionError(
                f"expected view features [N, {len(PATHS)}, {views or 'V'}, {dim}], got {list(features.shape)}"
            )

    def _checked_text(self, text_features: Tensor) -> Tensor:
        """Unit text features [M, D] of classes for a fitted head."""
        self._check_fitted()
        dim = self.feature_sizes[1]
        if text_features.ndim != 2 or text_features.shape[1] != dim or not len(text_features):
            raise OptionError(f"expected text features [C, {dim}], got {list(text_features.shape)}")
        if not text_features.isfinite().all():
            raise OptionError("text features have values that are not finite")
        return normalize(text_features.float(), dim=-1)

    def check_new_examples(self, examples: Examples | None, text: Tensor) -> Examples:
        """Return the examples of new classes once checked; OptionError if there are none or they do not fit."""
        if examples is None:
            raise OptionError(f"{self.name} knows classes by examples: give some of each new class")
        _check_examples(examples, text)
        self.check_features(examples.measured)
        self._check_all_classes(examples, len(text))
        return examples

    def _check_all_classes(self, examples: Examples, classes: int) -> None:
        counts = examples.labels.bincount(minlength=classes)
        if self.needs_all_classes and not counts.all():
            raise OptionError(
                f"class {int(counts.argmin())} of {classes} (counted from 0) has no example: "
                f"{self.name} needs at least one of each"
            )


class WordHead(Head):
    """A head that knows classes by words alone: by the unit text features ``text`` [C, D] in its state."""

    words = True
    needs_all_classes = False

    def extend_state(self, text: Tensor, examples: Examples | None) -> dict[str, Tensor]:
        """Return the unit text features of all classes; examples are not looked at."""
        return {"text": torch.cat([self.state["text"], text])}


def unit_views(features: Tensor, path: PathChoice) -> Tensor:
    """Unit view features [..., V', D] of one path, or of both as twice as many views, of features [..., P, V, D]."""
    chosen = features.flatten(-3, -2) if path == "both" else features[..., PATHS.index(path), :, :]
    return normalize(chosen.float(), dim=-1)


def side_by_side(unit: Tensor) -> Tensor:
    """One unit vector [..., V * D] for each shape, of unit view features [..., V, D].

    The product of two is the mean of the cosines of the views of two shapes.
    """
    return unit.flatten(-2) / unit.shape[-2] ** 0.5


def views_of(path: PathChoice, chosen: int) -> int:
    """V of features in which a path, or both, has the given number of views."""
    return chosen // len(PATHS) if path == "both" else chosen


def mean_cosines(unit: Tensor, text: Tensor) -> Tensor:
    """Cosines [..., C] with unit text features [C, D], averaged over unit view features [..., V, D]."""
    return unit.mean(-2) @ text.T


def _check_examples(examples: Examples, text_features: Tensor) -> None:
    """Make sure that examples and classes belong together.

    Raises:
        OptionError: if they do not.
    """
    features, labels = examples.features, examples.labels
    if features.shape[2] != len(PATHS) or text_features.ndim != 2 or features.shape[-1] != text_features.shape[-1]:
        raise OptionError(
            f"expected view features [K, N, {len(PATHS)}, V, D] and text features [C, D], got "
            f"{list(features.shape)} and {list(text_features.shape)}"
        )
    if 0 in features.shape or 0 in text_features.shape:
        raise OptionError("nothing to learn from: expected at least one example and one class")
    if labels.min() < 0 or labels.max() >= len(text_features):
        raise OptionError(
            f"labels from {int(labels.min())} to {int(labels.max())}: expected 0 to {len(text_features) - 1}"
        )
    if not (features.isfinite().all() and text_features.isfinite().all()):
        raise OptionError("view or text features have values that are not finite")
