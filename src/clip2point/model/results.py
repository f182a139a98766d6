"""Results of recognition: plain records that turn into JSON."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip2point.core.display import NotebookDisplay


@dataclass(frozen=True)
class Guess:
    """One class name for a shape.

    Attributes:
        label: Class name as it was given.
        score: Mean cosine over the views, in [-1, 1]; the head's score, on a scale of its own, where a head answers.
        confidence: Softmax over all labels that were offered, in [0, 1]; calibrated where a head answers.
        view_scores: Cosine of each view, in the order of the view set; empty where a head answers.

    Examples:
        >>> Guess("chair", 0.31, 0.9, (0.3, 0.32)).to_dict()
        {'label': 'chair', 'score': 0.31, 'confidence': 0.9, 'view_scores': [0.3, 0.32]}
    """

    label: str
    score: float
    confidence: float
    view_scores: tuple[float, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON types."""
        return {
            "label": self.label,
            "score": self.score,
            "confidence": self.confidence,
            "view_scores": list(self.view_scores),
        }


@dataclass(frozen=True)
class Classification(NotebookDisplay):
    """Answer for one shape.

    Attributes:
        source: Path of the file, or the name of the shape.
        guesses: Guesses, best first.
        up: Up-axis that was used.
        up_from: Origin of the up-axis: "declared" by the caller, by the file's "format", or "guessed" by trying.
        points: Number of points.
        seed: Seed of the point sampling.
        model: Name of the model.
        depth: [V, S, S] depth maps as the model saw them, if they were kept; not part of the JSON.
        unknown: True for a shape that is probably none of the labels: its confidence is below the threshold, or it is
            out of distribution.
        in_distribution: False for a shape whose OOD score is below the threshold of the model's head, see
            ``heads.ood``; true where that is not measured.
        vector: [D] unit vector, as of ``Recogniser.embed`` with this up-axis; not part of the JSON.
        notes: Remarks on what was dropped, assumed or ignored, each one line.

    Examples:
        >>> guesses = (Guess("chair", 0.31, 0.9, ()), Guess("sofa", 0.25, 0.1, ()))
        >>> answer = Classification("a.glb", guesses, "y", "format", 1024, 0, "pocket")
        >>> answer.label, answer.confidence, answer.verdict
        ('chair', 0.9, 'chair')
    """

    source: str
    guesses: tuple[Guess, ...]
    up: str
    up_from: str
    points: int
    seed: int
    model: str
    depth: NDArray[np.float32] | None = field(default=None, repr=False, compare=False)
    unknown: bool = False
    in_distribution: bool = True
    vector: NDArray[np.float32] | None = field(default=None, repr=False, compare=False)
    notes: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Best class name, also of an unknown shape."""
        return self.guesses[0].label

    @property
    def confidence(self) -> float:
        """Confidence of the best class name, in [0, 1]."""
        return self.guesses[0].confidence

    @property
    def verdict(self) -> str:
        """Best class name, or the reason for doubt: "unknown (chair?)", "out of distribution (chair?)"."""
        if not self.unknown:
            return self.label
        return f"{'unknown' if self.in_distribution else 'out of distribution'} ({self.label}?)"

    @property
    def familiar(self) -> bool:
        """Deprecated name of ``in_distribution``."""
        warnings.warn("Classification.familiar is now in_distribution", DeprecationWarning, stacklevel=2)
        return self.in_distribution

    def to_dict(self) -> dict[str, Any]:
        """Return all but depth maps and vector as JSON types; "familiar" is the former name of "in_distribution"."""
        return {
            "source": self.source,
            "label": self.label,
            "confidence": self.confidence,
            "unknown": self.unknown,
            "in_distribution": self.in_distribution,
            "familiar": self.in_distribution,
            "guesses": [guess.to_dict() for guess in self.guesses],
            "up": self.up,
            "up_from": self.up_from,
            "points": self.points,
            "seed": self.seed,
            "model": self.model,
            "notes": list(self.notes),
        }


@dataclass(frozen=True, eq=False)
class Embedding:
    """Vector of one shape.

    Attributes:
        source: Path of the file, or the name of the shape.
        vector: [D] float32 unit vector.
        up: Up-axis that was used.
        up_from: Origin of the up-axis: "declared" by the caller, by the file's "format", or "assumed".
        points: Number of points.
        seed: Seed of the point sampling.
        model: Name of the model.
        notes: Remarks on what was dropped, assumed or ignored, each one line.

    Examples:
        >>> Embedding("a.glb", np.ones(1, np.float32), "y", "format", 1024, 0, "pocket").to_dict()["vector"]
        [1.0]
    """

    source: str
    vector: NDArray[np.float32] = field(repr=False)
    up: str
    up_from: str
    points: int
    seed: int
    model: str
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON types; the shortest decimals that give the same float32 numbers."""
        return {
            "source": self.source,
            "vector": [float(str(number)) for number in self.vector],
            "up": self.up,
            "up_from": self.up_from,
            "points": self.points,
            "seed": self.seed,
            "model": self.model,
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class Failure:
    """A shape that could not be read.

    Attributes:
        source: Path of the file.
        error: Message of the error.

    Examples:
        >>> Failure("a.glb", "a.glb: is empty").to_dict()
        {'source': 'a.glb', 'error': 'a.glb: is empty'}
    """

    source: str
    error: str

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON types."""
        return {"source": self.source, "error": self.error}
