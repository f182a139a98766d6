"""Results of splitting: parts of a file or things of a scan, as plain records that turn into JSON."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from clip2point.model import Classification


@dataclass(frozen=True, eq=False)
class Part:
    """One part of a file, or one thing of a scan.

    Attributes:
        number: Number in ``SceneParts.instances``.
        name: Name in the file, or "" if it has none there.
        path: Names of the nodes above it, from the top.
        kind: Number of its kind; parts of one kind have the same shape, in whatever pose.
        elements: Number of its faces, or points of a cloud.
        center: Middle of its box, in the file's frame and unit, [3].
        size: Edges of its box, [3].
        transform: Matrix from the part's frame to the file's, [4, 4] on column vectors, where the file has one.
        answer: Name by the recogniser, or None if it was not asked.
        fits: Cosines with the phrases that were looked for, by phrase.
    """

    number: int
    name: str
    path: tuple[str, ...]
    kind: int
    elements: int
    center: tuple[float, float, float]
    size: tuple[float, float, float]
    transform: NDArray[np.float64] | None = None
    answer: Classification | None = None
    fits: dict[str, float] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Verdict of the recogniser, or "" if it was not asked."""
        return "" if self.answer is None else self.answer.verdict

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON types."""
        answer = self.answer
        record: dict[str, Any] = {
            "number": self.number,
            "name": self.name,
            "path": list(self.path),
            "kind": self.kind,
            "elements": self.elements,
            "center": list(self.center),
            "size": list(self.size),
            "transform": None if self.transform is None else self.transform.tolist(),
            "label": None if answer is None else answer.label,
            "confidence": None if answer is None else answer.confidence,
            "unknown": None if answer is None else answer.unknown,
            "guesses": [] if answer is None else [guess.to_dict() for guess in answer.guesses],
        }
        return {**record, "fits": self.fits} if self.fits else record


@dataclass(frozen=True, eq=False)
class Support:
    """A plane that things stand on, or a wall.

    Attributes:
        kind: "support" or "wall".
        normal: Direction in which things are, [3].
        center: Mean of its points, [3].
        elements: Number of its faces or points.
        noise: Deviation of its points from it.
    """

    kind: str
    normal: tuple[float, float, float]
    center: tuple[float, float, float]
    elements: int
    noise: float

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON types."""
        return {
            "kind": self.kind,
            "normal": list(self.normal),
            "center": list(self.center),
            "elements": self.elements,
            "noise": self.noise,
        }


@dataclass(frozen=True, eq=False)
class SceneParts:
    """Parts of one file.

    Attributes:
        source: Path of the file.
        split_by: Origin of the parts: "file" (its own nodes), "pieces" (of a mesh, that do not touch) or "scan".
        parts: Parts, the largest first in a scan, in the order of the file otherwise.
        instances: Number of the part of each point of the file, or of each face of its mesh, -1 for none.
        supports: Planes that things of a scan stand on.
        upright: Rotation [3, 3] on column vectors that takes the scan's support into the y-up frame, or None.
        viewpoint: Place that a scan was taken from, [3], where one place explains it, or None.
        model: Name of the model that named the parts, or "".
        notes: Remarks on what was dropped, assumed or ignored, each one line.
    """

    source: str
    split_by: str
    parts: tuple[Part, ...]
    instances: NDArray[np.int32] = field(repr=False)
    supports: tuple[Support, ...] = ()
    upright: NDArray[np.float64] | None = field(default=None, repr=False)
    viewpoint: tuple[float, float, float] | None = None
    model: str = ""
    notes: tuple[str, ...] = ()

    def kinds(self) -> list[list[Part]]:
        """Return the parts of each kind, kinds in the order of their first parts."""
        found: dict[int, list[Part]] = {}
        for part in self.parts:
            found.setdefault(part.kind, []).append(part)
        return list(found.values())

    def with_parts(self, parts: tuple[Part, ...], model: str, notes: tuple[str, ...] = ()) -> SceneParts:
        """Return the same split with parts that a model has named."""
        return replace(self, parts=parts, model=model, notes=(*self.notes, *notes))

    def to_dict(self) -> dict[str, Any]:
        """Return all but ``instances`` as JSON types."""
        return {
            "source": self.source,
            "split_by": self.split_by,
            "parts": [part.to_dict() for part in self.parts],
            "kinds": len(self.kinds()),
            "viewpoint": None if self.viewpoint is None else list(self.viewpoint),
            "supports": [support.to_dict() for support in self.supports],
            "model": self.model,
            "notes": list(self.notes),
        }
