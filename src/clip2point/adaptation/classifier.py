"""The few-shot classifier: adaptation with the interface of scikit-learn."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from clip2point.adaptation.adapt_settings import AdaptSettings
from clip2point.adaptation.adapting import adapt
from clip2point.adaptation.labelled import leave_out_broken
from clip2point.core.arrays import to_array
from clip2point.core.errors import ModelError, OptionError, ShapeError
from clip2point.core.labels import check_names
from clip2point.core.strict_config import rename_keys
from clip2point.data import Dataset
from clip2point.data.given_shapes import WHOLE_NUMBERS, kind_of_labels, label_shapes, read_labels
from clip2point.features.augmented_views import AugmentedViewSettings
from clip2point.features.view_features import extract_features
from clip2point.heads.examples import Examples
from clip2point.model.adapted_folder import save_adapted
from clip2point.model.adapted_head import AdaptedHead
from clip2point.model.loading import load
from clip2point.model.recogniser import Recogniser
from clip2point.model.results import Classification, Failure
from clip2point.shapes import ShapeLike
from clip2point.shapes.preparation import check_list
from clip2point.training.training_settings import Precision

#: Parameters that model folders of older versions know by other names.
_RENAMED = {"parameters.copies": "parameters.augmented_views"}


class FewShotClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """Classifier of shapes that learns from a few labelled examples of each class; see ``clip2point.adapt``.

    A head on the view features of a model is fitted, in seconds to minutes; with ``unfreeze`` the depth tower is tuned
    first, which takes minutes to hours. A fifth of the examples is held out to choose the head's options, to calibrate
    its confidence, and to find the threshold below which a shape is called unknown; then the head is fitted once more
    on all. With one example of each class nothing can be held out: a warning says so, and no shape is called unknown.

    Args:
        model: Name or folder as ``clip2point.load`` takes it, or a loaded model, which copies share.
        head: Name of a head ("gdpa", "dpa", "inter-view", "tip-adapter", "tip-adapter-f", "linear", "nearest-mean",
            "zero-shot", "depth-path", "image-path", or one of a plug-in), or "auto" for the one that is best on the
            held-out examples.
        options: Options of the head; the others are chosen on the held-out examples.
        augmented_views: Number of augmented views of each example, the first of them the unchanged shape, or settings.
        up: Axis that points up in all shapes; "auto" takes what each shape or its file format declares.
        seed: Seed of the point sampling, of what is held out, and of the training.
        target: Accuracy to reach among the shapes that are not called unknown, in [0, 1].
        unfreeze: Part of the depth tower to train ("last-N", "all" or "lora"); None for no training.
        epochs: Epochs of the training (>= 1); by default 8, and more where these are under 200 steps.
        wise_ft_alpha: Mixing coefficient of WiSE-FT, from 0 (the weights before the training) to 1 (those after it);
            by default 0.5 where 8 epochs are under 200 steps, and 1 otherwise.
        precision: Number format of the training, "32-true" or "bf16-mixed".
        copies: Deprecated name of ``augmented_views``.

    Attributes:
        classes_: [C] labels that occurred, sorted; strings or whole numbers, as they were given.
        recogniser_: Model with the head; its ``Recogniser.classify`` names single shapes.
        validation_: Figures on the held-out examples, as JSON types; None if there were none.

    Examples:
        >>> from clip2point import FewShotClassifier
        >>> classifier = FewShotClassifier(head="tip-adapter", up="y")
        >>> classifier.fit(["parts/bolt/1.ply", "parts/nut/1.ply"], ["bolt", "nut"])  # doctest: +SKIP
        >>> classifier.predict(["new.ply"])  # doctest: +SKIP
        array(['bolt'], dtype='<U4')
    """

    classes_: NDArray[Any]
    recogniser_: Recogniser
    validation_: dict[str, Any] | None

    def __init__(
        self,
        model: str | Path | Recogniser = "pocket",
        *,
        head: str = "gdpa",
        options: Mapping[str, Any] | None = None,
        augmented_views: int | AugmentedViewSettings = 2,
        up: str = "auto",
        seed: int = 0,
        target: float = 0.95,
        unfreeze: str | None = None,
        epochs: int | None = None,
        wise_ft_alpha: float | None = None,
        precision: Precision | None = None,
        copies: int | AugmentedViewSettings | None = None,
    ) -> None:
        self.model, self.head, self.options, self.augmented_views = model, head, options, augmented_views
        self.up, self.seed, self.target = up, seed, target
        self.unfreeze, self.epochs, self.wise_ft_alpha, self.precision = unfreeze, epochs, wise_ft_alpha, precision
        self.copies = copies

    def fit(
        self,
        shapes: Sequence[ShapeLike] | Dataset | str,
        labels: ArrayLike | None = None,
        *,
        on_error: Literal["raise", "skip"] = "raise",
    ) -> FewShotClassifier:
        """Learn from labelled shapes.

        Args:
            shapes: N files, Shapes or point arrays; or a data set or its name, without labels beside it.
            labels: [N] strings or whole numbers. Heads that know classes by words read them as names of the classes.
            on_error: Treatment of shapes that cannot be read: "raise", or "skip", which lists them in ``skipped_``.

        Returns:
            This classifier.

        Raises:
            ShapeError: A shape cannot be read.
            OptionError: An argument makes no sense, or a shape does not say which way is up.
            DataError: A class has too few shapes, or the data set is missing or broken.
            ModelError: There is no such model.
        """
        skipped: list[Failure] = []
        if labels is None:
            if not isinstance(shapes, Dataset | str):
                raise OptionError("no labels: expected one for each shape, or a data set instead of shapes")
            result = adapt(shapes, self.model, self._settings())
            classes = np.unique(result.head.classes)
        else:
            if on_error not in ("raise", "skip"):
                raise OptionError(f'on_error {on_error!r}: expected "raise" or "skip"')
            settings, given = self._settings(), cast("Sequence[ShapeLike]", shapes)
            if on_error == "skip":
                given, labels, skipped = leave_out_broken(given, labels)
            classes = np.unique(read_labels(labels, given))
            result = adapt((given, labels), self.model, settings)
        self.classes_, self.recogniser_, self.skipped_ = classes, result.model, skipped
        self.validation_ = result.head.record["validation"]
        return self

    def predict(self, shapes: Sequence[ShapeLike]) -> NDArray[Any]:
        """Return the most probable label [N] of each shape, also where it would be called unknown.

        Raises:
            ShapeError: A shape cannot be read.
        """
        best = self.predict_proba(shapes).argmax(1)
        return self.classes_[best]

    def predict_proba(self, shapes: Sequence[ShapeLike]) -> NDArray[np.float64]:
        """Return the calibrated confidence [N, C] in each of ``classes_``.

        Raises:
            ShapeError: A shape cannot be read.
        """
        names = self._names()
        answers = self._answers(shapes, labels=names, top=len(names))
        found = np.zeros((len(answers), len(names)))
        for row, answer in zip(found, answers, strict=True):
            for guess in answer.guesses:
                row[names.index(guess.label)] = guess.confidence
        return found

    def recognise(
        self, shapes: Sequence[ShapeLike], *, top: int = 5, unknown_below: float | None = None
    ) -> list[Classification]:
        """Return answers that may be "unknown", with confidences and the next best names.

        Args:
            shapes: N files, Shapes or point arrays.
            top: Largest number of names to return.
            unknown_below: Confidence below which a shape counts as unknown, in place of both thresholds that were
                found.

        Raises:
            ShapeError: A shape cannot be read.
        """
        return self._answers(shapes, top=top, unknown_below=unknown_below)

    def add_classes(self, shapes: Sequence[ShapeLike] | None, labels: ArrayLike) -> FewShotClassifier:
        """Learn more classes, and leave everything that was learned of the others as it is.

        Confidences stay calibrated, and the threshold chosen, for the classes that the classifier began with.

        Args:
            shapes: Examples, or None where the head knows classes by words: gdpa, dpa, inter-view, zero-shot and
                single paths.
            labels: [N] labels of the examples, or the new labels themselves; of the same type as the others.

        Returns:
            This classifier.

        Raises:
            OptionError: A class is known already, or the head has to be fitted again to know more.
            ShapeError: A shape cannot be read.
        """
        known, adapted = self._names(), self._require_fitted()
        classes = np.unique(read_labels(labels, shapes))
        if kind_of_labels(classes) != kind_of_labels(self.classes_):
            raise OptionError(
                f"labels {kind_of_labels(classes)}: expected {kind_of_labels(self.classes_)}, as the known classes have"
            )
        names = check_names([str(label) for label in classes])
        if both := sorted(set(names) & set(known)):
            raise OptionError(
                f"the class {both[0]!r} is known already: give examples of new classes only, or fit again"
            )
        base = self.recogniser_.without_head()
        examples = None
        if shapes is not None:
            examples = self._examples(base, label_shapes(shapes, labels, self.up))
        text = to_array(base.class_features(names))
        head = adapted.head.with_classes(text, examples)
        detector = adapted.ood and adapted.ood.with_classes(text, examples)
        record = {**adapted.record, "classes_added": [*adapted.record.get("classes_added", []), *names]}
        classes_known = (*adapted.classes, *names)
        grown = replace(adapted, head=head, classes=classes_known, record=record, ood=detector)
        self.recogniser_, self.classes_ = base.with_head(grown), np.union1d(self.classes_, classes)
        return self

    def save(self, folder: str | Path) -> None:
        """Write the model to a folder, which ``--model``, ``clip2point.load`` and ``load`` take.

        Raises:
            OptionError: The folder holds something else.
            ModelError: The towers can neither be named nor written.
        """
        self._require_fitted()
        save_adapted(Path(folder), self.recogniser_)

    @classmethod
    def load(cls, folder: str | Path, *, device: str = "cpu", dtype: str = "auto") -> FewShotClassifier:
        """Read a folder that ``save`` or ``clip2point adapt`` wrote.

        Where its tower was tuned, the classifier begins with the tuned tower: another ``fit`` fits a head alone.

        Args:
            folder: Folder of the model.
            device: Name of a torch device.
            dtype: Number format of the vision towers, "auto", "fp32" or "bf16".

        Raises:
            ModelError: There is no such model, or it has no head.
        """
        recogniser = load(folder, device=device, dtype=dtype)
        adapted = recogniser.adapted
        if adapted is None:
            raise ModelError(f"{folder}: a model without a head: expected one that learned from examples")
        found = cls(recogniser.without_head(), head=adapted.head.name, options=adapted.head.options)
        try:
            found.set_params(**rename_keys(adapted.record, _RENAMED).get("parameters", {}))
            if isinstance(found.augmented_views, dict):
                found.augmented_views = AugmentedViewSettings(**found.augmented_views)
            numbers = adapted.record.get("labels") == WHOLE_NUMBERS
            found.classes_ = np.unique([int(name) if numbers else name for name in adapted.classes])
        except (OptionError, TypeError, ValueError) as error:
            raise ModelError(f'{folder}: config.json has an invalid "record" ({error})') from error
        found.recogniser_, found.validation_ = recogniser, adapted.record.get("validation")
        return found

    def __getstate__(self) -> dict[str, Any]:
        """Only a classifier that was not fitted can be pickled: a pickle would hold all towers, and run as code."""
        if hasattr(self, "recogniser_"):
            raise OptionError(
                "a fitted FewShotClassifier is not pickled: write it with save(folder), and read it with "
                "FewShotClassifier.load(folder)"
            )
        state: dict[str, Any] = super().__getstate__()
        return state

    def _settings(self) -> AdaptSettings:
        """The parameters, checked."""
        names = ("head", "options", "up", "seed", "target", "unfreeze", "epochs", "wise_ft_alpha", "precision")
        given = {name: getattr(self, name) for name in names}
        return AdaptSettings(augmented_views=self._read_augmented_views(), **given)

    def _read_augmented_views(self) -> int | AugmentedViewSettings:
        """The parameter, which once had another name."""
        if self.copies is None:
            return self.augmented_views
        warnings.warn(
            "FewShotClassifier(copies=...) is called augmented_views now; the old name goes in version 0.3",
            DeprecationWarning,
            stacklevel=4,
        )
        return self.copies

    def _examples(self, model: Recogniser, dataset: Dataset) -> Examples:
        """View features of shapes, all of which must be readable."""
        found = extract_features(model, dataset, self._read_augmented_views(), seed=self.seed)
        if found.sampled.failures:
            raise ShapeError(found.sampled.failures[0][1])
        return found.examples

    def _require_fitted(self) -> AdaptedHead:
        """The fitted head."""
        check_is_fitted(self)
        assert self.recogniser_.adapted is not None
        return self.recogniser_.adapted

    def _names(self) -> list[str]:
        """Names of ``classes_``, as the head knows them."""
        check_is_fitted(self)
        return check_names([str(label) for label in self.classes_])

    def _answers(self, shapes: Sequence[ShapeLike], **asked: Any) -> list[Classification]:
        """Answers for shapes, all of which must be readable."""
        check_is_fitted(self)
        answers = []
        for answer in self.recogniser_.classify_many(check_list(shapes), up=self.up, **asked):
            if isinstance(answer, Failure):
                raise ShapeError(answer.error)
            answers.append(answer)
        return answers
