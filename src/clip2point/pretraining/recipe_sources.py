"""Models of a recipe: rendered where needed, and split into those to train on and those to validate on."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import DataError
from clip2point.core.progress import Progress
from clip2point.data import Dataset
from clip2point.data.dataset import ArrayItems
from clip2point.data.pairs import PairSet
from clip2point.pretraining.captions import CaptionSettings, class_name
from clip2point.pretraining.pairs import PairSettings, open_source, write_pairs
from clip2point.pretraining.pairs.sources import absolute_spec
from clip2point.pretraining.recipe import HELD_OUT, DataSettings


def pair_folders(data: DataSettings, out: Path, base: Path, progress: Progress | None = None) -> list[Path]:
    """Return the folders with the pairs of a recipe; what is missing of ``data.sources`` is rendered first.

    Args:
        data: Training data of the recipe.
        out: Folder of the training; pairs go below ``pairs`` in it.
        base: Folder that relative paths of sources count from.
        progress: Wrapper of an iterable of a known length that shows the progress of rendering.

    Raises:
        OptionError: If there is no such source, or the folder holds pairs of another one.
        DataError: If a source is damaged or cannot be downloaded.
    """
    if data.pairs:
        return [Path(folder).expanduser() for folder in data.pairs]
    folders = []
    for wanted in data.sources:
        source = open_source(absolute_spec(wanted.source, base), seed=wanted.seed)
        settings = PairSettings(seed=wanted.seed)
        folder = write_pairs(source, out / "pairs" / wanted.name, settings, progress=progress)
        if folder.failures:
            listed = "".join(f"\n  {error}" for _, error in folder.failures)
            count = f"{len(folder.failures):,} of {len(source.models):,}"
            warnings.warn(f"{wanted.name}: {count} models could not be rendered:{listed}", stacklevel=2)
        folders.append(folder.path)
    return folders


def make_validation_dataset(folders: Sequence[Path], patterns: Sequence[str], captions: CaptionSettings) -> Dataset:
    """Return the models that a training leaves out, as a data set with their names for classes.

    Args:
        folders: Folders with pairs.
        patterns: Patterns of the models that are left out, see ``PairSet``.
        captions: Captions of the recipe; each group of synonyms is one class.

    Raises:
        DataError: If none is left out.
    """
    if not patterns:
        raise DataError("validation.dataset is held-out, but data.without is empty: expected patterns of models")
    pairs = PairSet(folders, only=patterns)
    names = [class_name(info.captions[0], captions) for info in pairs.infos]
    classes, labels = np.unique(names, return_inverse=True)

    @cache
    def clouds() -> NDArray[np.float32]:
        return np.stack([pairs.points(model) for model in range(len(pairs))])

    return Dataset(
        name=HELD_OUT,
        split="validation",
        classes=tuple(classes.tolist()),
        up="y",
        labels=labels.astype(np.int64),
        names=tuple(f"{info.source}/{info.key}" for info in pairs.infos),
        items=ArrayItems(clouds, np.arange(len(pairs)), str(pairs.fingerprint())),
        note=f"models left out of the training: {', '.join(patterns)}",
    )
