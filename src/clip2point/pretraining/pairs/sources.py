"""Sources of models: ShapeNetCore.v2, folders of meshes, generated shapes, and what other packages add."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from clip2point.core.errors import DataError, OptionError, ShapeError
from clip2point.data.pairs import PairInfo, make_keys
from clip2point.data.shapenet import CATEGORIES
from clip2point.pretraining.pairs.catalogues import ARCHIVES, find_catalogues, read_catalogues
from clip2point.pretraining.pairs.manifest import MANIFESTS, read_manifest
from clip2point.pretraining.pairs.source_model import SourceModel, name_to_words
from clip2point.shapes import Shape, check_up, find_shapes, load_shape

SHAPENET, CATALOGUES, FOLDER, SAMPLES = "shapenetcore.v2", "sweethome3d", "folder", "samples"
MANIFEST = "manifest"

_SHAPENET_MESH = Path("models", "model_normalized.obj")
_SHAPENET_LICENCE = "ShapeNet terms of use: non-commercial research and education"
#: Seeds of generated models are this far apart for one seed of the user and the next.
_MAX_PER_STYLE = 1_000_000
#: Folder names that say nothing about what is in them.
_NO_CATEGORY = frozenset(("train", "test", "val", "validation", "all", "models", "meshes", "mesh"))
_EXPECTED = (
    "a folder of ShapeNetCore.v2, furniture catalogues (.sh3f, .jar) or meshes, a manifest (.yaml), "
    "or samples:PER_STYLE"
)


@dataclass(frozen=True)
class Source:
    """Models to make pairs of.

    Attributes:
        kind: Kind of the source: SHAPENET, FOLDER, SAMPLES, or one that another package adds.
        models: Models, sorted by key.
        up: Up-axis that its meshes were read with; "auto" goes by the file format and takes y where that does
            not say.
        excluded: Number of models that were left out as asked for.
    """

    kind: str
    models: tuple[SourceModel, ...]
    up: str = "y"
    excluded: int = 0


def open_source(
    spec: str, *, up: str | None = None, excluded: Collection[str] = (), seed: int = 0, limit: int | None = None
) -> Source:
    """List the models of a source; none of them is opened.

    Args:
        spec: A folder of ShapeNetCore.v2 (``SYNSET/MODEL/models/model_normalized.obj``); a .sh3f or .jar file, or a
            folder with some below it or with an unpacked one; a manifest (see ``read_manifest``),
            ``PATH.yaml#PACKAGE`` for one of its packages; any other folder of meshes, ``folder:PATH`` to have
            any folder read as such; or ``samples:N``, N shapes of each style of ``clip2point-shapes``.
        up: Up-axis of a folder of meshes; the other sources know theirs.
        excluded: Keys of models to leave out; of ShapeNetCore.v2 the model ids will do.
        seed: Seed of generated models.
        limit: Largest number of models, spread evenly over their order.

    Raises:
        OptionError: If there is no such source or an argument does not fit it.
        DataError: If it is damaged or has no models, or if what a manifest names cannot be downloaded.
        CacheError: If there is no room for what a manifest names.
    """
    if seed < 0:
        raise OptionError(f"seed {seed} is negative: expected 0 or more")
    kind, models = _find(spec, check_up(up or "auto", auto=True), seed)
    if up is not None and kind != FOLDER:
        raise OptionError(f"an up-axis ({up}) is given, but models of {kind} have their own; only folders take one")
    if not models:
        raise DataError(f"{spec}: has no models: expected {_EXPECTED}")
    unwanted = set(excluded)
    kept = [model for model in models if not unwanted & {model.key, model.key.partition("-")[2]}]
    if not kept:
        raise DataError(f"{spec}: all {len(models)} models are excluded; shorten the list")
    kept.sort(key=lambda model: model.key)
    count = min(limit or len(kept), len(kept))
    chosen = tuple(kept[number * len(kept) // count] for number in range(count))
    return Source(kind, chosen, up or "auto" if kind == FOLDER else "y", len(models) - len(kept))


def absolute_spec(spec: str, base: Path | None = None) -> str:
    """The spec of a source for a process that runs elsewhere: what is a path in it becomes absolute.

    Args:
        spec: Name of a source, see ``open_source``.
        base: Folder that relative paths count from; the working directory if not given.

    Returns:
        ``spec`` itself if there is no such path.
    """
    prefix = "folder:" if spec.startswith("folder:") else ""
    file, mark, package = spec.removeprefix(prefix), "", ""
    if not prefix and file.partition("#")[0].lower().endswith(MANIFESTS):
        file, mark, package = file.partition("#")
    path = (base or Path()) / Path(file).expanduser()
    return f"{prefix}{path.absolute()}{mark}{package}" if path.exists() else spec


def _find(spec: str, up: str, seed: int) -> tuple[str, list[SourceModel]]:
    prefix, _, rest = spec.partition(":")
    if prefix == "samples":
        return SAMPLES, list(_samples(rest, seed))
    file, _, package = spec.partition("#")
    if file.lower().endswith(MANIFESTS) and prefix != "folder":
        return MANIFEST, read_manifest(Path(file).expanduser(), package)
    path = Path(rest if prefix == "folder" else spec).expanduser()
    if path.is_file() and path.suffix.lower() in ARCHIVES and prefix != "folder":
        return CATALOGUES, read_catalogues([path])
    if not path.is_dir():
        raise OptionError(f"{path}: {'is no source' if path.exists() else 'no such source'}: expected {_EXPECTED}")
    if prefix == "folder":
        return FOLDER, _meshes(path, up)
    if models := list(_shapenet(path)):
        return SHAPENET, models
    if catalogues := find_catalogues(path):
        return CATALOGUES, read_catalogues(catalogues)
    return FOLDER, _meshes(path, up)


def _shapenet(root: Path) -> Iterator[SourceModel]:
    """Models of ShapeNetCore.v2 that have a mesh: a few of its folders have none."""
    for synset in sorted(CATEGORIES):
        if not (root / synset).is_dir():
            continue
        for folder in sorted(entry.name for entry in os.scandir(root / synset)):
            path = root / synset / folder / _SHAPENET_MESH
            if path.is_file():
                info = PairInfo(
                    key=make_keys([f"{synset}-{folder}"])[0],
                    captions=(CATEGORIES[synset],),
                    category=CATEGORIES[synset],
                    licence=_SHAPENET_LICENCE,
                    creator="",
                    source=SHAPENET,
                )
                yield SourceModel(info, partial(_open_file, path, "y"))


def _meshes(root: Path, up: str) -> list[SourceModel]:
    """Models of a folder; each is captioned by the folder that it lies in, or else by its own name."""
    try:
        paths = [path.relative_to(root) for path in find_shapes(root)]
    except ShapeError as error:
        raise DataError(str(error)) from None
    keys = make_keys([path.as_posix().removesuffix("".join(path.suffixes[-1:])) for path in paths])
    return [_mesh(root, path, key, up) for path, key in zip(paths, keys, strict=True)]


def _mesh(root: Path, path: Path, key: str, up: str) -> SourceModel:
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
    return SourceModel(info, partial(_open_file, root / path, up))


def _samples(count: str, seed: int) -> Iterator[SourceModel]:
    if not count.isdecimal() or not 1 <= int(count) <= _MAX_PER_STYLE:
        raise OptionError(f"samples:{count}: expected samples:N with N from 1 to {_MAX_PER_STYLE:,} shapes of a style")
    try:
        from clip2point_shapes import list_classes, list_styles
    except ImportError:
        raise OptionError(
            f"samples:{count}: the shape generators are not installed: run 'pip install clip2point-shapes'"
        ) from None
    for name in list_classes():
        for style in list_styles(name):
            words = name_to_words(name)
            for number in range(seed * _MAX_PER_STYLE, seed * _MAX_PER_STYLE + int(count)):
                info = PairInfo(
                    key=f"{name}-{style}-{number:06d}",
                    captions=(words, f"{name_to_words(style)} {words}"),
                    category=words,
                    licence="Apache-2.0",
                    creator="clip2point",
                    source=SAMPLES,
                )
                yield SourceModel(info, partial(_generate, name, style, number))


def _open_file(path: Path, up: str) -> Shape:
    shape = load_shape(path, up=up)
    return shape.with_up("y" if shape.up == "auto" else shape.up).upright()


def _generate(name: str, style: str, seed: int) -> Shape:
    from clip2point_shapes import generate

    mesh = generate(name, style, seed)
    return Shape(mesh.vertices, mesh, f"{name}/{style}")
