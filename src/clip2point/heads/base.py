"""The base of all heads: from the view features of shapes to class scores, learned from labelled examples."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

import numpy as np

from clip2point.backbones import PATHS
from clip2point.backbones.depth_tensors import check_tensors, type_name
from clip2point.core.arrays import Container, Float32, match_container, normalize_rows, to_array
from clip2point.core.errors import ModelError, OptionError, reason
from clip2point.heads.examples import Examples
from clip2point.heads.head_options import HeadSettings, PathChoice, make_settings

if TYPE_CHECKING:
    from clip2point.core.arrays import Array

AnyHead = TypeVar("AnyHead", bound="Head")

#: A ``Head.grid`` over the options of ``PathSettings``; the first is the default.
PATH_GRID: tuple[Mapping[str, Any], ...] = ({"path": "both"}, {"path": "depth"}, {"path": "image"})

_BATCH_SIZE = 256  # shapes that are scored together; bounds the memory


class Head(ABC):
    """From view features to class scores.

    A head is its options and its state: another head of the same kind with the same options and state gives the same
    scores. Features may come as arrays or as tensors. Heads of this package answer in NumPy; those of plug-ins may
    compute with PyTorch's tensors, on the CPU.

    Args:
        options: Options by name; fields of ``settings_type``.

    Attributes:
        settings: The options.
        state: Arrays by name, or tensors where ``on_arrays`` is false: all that fitting found. Empty before ``fit``.

    Raises:
        OptionError: If the head has no such option, or a value makes no sense.
    """

    #: Name in commands, reports and model folders.
    name: ClassVar[str]
    #: Whether state, ``fit_state``, ``score_batch`` and ``extend_state`` are of NumPy arrays instead of tensors.
    on_arrays: ClassVar[bool] = False
    #: Whether words are enough for a class, so that any others can be scored without another fit.
    words: ClassVar[bool] = False
    #: Whether a class without an example leaves nothing to recognise it by.
    needs_all_classes: ClassVar[bool] = True
    #: Dataclass of the options; without any unless a head has its own.
    settings_type: ClassVar[type[HeadSettings]] = HeadSettings
    #: Options that validation chooses between; the first are the defaults.
    grid: ClassVar[tuple[Mapping[str, Any], ...]] = ({},)
    #: Today's names of tensors by the names that earlier releases wrote.
    former_state_names: ClassVar[Mapping[str, str]] = {}

    settings: HeadSettings

    def __init__(self, **options: Any) -> None:
        self.settings = make_settings(self.settings_type, self.name, options)
        self.state: dict[str, Any] = {}

    @property
    def options(self) -> dict[str, Any]:
        """All options, as JSON types; keywords of the constructor."""
        return asdict(self.settings)

    def fit(self: AnyHead, examples: Examples, text_features: Array, *, logit_scale: float, seed: int = 0) -> AnyHead:
        """Learn from labelled examples.

        Args:
            examples: Examples whose labels are rows of the text features.
            text_features: [C, D] features of the class names, any length.
            logit_scale: Factor on cosines before a softmax, above 0; the backbone's own.
            seed: Seed of everything random; the same seed gives the same state.

        Returns:
            This head.

        Raises:
            OptionError: If examples and text features do not belong together, a label is out of range, a value is not
                finite, a class that the head can know from examples alone has none, or there are too few.
        """
        examples, text = examples.to_arrays(), to_array(text_features)
        _check_examples(examples, text)
        if not 0 < logit_scale < float("inf"):
            raise OptionError(f"a logit scale of {logit_scale}: expected a number above 0")
        self._check_all_classes(examples, len(text))
        unit, scale = normalize_rows(text.astype(np.float32)), np.array(logit_scale, np.float32)
        if self.on_arrays:
            state = self.fit_state(examples, unit, scale, seed)
            self.state = {name: np.asarray(values, order="C") for name, values in state.items()}
        else:
            from clip2point.heads.tensors import call_with_tensors

            state = call_with_tensors(self.fit_state, examples, unit, scale, seed)
            self.state = {name: tensor.detach().contiguous() for name, tensor in state.items()}
        return self

    def scores(self, features: Container) -> Container:
        """Return class scores; softmax(scores / temperature) is the confidence.

        Args:
            features: [N, P, V, D] view features of N shapes, any length; views as in training, paths as in ``PATHS``.

        Returns:
            [N, C] float32, the largest for the most probable class, in the container of the features.

        Raises:
            OptionError: If the head was not fitted, or the features have another shape.
        """
        self.check_features(features)
        values = to_array(features)
        starts = range(0, max(1, len(values)), _BATCH_SIZE)
        blocks = (values[start : start + _BATCH_SIZE].astype(np.float32, copy=False) for start in starts)
        return match_container(np.concatenate([self._score(block) for block in blocks]), features)

    def _score(self, features: Float32) -> Float32:
        """Return the scores of a batch, whatever the head computes with."""
        if self.on_arrays:
            found: Float32 = self.score_batch(features)
            return found
        from clip2point.heads.tensors import call_with_tensors

        return to_array(call_with_tensors(self.score_batch, features))

    def with_classes(self: AnyHead, text_features: Array, examples: Examples | None = None) -> AnyHead:
        """Return a head that knows more classes; the scores of those that it knows already stay as they are.

        Args:
            text_features: [M, D] features of the names of the M new classes, any length.
            examples: Examples of the new classes, with labels from 0 to M - 1; ignored where ``words`` is true.

        Returns:
            Another head, whose scores [N, C + M] end with the new classes.

        Raises:
            OptionError: If the head cannot take new classes, lacks examples of one, or these do not fit.
        """
        text, new = self._normalize_text(text_features), examples and examples.to_arrays()
        if self.on_arrays:
            return self.with_state(self.extend_state(text, new))
        from clip2point.heads.tensors import call_with_tensors

        return self.with_state(call_with_tensors(self.extend_state, text, new))

    def with_words(self: AnyHead, text_features: Array) -> AnyHead:
        """Return a head that answers among other classes than it was fitted on, by their names alone.

        Args:
            text_features: [C', D] features of the names, any length.

        Raises:
            OptionError: If the head knows classes by examples, was not fitted, or the text features do not fit.
        """
        if not self.words:
            raise OptionError(f"{self.name} knows classes by examples: it answers among those that it was fitted on")
        return self.with_state(self._take({"text": self._normalize_text(text_features)}))

    def tune(self: AnyHead, examples: Examples, fixed: Collection[str] = ()) -> AnyHead:
        """Return the same fitted head with those options that scoring alone reads at their best on examples.

        Args:
            examples: Examples that the head was not fitted on.
            fixed: Names of options that stay as they are.

        Returns:
            A head; this one, if there is no such option.
        """
        return self

    def load_state(self: AnyHead, state: Mapping[str, Array]) -> AnyHead:
        """Take over a state.

        Args:
            state: State of another head of this kind with these options; names of earlier releases are understood.

        Returns:
            This head.

        Raises:
            ModelError: If a tensor is missing, unexpected, misshapen, of another type or not finite; it is named.
        """
        state = self._take({self.former_state_names.get(name, name): tensor for name, tensor in state.items()})
        try:
            shapes = self.derive_shapes(state)
        except (RuntimeError, OverflowError) as error:  # sizes that no tensor can have
            raise ModelError(f"head {self.name}: {reason(error)}") from error
        check_tensors(state, shapes, f"head {self.name}")
        for name, tensor in state.items():
            expected = "int64" if name.endswith("num_batches_tracked") else "float32"
            if type_name(tensor) != expected:
                raise ModelError(
                    f"head {self.name}: the tensor {name!r} is in {type_name(tensor)}, expected {expected}"
                )
        self.state = state
        return self

    def _take(self, state: Mapping[str, Array]) -> dict[str, Any]:
        """Return a state as what this head computes with."""
        if self.on_arrays:
            return {name: to_array(values) for name, values in state.items()}
        from clip2point.heads.tensors import to_tensor

        return {name: to_tensor(values) for name, values in state.items()}

    @abstractmethod
    def fit_state(self, examples: Examples, text: Any, logit_scale: Any, seed: int) -> dict[str, Any]:
        """Learn a state from checked examples; called by ``fit`` without gradients.

        All is of arrays, or of tensors where ``on_arrays`` is false.

        Args:
            examples: Labelled view features.
            text: Unit text features [C, D] of the class names.
            logit_scale: Scalar factor on cosines before a softmax.
            seed: Seed of everything random.

        Returns:
            All that ``score_batch`` needs, in float32, by name.
        """

    @abstractmethod
    def score_batch(self, features: Any) -> Any:
        """Return the scores [N, C] of checked view features [N, P, V, D], arrays or tensors as for ``fit_state``."""

    @abstractmethod
    def derive_shapes(self, state: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
        """Return the shape that each tensor of a state must have, by name.

        A state from a file is held against it, so sizes are read with ``read_shape`` from as few tensors as possible.
        """

    @property
    @abstractmethod
    def feature_sizes(self) -> tuple[int | None, int]:
        """V, or None for any, and D of the view features that the head was fitted on."""

    def extend_state(self, text: Any, examples: Examples | None) -> dict[str, Any]:
        """Return what changes in the state with M more classes, arrays or tensors as for ``fit_state``.

        Args:
            text: Unit text features [M, D] of the names of the new classes.
            examples: Their examples, to be checked by ``check_new_examples`` where they are used.

        Raises:
            OptionError: If the head cannot take new classes, as is the case unless a head overrides this method.
        """
        raise OptionError(f"{self.name} cannot take new classes: fit it again on the examples of all classes")

    def with_state(self: AnyHead, changes: Mapping[str, Any], **options: Any) -> AnyHead:
        """Return a head of this kind with changes of its state and options."""
        other = type(self)(**{**self.options, **options})
        other.state = {**self.state, **changes}
        return other

    def read_shape(self, state: Mapping[str, Any], name: str, dimensions: int) -> tuple[int, ...]:
        """Return the shape of a tensor of a state; ModelError unless it has that many dimensions, none of them 0."""
        if name not in state:
            raise ModelError(f"head {self.name}: the tensor {name!r} is missing")
        shape = tuple(state[name].shape)
        if len(shape) != dimensions or 0 in shape:
            raise ModelError(
                f"head {self.name}: the tensor {name!r} has shape {list(shape)}, expected {dimensions} dimensions, "
                "none of them 0"
            )
        return shape

    def read_views_shape(self, state: Mapping[str, Any], name: str, path: PathChoice) -> tuple[int, ...]:
        """Return the shape [*, V', D] of a tensor that is compared with view features of a path; else ModelError."""
        shape = self.read_shape(state, name, 3)
        if path == "both" and shape[1] % len(PATHS):
            raise ModelError(f"head {self.name}: the tensor {name!r} has shape {list(shape)}: expected V' to be even")
        return shape

    def _check_fitted(self) -> None:
        if not self.state:
            raise OptionError(f"{self.name} was not fitted yet: call fit first")

    def check_features(self, features: Array) -> None:
        """Raise OptionError unless the head was fitted on view features of this shape."""
        self._check_fitted()
        views, dim = self.feature_sizes
        fits = features.ndim == 4 and features.shape[1] == len(PATHS) and features.shape[3] == dim
        if not fits or views not in (None, features.shape[2]):
            raise OptionError(
                f"expected view features [N, {len(PATHS)}, {views or 'V'}, {dim}], got {list(features.shape)}"
            )

    def _normalize_text(self, text_features: Array) -> Float32:
        """Return unit text features [M, D] of classes for a fitted head; OptionError if they do not fit."""
        self._check_fitted()
        dim = self.feature_sizes[1]
        if text_features.ndim != 2 or text_features.shape[1] != dim or not len(text_features):
            raise OptionError(f"expected text features [C, {dim}], got {list(text_features.shape)}")
        text = to_array(text_features).astype(np.float32)
        if not np.isfinite(text).all():
            raise OptionError("text features have values that are not finite")
        return normalize_rows(text)

    def check_new_examples(self, examples: Examples | None, text: Array) -> Examples:
        """Return the examples of new classes once checked; OptionError if there are none or they do not fit."""
        if examples is None:
            raise OptionError(f"{self.name} knows classes by examples: give some of each new class")
        _check_examples(examples, text)
        self.check_features(examples.unaugmented)
        self._check_all_classes(examples, len(text))
        return examples

    def _check_all_classes(self, examples: Examples, classes: int) -> None:
        counts = np.bincount(to_array(examples.labels), minlength=classes)
        if self.needs_all_classes and not counts.all():
            raise OptionError(
                f"class {int(counts.argmin())} of {classes} (counted from 0) has no example: "
                f"{self.name} needs at least one of each"
            )


class WordHead(Head):
    """Base of heads that know classes by words alone: by the unit text features ``text`` [C, D] in their state."""

    words = True
    needs_all_classes = False

    def extend_state(self, text: Any, examples: Examples | None) -> dict[str, Any]:
        """Return the unit text features of all classes; examples are not looked at."""
        return self._take({"text": np.concatenate([to_array(self.state["text"]), to_array(text)])})


def select_views(features: Container, path: PathChoice) -> Container:
    """Select the views of one path, or of both as twice as many views.

    Args:
        features: [..., P, V, D] view features, an array or a tensor.
        path: One of ``PATHS``, or "both".

    Returns:
        [..., V', D] in the same container.

    Examples:
        >>> select_views(np.ones((5, 2, 6, 8)), "both").shape
        (5, 12, 8)
    """
    if path == "both":
        *rest, paths, views, dim = features.shape
        return cast(Container, features.reshape((*rest, paths * views, dim)))
    return cast(Container, features[..., PATHS.index(path), :, :])


def unit_views(features: Float32, path: PathChoice) -> Float32:
    """Select views as ``select_views`` does, and make them unit, in float32.

    Examples:
        >>> unit_views(np.full((1, 2, 3, 4), 7.0), "depth")[0, 0].tolist()
        [0.5, 0.5, 0.5, 0.5]
    """
    return normalize_rows(select_views(features, path).astype(np.float32, copy=False))


def flatten_views(unit: Float32) -> Float32:
    """Concatenate the unit view features [..., V, D] of each shape into one unit vector [..., V * D].

    The product of two such vectors is the mean cosine of the views of two shapes.
    """
    *rest, views, dim = unit.shape
    flat: Float32 = unit.reshape((*rest, views * dim))
    return flat / np.sqrt(views, dtype=np.float32)


def count_views(path: PathChoice, chosen: int) -> int:
    """Return V of features in which a path, or both together, has the given number of views."""
    return chosen // len(PATHS) if path == "both" else chosen


def mean_cosines(unit: Float32, text: Float32) -> Float32:
    """Return cosines [..., C] with unit text features [C, D], averaged over unit view features [..., V, D]."""
    cosines: Float32 = unit.mean(-2) @ text.T
    return cosines


def one_hot(labels: Array, classes: int) -> Float32:
    """Return float32 rows [N, C] with a one at each of the labels [N].

    Examples:
        >>> one_hot(np.array([1, 0]), 2).tolist()
        [[0.0, 1.0], [1.0, 0.0]]
    """
    rows: Float32 = np.eye(classes, dtype=np.float32)[to_array(labels)]
    return rows


def _check_examples(examples: Examples, text_features: Array) -> None:
    """Raise OptionError unless examples and classes belong together."""
    features, labels, text = (to_array(values) for values in (examples.features, examples.labels, text_features))
    if features.shape[2] != len(PATHS) or text.ndim != 2 or features.shape[-1] != text.shape[-1]:
        raise OptionError(
            f"expected view features [K, N, {len(PATHS)}, V, D] and text features [C, D], got "
            f"{list(features.shape)} and {list(text.shape)}"
        )
    if 0 in features.shape or 0 in text.shape:
        raise OptionError("nothing to learn from: expected at least one example and one class")
    if labels.min() < 0 or labels.max() >= len(text):
        raise OptionError(f"labels from {int(labels.min())} to {int(labels.max())}: expected 0 to {len(text) - 1}")
    if not (np.isfinite(features).all() and np.isfinite(text).all()):
        raise OptionError("view or text features have values that are not finite")
