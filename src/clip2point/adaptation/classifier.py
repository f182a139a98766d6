"""The few-shot classifier: a model that learns from a user's own examples, in the manner of scikit-learn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from clip2point.adaptation.few_shot import check_head, hold_out, learn
from clip2point.core.errors import ModelError, OptionError, ShapeError
from clip2point.core.labels import check_labels
from clip2point.data import Dataset
from clip2point.data.given_shapes import WHOLE_NUMBERS, check_list, kind_of_labels, label_shapes, read_labels
from clip2point.features.augmented_views import AugmentedViewSettings
from clip2point.features.view_features import extract_features
from clip2point.heads.examples import Examples
from clip2point.model.adapted_folder import save_adapted
from clip2point.model.adapted_head import AdaptedHead
from clip2point.model.loading import load
from clip2point.model.recogniser import Recogniser
from clip2point.model.results import Classification, Failure
from clip2point.shapes import ShapeLike


class FewShotClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """Learns classes of shapes from a few labelled examples of each.

    The towers of a model stay as they are; a head on their view features is fitted, in seconds to minutes. A fifth of
    the examples is held out to choose the head's options, to calibrate its confidence, and to find the threshold below
    which a shape is called unknown; then the head is fitted once more on all. With one example of each class there is
    nothing to hold out: a warning says so, and no shape is called unknown.

    Args:
        model: a name or folder as ``clip2point.load`` takes it, or a loaded model, which copies share.
        head: "gdpa", "dpa", "inter-view", "tip-adapter", "tip-adapter-f", "linear", "nearest-mean", "zero-shot",
            "depth-path", "image-path", or "auto" for the one that is best on the held-out examples.
        options: of the head, instead of those that are chosen on the held-out examples.
        copies: looks at each shape, the first as it is and the others changed a little; a number, or with how they are
            changed.
        up: the axis that points up in all shapes; "auto" believes each shape or its file format.
        seed: of the point sampling, of what is held out, and of the training.
        target: share of answers that is to be right among those that are not called unknown.

    Attributes:
        classes_: [C] the labels that occurred, sorted; strings or whole numbers, as they were given.
        recogniser_: the model with the head: its ``Recogniser.classify`` names single shapes.
        validation_: how good the head was on the held-out examples, as JSON types; None if there were none.
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
        copies: int | AugmentedViewSettings = 2,
        up: str = "auto",
        seed: int = 0,
        target: float = 0.95,
    ) -> None:
        self.model, self.head, self.options, self.copies = model, head, options, copies
        self.up, self.seed, self.target = up, seed, target

    def fit(self, shapes: Sequence[ShapeLike], labels: ArrayLike) -> FewShotClassifier:
        """Learn.

        Args:
            shapes: N files, Shapes or point arrays.
            labels: [N] strings or whole numbers. Heads that go by words read them as the names of the classes.

        Returns:
            This classifier.

        Raises:
            ShapeError: if a shape cannot be read.
            OptionError: if an argument makes no sense, or a shape does not say which way is up.
            ModelError: if there is no such model.
        """
        classes = np.unique(read_labels(labels, shapes))
        check_head(self.head, self.options)
        model = self.model if isinstance(self.model, Recogniser) else load(self.model)
        examples = self._examples(model, label_shapes(shapes, labels, self.up))
        learned = learn(
            model,
            examples,
            check_labels([str(label) for label in classes]),
            hold_out(examples.labels.numpy(), self.seed),
            head=self.head,
            options=self.options,
            seed=self.seed,
            target=self.target,
            record={
                "data": "examples given in Python",
                "shapes": len(examples),
                "labels": kind_of_labels(classes),
                "parameters": {
                    "copies": self.copies if isinstance(self.copies, int) else asdict(self.copies),
                    **{name: getattr(self, name) for name in ("up", "seed", "target")},
                },
            },
        )
        self.classes_, self.recogniser_ = classes, learned.model
        self.validation_ = learned.adapted.record["validation"]
        return self

    def predict(self, shapes: Sequence[ShapeLike]) -> NDArray[Any]:
        """The most probable label [N] of each shape, also where it would be called unknown.

        Raises:
            ShapeError: if a shape cannot be read.
        """
        best = self.predict_proba(shapes).argmax(1)
        return self.classes_[best]

    def predict_proba(self, shapes: Sequence[ShapeLike]) -> NDArray[np.float64]:
        """Calibrated confidence [N, C] in each of ``classes_``.

        Raises:
            ShapeError: if a shape cannot be read.
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
        """Answers that may be "unknown", with confidences and the next best names.

        Args:
            shapes: N files, Shapes or point arrays.
            top: how many names to return at most.
            unknown_below: confidence below which a shape counts as unknown, instead of the confidence and OOD
                thresholds that were found.

        Raises:
            ShapeError: if a shape cannot be read.
        """
        return self._answers(shapes, top=top, unknown_below=unknown_below)

    def add_classes(self, shapes: Sequence[ShapeLike] | None, labels: ArrayLike) -> FewShotClassifier:
        """Learn more classes and leave all that was learned of the others as it is.

        Confidences stay calibrated, and the threshold chosen, for the classes that the classifier began with.

        Args:
            shapes: examples, or None where the head goes by words: gdpa, dpa, inter-view, zero-shot and single paths.
            labels: [N] of the examples, or the new labels themselves; of the same type as the others.

        Returns:
            This classifier.

        Raises:
            OptionError: if a class is known already, or the head has to be fitted again to know more.
            ShapeError: if a shape cannot be read.
        """
        known, adapted = self._names(), self._adapted()
        classes = np.unique(read_labels(labels, shapes))
        if kind_of_labels(classes) != kind_of_labels(self.classes_):
            raise OptionError(
                f"labels {kind_of_labels(classes)}: expected {kind_of_labels(self.classes_)}, as the known classes have"
            )
        names = check_labels([str(label) for label in classes])
        if both := sorted(set(names) & set(known)):
            raise OptionError(
                f"the class {both[0]!r} is known already: give examples of new classes only, or fit again"
            )
        base = self.recogniser_.without_head()
        examples = None
        if shapes is not None:
            examples = self._examples(base, label_shapes(shapes, labels, self.up))
        text = base.class_features(names).cpu()
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
            OptionError: if the folder holds something else.
            ModelError: if the towers can neither be named nor written.
        """
        self._adapted()
        save_adapted(Path(folder), self.recogniser_)

    @classmethod
    def load(cls, folder: str | Path, *, device: str = "cpu", dtype: str = "auto") -> FewShotClassifier:
        """Read what ``save`` or ``clip2point adapt`` wrote.

        Args:
            folder: with the model.
            device: see ``clip2point.load``.
            dtype: see ``clip2point.load``.

        Raises:
            ModelError: if there is no such model, or it has no head.
        """
        recogniser = load(folder, device=device, dtype=dtype)
        adapted = recogniser.adapted
        if adapted is None:
            raise ModelError(f"{folder}: a model without a head: expected one that learned from examples")
        found = cls(recogniser.without_head(), head=adapted.head.name, options=adapted.head.options)
        try:
            found.set_params(**adapted.record.get("parameters", {}))
            found.copies = AugmentedViewSettings(**found.copies) if isinstance(found.copies, dict) else found.copies
            numbers = adapted.record.get("labels") == WHOLE_NUMBERS
            found.classes_ = np.unique([int(name) if numbers else name for name in adapted.classes])
        except (OptionError, TypeError, ValueError) as error:
            raise ModelError(f'{folder}: config.json has a senseless "record" ({error})') from error
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

    def _examples(self, model: Recogniser, dataset: Dataset) -> Examples:
        """View features of shapes, all of which must be readable."""
        found = extract_features(model, dataset, self.copies, seed=self.seed)
        if found.sampled.failures:
            raise ShapeError(found.sampled.failures[0][1])
        return found.examples

    def _adapted(self) -> AdaptedHead:
        """The fitted head."""
        check_is_fitted(self)
        assert self.recogniser_.adapted is not None
        return self.recogniser_.adapted

    def _names(self) -> list[str]:
        """Of ``classes_``, as the head knows them."""
        check_is_fitted(self)
        return check_labels([str(label) for label in self.classes_])

    def _answers(self, shapes: Sequence[ShapeLike], **asked: Any) -> list[Classification]:
        """Answers for shapes, all of which must be readable."""
        check_is_fitted(self)
        answers = []
        for answer in self.recogniser_.classify_many(check_list(shapes), up=self.up, **asked):
            if isinstance(answer, Failure):
                raise ShapeError(answer.error)
            answers.append(answer)
        return answers
