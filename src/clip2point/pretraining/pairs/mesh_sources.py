"""The sources that are built in: ShapeNetCore.v2, folders of meshes, and generated shapes."""

from __future__ import annotations

import os
import warnings
from functools import partial
from pathlib import Path

from clip2point.core.class_names import SHAPENET55
from clip2point.core.errors import DataError, OptionError, ShapeError
from clip2point.data.pairs import PairInfo, make_keys
from clip2point.pretraining.pairs.source_model import SourceModel, SourceRequest, name_to_words
from clip2point.shapes import Shape, find_shapes, load_shape
from clip2point.shapes.format_registry import file_extension

SHAPENET, FOLDER, SAMPLES = "shapenetcore.v2", "folder", "samples"

_SHAPENET_MESH = Path("models", "model_normalized.obj")
_SHAPENET_LICENCE = "ShapeNet terms of use: non-commercial research and education"
#: Seeds of generated models are this far apart for one seed of the user and the next.
_MAX_PER_STYLE = 1_000_000
#: Endings of files that hold clouds, never meshes.
_CLOUDS = frozenset(
    (".npy", ".xyz", ".pts", ".asc", ".ptx", ".txt", ".csv", ".pcd", ".las", ".laz", ".bin", ".dat", ".pkl", ".e57")
)
#: Folder names that say nothing about what is in them.
_NO_CATEGORY = frozenset(("train", "test", "val", "validation", "all", "models", "meshes", "mesh"))


def list_shapenet(request: SourceRequest) -> list[SourceModel]:
    """List the models of ShapeNetCore.v2 that have a mesh: a few of its folders have none."""
    root = Path(request.text).expanduser()
    return [
        _describe_shapenet(root, synset, folder)
        for synset in sorted(SHAPENET55)
        if (root / synset).is_dir()
        for folder in sorted(entry.name for entry in os.scandir(root / synset))
        if (root / synset / folder / _SHAPENET_MESH).is_file()
    ]


def _describe_shapenet(root: Path, synset: str, folder: str) -> SourceModel:
    info = PairInfo(
        key=make_keys([f"{synset}-{folder}"])[0],
        captions=(SHAPENET55[synset],),
        category=SHAPENET55[synset],
        licence=_SHAPENET_LICENCE,
        creator="",
        source=SHAPENET,
    )
    return SourceModel(info, partial(open_file, root / synset / folder / _SHAPENET_MESH, "y"))


def list_meshes(request: SourceRequest) -> list[SourceModel]:
    """List the models of a folder; each is captioned by the folder that it lies in, or else by its own name.

    Raises:
        OptionError: If there is no such folder.
        DataError: If it has no meshes.
    """
    root = Path(request.text).expanduser()
    if not root.is_dir():
        raise OptionError(f"{root}: is no folder: expected one with meshes; check the path")
    try:
        paths = [path.relative_to(root) for path in find_shapes(root)]
    except ShapeError as error:
        raise DataError(str(error)) from None
    clouds = [path for path in paths if file_extension(path) in _CLOUDS]
    if clouds and len(clouds) == len(paths):
        raise DataError(
            f"{root}: has clouds alone, such as {clouds[0]}, which have no surface to be rendered: expected meshes"
        )
    if clouds:
        warnings.warn(f"{root}: {len(clouds):,} clouds have no surface to be rendered: they are left out", stacklevel=2)
    paths = [path for path in paths if file_extension(path) not in _CLOUDS]
    keys = make_keys([path.as_posix().removesuffix("".join(path.suffixes[-1:])) for path in paths])
    return [_describe_mesh(root, path, key, request.up) for path, key in zip(paths, keys, strict=True)]


def _describe_mesh(root: Path, path: Path, key: str, up: str) -> SourceModel:
    name = name_to_words(path.name.partition(".")[0])
    folders = [folder for folder in reversed(path.parts[:-1]) if folder.lower() not in _NO_CATEGORY]
    category = name_to_words(folders[0]) if folders else name
    info = PairInfo(
        key=key,
        captions=tuple(dict.fromkeys([category, name])),
        category=category,
        licence="",
        creator="",
        source=f"folder:{root.resolve().name}",
    )
    return SourceModel(info, partial(open_file, root / path, up))


def list_samples(request: SourceRequest) -> list[SourceModel]:
    """List shapes that clip2point-shapes draws, as many of each style as the request says.

    Raises:
        OptionError: If the number is odd, or the generators are not installed.
    """
    count = request.text
    if not count.isdecimal() or not 1 <= int(count) <= _MAX_PER_STYLE:
        raise OptionError(f"samples:{count}: expected samples:N with N from 1 to {_MAX_PER_STYLE:,} shapes of a style")
    try:
        from clip2point_shapes import list_classes, list_styles
    except ImportError:
        raise OptionError(
            f"samples:{count}: the shape generators are not installed: run 'pip install clip2point-shapes'"
        ) from None
    first = request.seed * _MAX_PER_STYLE
    return [
        _describe_sample(name, style, number)
        for name in list_classes()
        for style in list_styles(name)
        for number in range(first, first + int(count))
    ]


def _describe_sample(name: str, style: str, number: int) -> SourceModel:
    words = name_to_words(name)
    info = PairInfo(
        key=f"{name}-{style}-{number:06d}",
        captions=(words, f"{name_to_words(style)} {words}"),
        category=words,
        licence="Apache-2.0",
        creator="clip2point",
        source=SAMPLES,
    )
    return SourceModel(info, partial(_generate, name, style, number))


def open_file(path: Path, up: str) -> Shape:
    """Read a mesh and turn it y-up; where neither ``up`` nor its format says, it is taken to stand upright."""
    shape = load_shape(path, up=up)
    return shape.with_up("y" if shape.up == "auto" else shape.up).upright()


def _generate(name: str, style: str, seed: int) -> Shape:
    from clip2point_shapes import generate

    mesh = generate(name, style, seed)
    return Shape(mesh.vertices, mesh, f"{name}/{style}")
