"""What recognition gives back: plain records that turn into JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip2point.core.display import NotebookDisplay


@dataclass(frozen=True)
class Guess:
    """One class name for a shape.

    Attributes:
        label: the class name as it was given.
        score: mean cosine over the views, in [-1, 1]; where a head answers, what it gives, on a scale of its own.
        confidence: softmax over all labels that were offered, in [0, 1]; calibrated where a head answers.
        view_scores: cosine of each view, in the order of the view set; empty where a head answers.
    """

    label: str
    score: float
    confidence: float
    view_scores: tuple[float, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON types."""
        return {
            "label": self.label,
            "score": self.score,
            "confidence": self.confidence,
            "view_scores": list(self.view_scores),
        }


@dataclass(frozen=True)
class Classification(NotebookDisplay):
    """The answer for one shape.

    Attributes:
        source: the file, or what the shape was called.
        guesses: best first.
        up: the up-axis that was used.
        up_from: who said so: "declared" by the caller, by the file's "format", or "guessed" by trying.
        points: how many were drawn.
        seed: of the sampling.
        model: name of the model.
        depth: [V, S, S] depth maps as the model saw them, if they were asked for; not part of the JSON.
        unknown: whether the shape is probably none of the labels: its confidence is below the threshold, or it is not
            familiar.
        familiar: whether it is as near to one of the learned classes as shapes of these are; true where that is not
            known. See ``familiarity``.
        vector: [D] unit, what ``Recogniser.embed`` gives with this up-axis; not part of the JSON.
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
    familiar: bool = True
    vector: NDArray[np.float32] | None = field(default=None, repr=False, compare=False)

    @property
    def label(self) -> str:
        """The best class name, also of an unknown shape."""
        return self.guesses[0].label

    @property
    def confidence(self) -> float:
        """Of the best class name, in [0, 1]."""
        return self.guesses[0].confidence

    @property
    def verdict(self) -> str:
        """The best class name, or why it is in doubt: "unknown (chair?)", "unfamiliar (chair?)"."""
        if not self.unknown:
            return self.label
        return f"{'unknown' if self.familiar else 'unfamiliar'} ({self.label}?)"

    def to_dict(self) -> dict[str, Any]:
        """As JSON types."""
        return {
            "source": self.source,
            "label": self.label,
            "confidence": self.confidence,
            "unknown": self.unknown,
            "familiar": self.familiar,
            "guesses": [guess.to_dict() for guess in self.guesses],
            "up": self.up,
            "up_from": self.up_from,
            "points": self.points,
            "seed": self.seed,
            "model": self.model,
        }


@dataclass(frozen=True)
class Failure:
    """A shape that could not be read.

    Attributes:
        source: the file.
        error: what is wrong with it.
    """

    source: str
    error: str

    def to_dict(self) -> dict[str, Any]:
        """As JSON types."""
        return {"source": self.source, "error": self.error}
