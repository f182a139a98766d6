"""Verification of a model against a record from its release.

The demo shapes are read, rendered and classified, and each stage is compared with a record made by the same code:
checksums of the weights, depth maps, scores and answers. A wrong weight file, up-axis, view set, prompt or list of
labels shows at the stage that it affects.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from clip2point.core.errors import ModelError
from clip2point.model import Classification, Recogniser, folders, load
from clip2point.shapes import Shape
from clip2point.shapes.demo_shapes import DEMO_CLASSES, demo_shapes
from clip2point.shapes.orientation import from_y_up

#: Labels of the check.
CLASSES = DEMO_CLASSES

#: Largest differences due to rounding, in fp32 and in bf16: of the mean gray level of a quarter of a depth map, and of
#: a score (mean cosine).
_GRAY_TOLERANCE = 0.005
_SCORE_TOLERANCE = {"float32": 0.01, "bfloat16": 0.06}
#: Fraction of the answers that rounding may change, where two labels are nearly equal: one of the sixteen.
_CHANGED_ANSWERS = 1 / 16

#: What to do, by the first check that fails.
_ADVICE = {
    "weights": "The weight files are not those that the model was made with: reinstall them.",
    "rendering": "The model gets other images than before: an up-axis, a view set or the sampling differs.",
    "scores": "The images are right, but their features are not: weights, precision or prompts differ.",
}
_REINSTALL = "Results of this installation cannot be compared with those of others: reinstall clip2point."


@dataclass(frozen=True)
class Check:
    """One comparison.

    Attributes:
        name: Name of the compared quantity.
        expected: Expected value, in words or figures.
        got: Value found, in words or figures.
        passed: True if they agree.
    """

    name: str
    expected: str
    got: str
    passed: bool

    def to_dict(self) -> dict[str, Any]:
        """Convert to JSON types."""
        return {"name": self.name, "expected": self.expected, "got": self.got, "passed": self.passed}


@dataclass(frozen=True)
class Verification:
    """Outcome of the verification of a model.

    Attributes:
        model: Name of the verified model.
        below_head: True if it is the model below the head of the requested one.
        accuracy: Fraction of the demo shapes whose best label is the true one.
        samples: Number of demo shapes.
        checks: Checks in the order of the stages, or None for a model without a record.
    """

    model: str
    below_head: bool
    accuracy: float
    samples: int
    checks: tuple[Check, ...] | None

    @property
    def failed(self) -> Check | None:
        """First check that failed, or None."""
        return next((check for check in self.checks or () if not check.passed), None)

    @property
    def advice(self) -> str:
        """Advice on the failed check, "" if there is none."""
        return _ADVICE.get(self.failed.name, _REINSTALL) if self.failed else ""

    def to_dict(self) -> dict[str, Any]:
        """Convert to JSON types."""
        found: dict[str, Any] = {"model": self.model, "accuracy": self.accuracy, "samples": self.samples}
        if self.checks is None:
            return {**found, "checks": None}
        return {**found, "passed": self.failed is None, "checks": [check.to_dict() for check in self.checks]}


def verify_model(name: str, *, device: str = "cpu", dtype: str = "auto") -> Verification:
    """Load a model and compare its results on the demo shapes with the record that it carries.

    Loading checks a head and the towers that it reads; of a model with one, the model below the head is verified.

    Args:
        name: Name or folder of the model, as for ``load``.
        device: Device, as for ``load``.
        dtype: Number format of the towers, as for ``load``.

    Raises:
        ModelError: The model cannot be loaded, or its record is malformed.
    """
    model, below_head = load(name, device=device, dtype=dtype), False
    if model.adapted is not None:
        name, below_head = model.adapted.base, True
        model = load(name, device=device, dtype=dtype)
    got = measure(model, folders.weight_checksums(name))
    expected = folders.read_expected_record(name)
    checks = None if expected is None else tuple(verify(expected, got, model.backbone.dtype))
    return Verification(model.name, below_head, got["accuracy"], len(got["files"]), checks)


def measure(model: Recogniser, weights: Mapping[str, str]) -> dict[str, Any]:
    """Record the results of a model on the demo shapes, as JSON types, for ``verify``.

    Args:
        model: Model to record.
        weights: Checksums of its files, by name.

    Returns:
        Labels, settings, checksums, accuracy, and gray levels, scores and answer of each shape.
    """
    answers = _classify(model)
    return {
        "labels": list(CLASSES),
        "settings": model.settings.to_dict(),
        "weights": dict(weights),
        "accuracy": _accuracy(answers),
        "files": {
            name: {
                "truth": name,
                "answer": answer.label,
                "greys": _average_quarters(answer),
                "scores": {guess.label: round(guess.score, 5) for guess in answer.guesses},
            }
            for name, answer in answers.items()
        },
    }


def verify(expected: Mapping[str, Any], got: Mapping[str, Any], dtype: str = "float32") -> list[Check]:
    """Compare two records of ``measure``.

    Args:
        expected: Record of the release.
        got: Record of this installation.
        dtype: Number format of this installation's towers.

    Returns:
        Checks in the order of the stages.

    Raises:
        ModelError: The expected record is malformed.
    """
    try:
        return [
            _same_weights(expected["weights"], got["weights"]),
            _check_equal("settings", expected["settings"], got["settings"]),
            _check_equal("labels", expected["labels"], got["labels"]),
            _check_equal("files", sorted(expected["files"]), sorted(got["files"])),
            _check_close("rendering", _grays(expected), _grays(got), _GRAY_TOLERANCE, "mean gray levels"),
            _check_close("scores", _scores(expected), _scores(got), _SCORE_TOLERANCE[dtype], "mean cosines"),
            _same_answers(expected["files"], got["files"]),
            _same_accuracy(expected, got),
        ]
    except (KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"the model's record for verification is broken ({error!r}); reinstall the model") from error


def _classify(model: Recogniser) -> dict[str, Classification]:
    """Classify each demo shape, with its depth maps and the scores of all labels."""
    # Every other shape lies on its back and says so: up-axes are checked, too.
    shapes = (_lay_down(shape) if index % 2 else shape for index, (_, shape) in enumerate(demo_shapes(CLASSES)))
    answers = model.classify_many(shapes, CLASSES, top=len(CLASSES), keep_views=True)
    return {name: answer for name, answer in zip(CLASSES, answers, strict=True) if isinstance(answer, Classification)}


def _lay_down(shape: Shape) -> Shape:
    """Rotate a y-up shape into coordinates with z up."""
    mesh = shape.mesh and replace(shape.mesh, vertices=from_y_up(shape.mesh.vertices, "z"))
    return replace(shape, points=from_y_up(shape.points, "z"), mesh=mesh, up="z")


def _accuracy(answers: Mapping[str, Classification]) -> float:
    """Return the fraction of demo shapes whose best label is the true one."""
    return sum(answer.label == name for name, answer in answers.items()) / len(answers)


def _average_quarters(answer: Classification) -> list[float]:
    """Return the mean gray level of each quarter of each view; rotations and other radii change it."""
    assert answer.depth is not None
    half = answer.depth.shape[-1] // 2
    rows = (answer.depth[:, :half], answer.depth[:, half:])
    quarters = [part.mean((1, 2)) for row in rows for part in (row[:, :, :half], row[:, :, half:])]
    return [round(float(gray), 4) for gray in np.stack(quarters, axis=1).ravel()]


def _same_weights(expected: Mapping[str, str], got: Mapping[str, str]) -> Check:
    different = sorted(name for name in expected if got.get(name) != expected[name])
    words = f"another sha256: {', '.join(different)}" if different else "the same"
    return Check("weights", f"sha256 of {len(expected)} files", words, not different)


def _check_equal(name: str, expected: Any, got: Any) -> Check:
    """Compare lists or settings that must be equal, and show the differences."""
    if expected == got:
        return Check(name, _shorten(expected), "the same", True)
    if isinstance(expected, Mapping):
        keys = [key for key in expected if expected[key] != got.get(key)]
        return Check(
            name, _shorten({key: expected[key] for key in keys}), _shorten({k: got.get(k) for k in keys}), False
        )
    return Check(name, _shorten(expected), _shorten(got), False)


def _check_close(name: str, expected: np.ndarray, got: np.ndarray, tolerance: float, unit: str) -> Check:
    """Compare figures within a tolerance."""
    wanted = f"{unit} within {tolerance:g}"
    if expected.shape != got.shape:
        return Check(name, wanted, f"{got.size} figures instead of {expected.size}", False)
    worst = float(np.abs(expected - got).max())
    return Check(name, wanted, f"differs by up to {worst:.4f}", worst <= tolerance)


def _same_answers(expected: Mapping[str, Any], got: Mapping[str, Any]) -> Check:
    same = sum(got.get(name, {}).get("answer") == record["answer"] for name, record in expected.items())
    return Check(
        "answers",
        f"{len(expected)} as recorded",
        f"{same} as recorded",
        len(expected) - same <= _CHANGED_ANSWERS * len(expected),
    )


def _same_accuracy(expected: Mapping[str, Any], got: Mapping[str, Any]) -> Check:
    close = abs(expected["accuracy"] - got["accuracy"]) <= _CHANGED_ANSWERS
    return Check("accuracy", f"{expected['accuracy']:.1%}", f"{got['accuracy']:.1%}", close)


def _grays(record: Mapping[str, Any]) -> np.ndarray:
    return np.array([entry["greys"] for _, entry in sorted(record["files"].items())])


def _scores(record: Mapping[str, Any]) -> np.ndarray:
    return np.array(
        [[score for _, score in sorted(entry["scores"].items())] for _, entry in sorted(record["files"].items())]
    )


def _shorten(value: Any) -> str:
    """Return a value in at most 60 characters."""
    if isinstance(value, list) and len(value) > 3:
        return f"{len(value)}: {value[0]} ... {value[-1]}"
    text = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, Mapping) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."
