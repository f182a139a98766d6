"""View features of a data set under one model: the one way from shapes to features, computed once, then cached."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clip2point.backbones import PATHS, DepthPath, shapes_per_batch
from clip2point.backbones.backbone_registry import backbone_code
from clip2point.core.cache import load_arrays, store_arrays
from clip2point.core.cache_contents import limit_cache
from clip2point.core.progress import Progress
from clip2point.data import Dataset, SampledDataset, sample_dataset
from clip2point.features.augmented_views import AugmentedView, AugmentedViewSettings
from clip2point.heads.examples import Examples
from clip2point.model.encoding import encode_paths
from clip2point.model.kept_views import KeptViews
from clip2point.model.recogniser import Recogniser
from clip2point.rendering.depth import rendering_key
from clip2point.shapes import place_points

if TYPE_CHECKING:
    from clip2point.core.arrays import Array

Float32 = NDArray[np.float32]

#: Number to raise whenever the code between points and features changes its values.
_VERSION = 1


@dataclass(frozen=True, eq=False)
class ViewFeatures:
    """Features of every view of every shape of a data set, and of augmented views of the shapes.

    Attributes:
        sampled: Points of the N shapes that could be read, with names, labels and failures.
        paths: P of ``PATHS``.
        arrays: [N, V, D] float32 features, not normalised, memory-mapped: for each augmented view, the unchanged shape
            first, one array of each path.
    """

    sampled: SampledDataset
    paths: tuple[DepthPath, ...]
    arrays: tuple[tuple[Float32, ...], ...] = field(repr=False)

    def of_path(self, path: DepthPath = "depth") -> Float32:
        """Return the features [N, V, D] of the unchanged shapes by one path."""
        return self.arrays[0][self.paths.index(path)]

    @cached_property
    def examples(self) -> Examples:
        """Features [K, N, P, V, D] with the labels [N], for heads to learn from."""
        features = np.stack([np.stack(by_path, axis=1) for by_path in self.arrays])
        return Examples(features, self.sampled.labels.copy())


def extract_features(
    model: Recogniser,
    dataset: Dataset,
    augmented_views: AugmentedViewSettings | int = 1,
    *,
    seed: int = 0,
    paths: Sequence[DepthPath] = PATHS,
    progress: Progress | None = None,
) -> ViewFeatures:
    """Render and encode the shapes of a data set, or find what an earlier call found.

    Args:
        model: Model whose towers and rendering settings are used; a head has no part in it.
        dataset: Labelled shapes with a declared up-axis.
        augmented_views: Number of views of each shape, the first of them the unchanged shape, or settings.
        seed: Seed of the point sampling and of every change. The features of a shape depend on it and on the shape's
            name, not on its place or on other shapes.
        paths: Paths that read the depth maps.
        progress: Progress callback.

    Returns:
        The features, with the points that they were made of.

    Raises:
        OptionError: The data set does not say which way is up.
        DataError: No shape can be read.

    Examples:
        >>> import clip2point
        >>> from clip2point.data import open_dataset
        >>> features = extract_features(clip2point.load(), open_dataset("folder:parts"), 2)  # doctest: +SKIP
        >>> features.examples.features.shape  # doctest: +SKIP
        (2, 60, 2, 6, 384)
    """
    dataset.require_up()
    settings = AugmentedViewSettings.of(augmented_views)
    measured = sample_dataset(dataset, model.settings.points, seed, progress=progress)
    readable = dataset.select(measured.names)
    arrays = []
    for number in range(settings.count):
        # Another seed for each view: new points of a mesh.
        sampled = (
            sample_dataset(readable, model.settings.points, seed + number, progress=progress) if number else measured
        )
        view = AugmentedView(settings, number, seed)
        arrays.append(_load_or_encode(model, sampled, view, tuple(paths), progress))
    return ViewFeatures(measured, tuple(paths), tuple(arrays))


def feature_key(model: Recogniser, sampled: SampledDataset, path: DepthPath = "depth") -> dict[str, Any]:
    """Return everything that the features of a path depend on, as JSON types: the key of their cache entry."""
    # Rounding tells runtimes apart; entries of the first release are PyTorch's.
    runtime = getattr(model.backbone, "runtime", "torch")
    return {
        "version": _VERSION,
        **({} if runtime == "torch" else {"runtime": runtime}),
        "points": sampled.fingerprint,
        "up": sampled.up,
        "tower": model.backbone.fingerprint(path),
        "image_size": model.backbone.image_size,
        **rendering_key(model.views, model.settings.radius, model.settings.style),
        **backbone_code(model.backbone),
    }


def encode_views(model: Recogniser, sampled: SampledDataset, progress: Progress | None = None) -> Float32:
    """Render and encode shapes by the depth path, without the cache.

    Args:
        model: Model whose depth tower and rendering settings are used.
        sampled: Points of N shapes with a declared up-axis.
        progress: Progress callback.

    Returns:
        [N, V, D] float32 features, not normalised.
    """

    def encode(rows: range) -> Float32:
        return encode_paths(model.backbone, render_views(model, sampled, rows), ("depth",))

    return _encode(model, len(sampled), encode, 1, progress)[:, 0]


def render_views(model: Recogniser, sampled: SampledDataset, rows: Sequence[int]) -> Array:
    """Render the depth maps [B, V, S, S] of some of the shapes, as the model sees them."""
    return model.depth_maps(place_points(np.asarray(sampled.points[list(rows)]), sampled.up))


def _load_or_encode(
    model: Recogniser,
    sampled: SampledDataset,
    view: AugmentedView,
    paths: tuple[DepthPath, ...],
    progress: Progress | None,
) -> tuple[Float32, ...]:
    """Features [N, V, D] of one augmented view of each shape, by path; depth maps are rendered once for all paths."""
    keys = {path: {**feature_key(model, sampled, path), **view.key} for path in paths}
    found = {path: load_arrays("features", key) for path, key in keys.items()}

    kept = KeptViews(model)
    missing = tuple(path for path in paths if found[path] is None)

    def encode(rows: range) -> Float32:
        clouds = place_points(np.asarray(sampled.points[list(rows)]), sampled.up)
        if not view.number:
            return kept.encode(clouds, missing)
        # Of changed clouds, which nobody else asks for, only the arrays below are kept.
        names = sampled.names[rows.start : rows.stop]
        depth = model.depth_maps(view.change_clouds(clouds, names), view.draw_distances(names, len(model.views)))
        return encode_paths(model.backbone, depth, missing)

    if missing:
        features = _encode(model, len(sampled), encode, len(missing), progress)
        for number, path in enumerate(missing):
            found[path] = store_arrays("features", keys[path], {"features": features[:, number]})
        limit_cache()
    return tuple(arrays["features"] for arrays in found.values() if arrays is not None)


def _encode(
    model: Recogniser,
    shapes: int,
    encode: Callable[[range], Float32],
    paths: int,
    progress: Progress | None,
) -> Float32:
    """Features [N, P, V, D] of so many shapes by P paths, a few shapes at a time."""
    size = shapes_per_batch(len(model.views))
    starts: Iterable[int] = range(0, shapes, size)
    if progress is not None:
        starts = progress(starts, len(range(0, shapes, size)))
    rows = (range(start, min(start + size, shapes)) for start in starts)
    blocks = [encode(batch) for batch in rows]
    empty = np.empty((0, paths, len(model.views), model.backbone.dim), np.float32)
    return np.concatenate([empty, *blocks])
