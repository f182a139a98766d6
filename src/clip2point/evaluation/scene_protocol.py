"""The protocol "scene": scans are split, and what is found is held against true instances and their names."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import DataError
from clip2point.core.progress import Progress
from clip2point.core.version import software_versions
from clip2point.evaluation.scene_files import TrueScene, read_scene
from clip2point.model import Recogniser
from clip2point.scenes import Part, SceneParts, find_parts, merge_by_names, name_parts

Int = NDArray[np.int64]

#: Intersection over union from which a part is an object.
_MATCH = 0.5


@dataclass(frozen=True, eq=False)
class SceneScore:
    """One scene, measured.

    Attributes:
        source: Path of the file.
        best: Best intersection over union of each true object, [K].
        matched: Pairs (object, part) with an intersection over union above 0.5.
        found: Number of parts.
        right: Verdict of each object of which a name is known: 1 if its part has that name, 0 if not or if it has none.
        right_true: The same for true segments.
        seconds: Time of splitting, in seconds.
    """

    source: str
    best: tuple[float, ...]
    matched: tuple[tuple[int, int], ...]
    found: int
    right: tuple[int, ...] = ()
    right_true: tuple[int, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, eq=False)
class SceneMeasurement:
    """Scenes of a data set, measured.

    Attributes:
        scores: Score of each scene.
        failures: Name and error of each scene that could not be read.
        model: Name of the model, or "" if the split alone was measured.
        command: Command line that repeats the measurement, or "".
    """

    scores: tuple[SceneScore, ...]
    failures: tuple[tuple[str, str], ...]
    model: str
    command: str

    def figures(self) -> dict[str, float | None]:
        """Return the figures over all scenes; None where nothing is to be measured."""
        best = [value for score in self.scores for value in score.best]
        matched = [score.best[thing] for score in self.scores for thing, _ in score.matched]
        found = sum(score.found for score in self.scores)
        wrong = (found - len(matched)) + (len(best) - len(matched))
        return {
            "mean_best_iou": _mean(best),
            "precision": len(matched) / found if found else None,
            "recall": len(matched) / len(best) if best else None,
            "panoptic_quality": sum(matched) / (len(matched) + wrong / 2) if best or found else None,
            "naming_accuracy": _mean([value for score in self.scores for value in score.right]),
            "naming_accuracy_on_true_segments": _mean([value for score in self.scores for value in score.right_true]),
            "seconds_per_scene": _mean([score.seconds for score in self.scores]),
        }

    def to_dict(self) -> dict[str, Any]:
        """Return all as JSON types."""
        return {
            "protocol": "scene",
            "command": self.command,
            "model": self.model,
            "scenes": len(self.scores),
            "objects": sum(len(score.best) for score in self.scores),
            **self.figures(),
            "per_scene": [
                {
                    "source": score.source,
                    "objects": len(score.best),
                    "parts": score.found,
                    "best_iou": list(score.best),
                    "seconds": score.seconds,
                }
                for score in self.scores
            ],
            "failures": [{"source": source, "error": error} for source, error in self.failures],
            "versions": software_versions(),
        }


def evaluate_scenes(
    paths: Sequence[Path],
    model: Recogniser | None = None,
    *,
    up: str | None = None,
    seed: int = 0,
    command: str = "",
    progress: Progress | None = None,
) -> SceneMeasurement:
    """Measure how well scans are split and, where the files have class names, how well the parts are named.

    Args:
        paths: Scenes, see ``scene_files.read_scene``.
        model: Recogniser, which joins pieces and chooses among all names of the scenes; None measures the split alone.
        up: Axis that points up, instead of the files'.
        seed: Seed of the draws.
        command: Command line for the record.
        progress: Progress callback.

    Raises:
        DataError: If no scene can be read.
    """
    scenes: list[TrueScene] = []
    failures: list[tuple[str, str]] = []
    for path in paths:
        try:
            scenes.append(read_scene(path, up))
        except DataError as error:
            failures.append((str(path), str(error)))
    if not scenes:
        raise DataError(failures[0][1])
    labels = sorted({name for scene in scenes for name in scene.names or ()})
    find_parts(scenes[0].shape, seed=seed)  # the time to compile kernels is no part of that of a scene
    asked = model if len(labels) > 1 else None
    walk = scenes if progress is None else progress(scenes, len(scenes))
    scores = tuple(measure_scene(scene, asked, labels, seed, model) for scene in walk)
    return SceneMeasurement(scores, tuple(failures), "" if model is None else model.name, command)


def measure_scene(
    scene: TrueScene,
    model: Recogniser | None,
    labels: Sequence[str],
    seed: int = 0,
    merger: Recogniser | None = None,
) -> SceneScore:
    """Split one scene and hold it against the truth.

    Args:
        scene: Scan with its true instances.
        model: Recogniser, or None.
        labels: Class names to choose from.
        seed: Seed of the draws.
        merger: Recogniser that joins pieces, or None.
    """
    began = time.perf_counter()
    found = find_parts(scene.shape, seed=seed)
    if merger is not None:
        found = merge_by_names(merger, scene.shape, found, seed=seed)
    seconds = time.perf_counter() - began
    own = found.instances if scene.shape.kept is None else found.instances[scene.shape.kept]
    overlaps = measure_overlaps(scene.instances, own)
    best = tuple(overlaps.max(axis=1, initial=0.0).tolist())
    pairs = tuple((int(thing), int(part)) for thing, part in np.argwhere(overlaps > _MATCH))
    if model is None or scene.names is None:
        return SceneScore(found.source, best, pairs, overlaps.shape[1], seconds=seconds)
    named = {part.number: part.label for part in name_parts(model, scene.shape, found, labels, seed=seed).parts}
    parts = dict(pairs)
    right = tuple(int(named.get(parts.get(thing, -1)) == name) for thing, name in enumerate(scene.names))
    truth = [part.label for part in name_parts(model, scene.shape, _as_parts(scene, found), labels, seed=seed).parts]
    right_true = tuple(int(label == name) for label, name in zip(truth, scene.names, strict=True))
    return SceneScore(found.source, best, pairs, overlaps.shape[1], right, right_true, seconds)


def measure_overlaps(true: NDArray[np.integer], found: NDArray[np.integer]) -> NDArray[np.float64]:
    """Measure the intersection over union of each true object with each part.

    Args:
        true: Number of the object of each point, [N], -1 for none.
        found: Number of the part of each point, [N], -1 for none.

    Returns:
        [objects, parts] in [0, 1].

    Examples:
        >>> measure_overlaps(np.array([0, 0, -1, 1]), np.array([0, 0, 0, -1])).round(2).tolist()
        [[0.67], [0.0]]
    """
    rows, columns = int(true.max(initial=-1)) + 2, int(found.max(initial=-1)) + 2
    both = np.bincount((true + 1).astype(np.int64) * columns + found + 1, minlength=rows * columns)
    shared = both.reshape(rows, columns).astype(np.float64)
    union = shared.sum(axis=1, keepdims=True) + shared.sum(axis=0, keepdims=True) - shared
    result: NDArray[np.float64] = (shared / np.maximum(union, 1))[1:, 1:]
    return result


def _as_parts(scene: TrueScene, found: SceneParts) -> SceneParts:
    """Return the true objects as parts that stand as the scan was found to stand."""
    count = int(scene.instances.max(initial=-1)) + 1
    instances = scene.instances.astype(np.int32)
    if scene.shape.kept is not None:
        instances = np.full(len(scene.shape.kept), -1, dtype=np.int32)
        instances[scene.shape.kept] = scene.instances
    parts = tuple(
        Part(number, "", (), number, int(np.count_nonzero(scene.instances == number)), (0, 0, 0), (1, 1, 1))
        for number in range(count)
    )
    return SceneParts(found.source, "scan", parts, instances, found.supports, found.upright)


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if len(values) else None
