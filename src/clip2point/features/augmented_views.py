"""Labelled examples as adapters learn from them: view features of each shape, and of augmented copies of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clip2point.backbones import PATHS, DepthPath
from clip2point.core.cache import load_arrays, store_arrays
from clip2point.core.errors import OptionError
from clip2point.core.progress import Progress
from clip2point.data import Dataset, SampledDataset, sample_dataset
from clip2point.data.dataset import item_seed
from clip2point.features.view_features import encode_rows, feature_parts
from clip2point.heads.examples import Examples
from clip2point.model.recogniser import Recogniser
from clip2point.shapes import ShapeLike, as_shape, place_points, prepare_points
from clip2point.shapes.augmentation import AugmentationSettings, augment

Float32 = NDArray[np.float32]

_JITTER = 0.1  # of the camera's distance, as in the paper's pre-training


@dataclass(frozen=True)
class CopySettings:
    """Copies of a shape whose features are kept beside its own, so that adapters learn from more than one look.

    The first copy is the shape as it is measured. Each of the others has points drawn anew where the shape is a mesh,
    cameras at random distances from 0.9 to 1.1 as in the paper, and the changes below.

    Attributes:
        count: K, how many copies there are, with the first.
        part: smallest share of the points that a changed copy keeps.
        stretch: largest factor along each axis, and its inverse; 1 for none.
        yaw: largest turn about the vertical axis, either way, in degrees.
    """

    count: int = 2
    part: float = 0.5
    stretch: float = 1.0
    yaw: float = 0.0

    def __post_init__(self) -> None:
        if not 1 <= self.count <= 100:
            raise OptionError(f"{self.count} copies of each shape: expected 1 (the shape alone) to 100")
        if not 0 < self.part <= 1:
            raise OptionError(f"part is {self.part}: expected above 0, at most 1")
        self.augmentation  # noqa: B018 - checks the others

    @property
    def augmentation(self) -> AugmentationSettings:
        """The changes that pre-training knows as well."""
        return AugmentationSettings(stretch=self.stretch, yaw=self.yaw)


@dataclass(frozen=True, eq=False)
class DatasetExamples:
    """The examples of a data set.

    Attributes:
        examples: features of the shapes that could be read.
        sampled: their points as they are measured, with names and failures.
    """

    examples: Examples
    sampled: SampledDataset


def dataset_examples(
    model: Recogniser,
    dataset: Dataset,
    copies: CopySettings | int = 1,
    seed: int = 0,
    progress: Progress | None = None,
) -> DatasetExamples:
    """View features of a data set and of augmented copies of its shapes; each copy is computed once and cached.

    Args:
        model: whose towers and rendering settings are used.
        dataset: N shapes with a declared up-axis.
        copies: how many and how they are changed; a number stands for that many with the usual changes.
        seed: of the point sampling and of every change; a shape's copies depend on it and the shape's name alone.
        progress: wraps an iterable of a given length, to show how far it is.

    Raises:
        OptionError: if the data set does not say which way is up.
        DataError: if no shape of it can be read.
        CacheError: if the cache cannot be written to.
    """
    if dataset.up == "auto":
        raise OptionError(f"{dataset.name}: does not say which axis points up; give --up y or --up z")
    settings = CopySettings(copies) if isinstance(copies, int) else copies
    measured = sample_dataset(dataset, model.settings.points, seed, progress=progress)
    found = [_features(model, measured, settings, seed, 0, progress)]
    kept = set(measured.names)
    rows = [row for row, name in enumerate(dataset.names) if name in kept]
    readable = dataset if len(rows) == len(dataset) else dataset.take(rows)
    for number in range(1, settings.count):
        # Another seed for each copy: new points of a mesh.
        sampled = sample_dataset(readable, model.settings.points, seed + number, progress=progress)
        found.append(_features(model, sampled, settings, seed, number, progress))
    features = torch.from_numpy(np.stack(found))
    return DatasetExamples(Examples(features, torch.from_numpy(measured.labels.copy())), measured)


def shape_examples(
    model: Recogniser,
    shapes: Sequence[ShapeLike],
    labels: NDArray[np.integer] | Sequence[int],
    copies: CopySettings | int = 1,
    seed: int = 0,
    up: str = "auto",
) -> Examples:
    """View features of shapes and of augmented copies of them; nothing is cached.

    Args:
        model: whose towers and rendering settings are used.
        shapes: N files, Shapes or point arrays.
        labels: [N] numbers of classes.
        copies: see ``dataset_examples``.
        seed: of the point sampling and of every change.
        up: the axis that points up; "auto" believes the shape or its file format.

    Raises:
        ShapeError: if a shape cannot be read.
        OptionError: if a shape does not say which way is up, or labels and shapes are not as many.
    """
    settings = CopySettings(copies) if isinstance(copies, int) else copies
    if len(shapes) != len(labels):
        raise OptionError(f"{len(shapes)} shapes and {len(labels)} labels: expected as many of each")
    if not len(shapes):
        raise OptionError("no shapes: expected at least one example")
    clouds: list[list[Float32]] = [[] for _ in range(settings.count)]
    for number, item in enumerate(shapes):
        shape = as_shape(item, up)
        if shape.up == "auto":
            raise OptionError(f"{shape.source}: does not say which axis points up; give up='y' or up='z'")
        for copy, drawn in enumerate(clouds):
            points = prepare_points(shape, model.settings.points, seed + copy)
            drawn.append(_changed(points, settings, copy, item_seed(seed, str(number))))
    blocks = []
    for copy, drawn in enumerate(clouds):
        seeds = [item_seed(seed, str(number)) for number in range(len(shapes))]
        blocks.append(_encoded(model, np.stack(drawn), seeds, copy, PATHS, None))
    return Examples(torch.from_numpy(np.stack(blocks)), torch.as_tensor(np.asarray(labels, dtype=np.int64)))


def _features(
    model: Recogniser,
    sampled: SampledDataset,
    settings: CopySettings,
    seed: int,
    copy: int,
    progress: Progress | None,
) -> Float32:
    """Features [N, P, V, D] of one copy of each shape, from the cache as far as they are there."""
    changes = {"copy": copy, "seed": seed, "changes": {**asdict(settings), "count": None}} if copy else {}
    parts = {path: {**feature_parts(model, sampled, path), **changes} for path in PATHS}
    found = {path: load_arrays("features", entry) for path, entry in parts.items()}
    missing = tuple(path for path in PATHS if found[path] is None)
    if missing:
        seeds = [item_seed(seed, name) for name in sampled.names]
        clouds = place_points(np.asarray(sampled.points), sampled.up)
        if copy:
            pairs = zip(clouds, seeds, strict=True)
            clouds = np.stack([_changed(cloud, settings, copy, own) for cloud, own in pairs])
        features = _encoded(model, clouds, seeds, copy, missing, progress)
        for number, path in enumerate(missing):
            found[path] = store_arrays("features", parts[path], {"features": features[:, number]})
    return np.stack([entry["features"] for entry in found.values() if entry is not None], axis=1)


def _changed(cloud: Float32, settings: CopySettings, copy: int, seed: int) -> Float32:
    """A copy [N, 3] of a cloud [N, 3] in the unit sphere, y up; the first is the cloud itself."""
    if copy == 0:
        return cloud
    rng = np.random.default_rng((seed, copy))
    kept = max(1, round(len(cloud) * rng.uniform(settings.part, 1)))
    changed = augment(cloud, settings.augmentation, kept, rng)
    # Points that come twice are drawn once: clouds of a batch need the same number.
    return changed[np.resize(np.arange(kept), len(cloud))]


def _encoded(
    model: Recogniser,
    clouds: Float32,
    seeds: Sequence[int],
    copy: int,
    paths: Iterable[DepthPath],
    progress: Progress | None,
) -> Float32:
    """Features [N, P, V, D] of one copy [N, points, 3] of each shape."""

    def draw(rows: range) -> Tensor:
        points = np.ascontiguousarray(clouds[rows.start : rows.stop])
        if copy == 0:
            return model.depth_maps(points)
        jitter = [np.random.default_rng((seeds[row], copy, 1)).uniform(-1, 1, len(model.views)) for row in rows]
        return model.depth_maps(points, (1 + _JITTER * np.stack(jitter)).astype(np.float32))

    return encode_rows(draw, range(len(clouds)), model, paths, progress)
