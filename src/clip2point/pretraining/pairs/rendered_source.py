"""ShapeNet-55 with the pictures that the public code rendered of it: pairs without one mesh being opened."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clip2point.core.class_names import SHAPENET55
from clip2point.core.errors import DataError, OptionError, ShapeError, reason
from clip2point.data.folder_names import find_split
from clip2point.data.pairs import PairInfo, make_keys
from clip2point.data.shapenet import list_models
from clip2point.pretraining.pairs.source_model import SourceModel, SourceRequest
from clip2point.shapes import load_shape

RENDERED = "shapenet55-rendered"

_CLOUDS, _PICTURES = "shapenet_pc", "rendering"
#: Usual folders of the clouds below the one that is given.
_FOLDERS = ("", "ShapeNet55", "ShapeNet55-34")
_VIEWS, _SIDE = 10, 224
_LICENCE = "ShapeNet terms of use: non-commercial research and education"
_LAYOUT = f"ShapeNet55/{_CLOUDS}/SYNSET-MODEL.npy with its lists, and {_PICTURES}/SYNSET_MODEL/0.png to 9.png beside"


def find_clouds(path: Path) -> Path | None:
    """Return the folder of ShapeNet-55's clouds, the given one or one below it, or None if there is none."""
    return next((path / name for name in _FOLDERS if (path / name / _CLOUDS).is_dir()), None)


def list_rendered(request: SourceRequest) -> list[SourceModel]:
    """List the models of train.txt and test.txt, or behind "#train" those of one list, that have cloud and pictures.

    Raises:
        OptionError: If there is no such folder or list.
        DataError: If there are no clouds, or no pictures.
    """
    text, _, part = request.text.partition("#")
    root = Path(text).expanduser()
    if not root.is_dir():
        raise OptionError(f"{root}: is no folder: expected {_LAYOUT}; check the path")
    split = find_split(part) if part else None
    if part and split not in ("train", "test"):
        raise OptionError(f"{RENDERED}:{request.text}: expected #train or #test behind the folder, or nothing")
    folder = find_clouds(root)
    if folder is None:
        raise DataError(f"{root}: has no {_CLOUDS}: expected {_LAYOUT}")
    pictures = _find_pictures(root, folder)
    models = list_models(folder, (split,) if split else ("train", "test"))
    clouds, rendered = _list_names(folder / _CLOUDS), _list_names(pictures)
    whole = [
        (synset, model)
        for synset, model in models
        if f"{synset}-{model}.npy" in clouds and f"{synset}_{model}" in rendered
    ]
    if lacking := len(models) - len(whole):
        said = f"{pictures}: {lacking:,} of {len(models):,} models of the lists have no pictures there, or no cloud"
        if not whole:
            raise DataError(f"{said}: expected {_LAYOUT}")
        warnings.warn(f"{said}: they are left out", stacklevel=2)
    keys = make_keys([f"{synset}-{model}" for synset, model in whole])
    return [
        SourceModel(
            PairInfo(key, (SHAPENET55[synset],), SHAPENET55[synset], _LICENCE, "", RENDERED),
            partial(load_shape, folder / _CLOUDS / f"{synset}-{model}.npy", up="y"),
            partial(read_pictures, pictures / f"{synset}_{model}"),
        )
        for key, (synset, model) in zip(keys, whole, strict=True)
    ]


def read_pictures(folder: Path) -> Iterator[NDArray[np.uint8]]:
    """Read the pictures of a model's ten views, [224, 224, 3] uint8 each; what is transparent is white.

    Raises:
        ShapeError: If one is missing, broken, or of another size.
    """
    from PIL import Image

    for view in range(_VIEWS):
        path = folder / f"{view}.png"
        try:
            with Image.open(path, formats=("PNG",)) as image:
                if image.size != (_SIDE, _SIDE):
                    raise ShapeError(f"{path}: has {image.size[0]} x {image.size[1]} pixels: expected 224 x 224")
                color = image.convert("RGBA")
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise ShapeError(f"{path}: cannot be read ({reason(error)[:80]}): expected a PNG picture") from None
        white = Image.new("RGBA", color.size, "white")
        yield np.asarray(Image.alpha_composite(white, color).convert("RGB"))


def _find_pictures(root: Path, folder: Path) -> Path:
    """Return the folder of the pictures, in or beside that of the clouds."""
    places = dict.fromkeys(place / _PICTURES for place in (root, folder, folder.parent))
    found = next((path for path in places if path.is_dir()), None)
    if found is None:
        raise DataError(
            f"{folder}: has clouds, which have no surface to be rendered, and no pictures of them in {_PICTURES}: "
            f"expected {_LAYOUT}; give ShapeNetCore.v2 to have its meshes rendered"
        )
    return found


def _list_names(folder: Path) -> set[str]:
    with os.scandir(folder) as entries:
        return {entry.name for entry in entries}
