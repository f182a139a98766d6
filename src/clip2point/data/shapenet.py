"""ShapeNet-55: clouds of ShapeNetCore with train and test lists, and the meshes that they were drawn from."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from clip2point.core.class_names import SHAPENET55
from clip2point.core.errors import DataError
from clip2point.data.dataset import Dataset, FileItems
from clip2point.data.layouts import Origin, find_root, read_list

#: Models in the train and test lists together once the ten that the public code leaves out are gone.
SIZE = 52_460

_LINE = re.compile(r"(?P<synset>\d{8})-(?P<model>[\w.-]*?)(\.npy)?")  # a few ids are empty or begin with a hyphen
_ORIGIN = Origin(
    "ShapeNet-55",
    "shapenet_pc/SYNSET-MODEL.npy beside train.txt and test.txt (or these in ShapeNet-55/)",
    "the data notes of the Point-BERT repository (clouds and lists) and, for the meshes of ShapeNetCore.v2, "
    "shapenet.org after registration",
    "For non-commercial research and education",
)


def open_shapenet55(name: str, root: Path | None, split: str) -> Dataset:
    """Open ShapeNet-55, official split "train" or "test"; y-up, 8,192 points.

    Model ids in ``excluded.txt`` beside the lists, one per line, are left out.

    Raises:
        DataError: If it is missing or broken.
    """
    folder = find_root(_ORIGIN, root, ("ShapeNet55-34", "ShapeNet55"), lambda path: (path / "shapenet_pc").is_dir())
    lists = folder if (folder / f"{split}.txt").is_file() else folder / "ShapeNet-55"
    parts = {part: _read_models(lists / f"{part}.txt") for part in ("train", "test")}
    excluded = _read_excluded(lists / "excluded.txt", parts)
    kept = {part: [found for found in models if found[1] not in excluded] for part, models in parts.items()}
    odd = _check_size(sum(map(len, kept.values())), len(excluded), lists)
    synsets = list(SHAPENET55)
    labels = np.array([synsets.index(synset) for synset, _ in kept[split]], dtype=np.int64)
    names = tuple(f"{synset}-{model}" for synset, model in kept[split])
    items = FileItems.of([folder / "shapenet_pc" / f"{item}.npy" for item in names])
    return Dataset(name, split, tuple(SHAPENET55.values()), "y", labels, names, items, _ORIGIN.note(odd))


def list_models(folder: Path, splits: Sequence[str] = ("train", "test")) -> list[tuple[str, str]]:
    """Return synset and id of the models in the lists of a folder of ShapeNet-55, without those of excluded.txt.

    Raises:
        DataError: If a list is missing or names something else.
    """
    lists = folder if (folder / f"{splits[0]}.txt").is_file() else folder / "ShapeNet-55"
    parts = {part: _read_models(lists / f"{part}.txt") for part in splits}
    excluded = _read_excluded(lists / "excluded.txt", parts, all_parts=len(splits) > 1)
    return [found for models in parts.values() for found in models if found[1] not in excluded]


def shapenet_mesh(root: Path, name: str) -> Path | None:
    """Find the mesh that a cloud of ShapeNet-55 was drawn from.

    Args:
        root: Folder with ``ShapeNetCore.v2`` in it, as for ``clip2point.data.open_dataset``, or that folder itself.
        name: Name of the shape in the data set, SYNSET-MODEL.

    Returns:
        Path ``SYNSET/MODEL/models/model_normalized.obj`` below ShapeNetCore.v2, or None if there is none.

    Raises:
        DataError: If the name is not of that kind.
    """
    match = _LINE.fullmatch(name)
    if match is None:
        raise DataError(f"{name!r} is no shape of ShapeNet-55: expected SYNSET-MODEL")
    inside = Path(match["synset"], match["model"], "models", "model_normalized.obj")
    candidates = (Path(root).expanduser() / "ShapeNetCore.v2" / inside, Path(root).expanduser() / inside)
    return next((path for path in candidates if path.is_file()), None)


def _read_models(path: Path) -> list[tuple[str, str]]:
    """Return synset and model id of each line of a list."""
    models = []
    for line in read_list(path, _ORIGIN):
        match = _LINE.fullmatch(line)
        if match is None or match["synset"] not in SHAPENET55:
            raise DataError(f"{path}: names {line!r}: expected SYNSET-MODEL.npy with one of {len(SHAPENET55)} synsets")
        models.append((match["synset"], match["model"]))
    return models


def _read_excluded(path: Path, parts: dict[str, list[tuple[str, str]]], *, all_parts: bool = True) -> set[str]:
    """Return model ids to leave out; each must be in one of the lists, if these are all."""
    if not path.exists():
        return set()
    excluded = set(read_list(path, _ORIGIN))
    models = {model: synset for part in parts.values() for synset, model in part}
    # The public code writes SYNSET-MODEL and cuts the model off at its first hyphen.
    short = {f"{synset}-{model.partition('-')[0]}": model for model, synset in models.items()}
    excluded = {short.get(name, name) if name not in models else name for name in excluded}
    unknown = sorted(excluded - set(models))
    if unknown and all_parts:
        raise DataError(f"{path}: names {unknown[0]!r}: expected model ids of train.txt or test.txt, one per line")
    return excluded


def _check_size(size: int, excluded: int, lists: Path) -> str:
    """Warn if these are not the paper's models."""
    if size == SIZE:
        return ""
    odd = (
        f"ShapeNet-55: train and test have {size:,} models here, {excluded} of {lists / 'excluded.txt'} left out; the "
        f"paper has {SIZE:,}, having left out ten: figures are not comparable with published ones"
    )
    warnings.warn(odd, stacklevel=2)
    return odd
