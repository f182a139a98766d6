"""Manifests: YAML files that say which meshes of which packages to take, what they show, and under which licence.

    packages:
      NAME:
        version: 1.0-1                 # of the Debian package
        path: pool/main/...            # below the root of Debian's archive
        size: 1234                     # of the .deb file, in bytes
        sha256: ...
        licence: CC0-1.0               # SPDX
        stated: usr/share/doc/...      # where the package says so
        creator: ...
        root: usr/share/...            # the folder of the package that the models lie in
        up: y                          # up-axis of the files (default: y)
        front: -x                      # where their fronts point once they stand upright (default: -z)
        models:                        # path below root: what it is, the plain name first
          jets/747.ac: [airplane, airliner]
          sofa.obj: {captions: [sofa], up: z, front: x, licence: MIT, creator: ...}

Instead of ``models`` and what describes them, ``catalogue: true`` takes all models of the Sweet Home 3D catalogues in
``root``, which have captions, licences and axes of their own; ``without`` leaves out those whose keys match one of a
list of patterns.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from clip2point.core.errors import DataError, OptionError
from clip2point.core.yaml_files import describe_value, parse_yaml
from clip2point.data.pairs import PairInfo, make_keys
from clip2point.pretraining.pairs import SourceModel
from clip2point.shapes import Shape, load_shape
from clip2point.shapes.orientation import UP_AXES
from pocket_recipe.catalogues import find_catalogues, read_catalogues
from pocket_recipe.debian import Package, unpack_package

_PACKAGE = {"version": str, "path": str, "size": int, "sha256": str, "licence": str, "stated": str, "creator": str}
_MODELS = {"root": str, "up": str, "front": str, "models": dict, "catalogue": bool, "without": list}
_MODEL = {"captions": list, "up": str, "front": str, "licence": str, "creator": str}
_KINDS = {
    str: "text, in quotes if need be",
    int: "an integer",
    bool: "true or false",
    dict: "a mapping",
    list: "a list",
}
_REQUIRED = ("version", "path", "size", "sha256", "stated", "root")

#: Rotations about y that turn each front to -z, where ShapeNet and the samples have theirs.
_TO_FRONT = {
    "-z": np.eye(3),
    "z": np.diag([-1.0, 1.0, -1.0]),
    "x": np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]]),
    "-x": np.array([[0.0, 0.0, -1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]),
}


def read_manifest(path: Path, package: str = "") -> list[SourceModel]:
    """List the models of a manifest; packages that are not in the cache yet are downloaded.

    Args:
        path: Path of the manifest.
        package: The one of its packages to take, or "" for all.

    Returns:
        Models whose ``source`` is the name of their package.

    Raises:
        OptionError: If it has no such package.
        DataError: If it is damaged, or a package cannot be loaded or lacks a model.
    """
    packages = _parse_packages(path)
    if package and package not in packages:
        raise OptionError(f"{path}: has no package {package!r}: expected one of {', '.join(packages)}")
    found: list[SourceModel] = []
    for name, entry in packages.items():
        if package in ("", name):
            found += _read_package(name, entry, f"{path}: {name}")
    keys = make_keys([f"{model.info.source}-{model.key}" for model in found])
    return [model.with_info(key=key) for key, model in zip(keys, found, strict=True)]


def _parse_packages(path: Path) -> dict[str, dict[str, Any]]:
    content = parse_yaml(path, "a manifest")
    packages = content.get("packages") if isinstance(content, dict) else None
    if not isinstance(packages, dict) or not packages:
        raise DataError(f"{path}: is no manifest: expected 'packages:' with one entry or more")
    for name, entry in packages.items():
        _check(entry, _PACKAGE | _MODELS, f"{path}: {name}")
        _check_package(str(name), entry, f"{path}: {name}")
    return packages


def _check(entry: Any, kinds: Mapping[str, type], where: str) -> None:
    if not isinstance(entry, dict):
        raise DataError(f"{where}: expected a mapping with some of {', '.join(kinds)}")
    for key, value in entry.items():
        kind = kinds.get(key)
        if kind is None:
            raise DataError(f"{where}: has an unexpected key {key!r}: expected some of {', '.join(kinds)}")
        if type(value) is not kind:
            raise DataError(f"{where}: {key} is {describe_value(value)}: expected {_KINDS[kind]}")
    for key, axes in (("up", UP_AXES), ("front", tuple(_TO_FRONT))):
        if entry.get(key, axes[0]) not in axes:
            raise DataError(f"{where}: {key} is {entry[key]!r}: expected one of {', '.join(axes)}")


def _check_package(name: str, entry: dict[str, Any], where: str) -> None:
    if ("models" in entry) == bool(entry.get("catalogue")):
        raise DataError(f"{where}: expected either models or catalogue: true")
    required = (*_REQUIRED, "licence") if "models" in entry else _REQUIRED
    missing = [key for key in required if not entry.get(key)]
    if missing:
        raise DataError(f"{where}: lacks {', '.join(missing)}")
    if not re.fullmatch(r"[a-z0-9][a-z0-9+.-]*", name) or not re.fullmatch(r"[0-9a-f]{64}", entry["sha256"]):
        raise DataError(f"{where}: expected the name of a Debian package, and a sha256 of 64 digits")
    if not re.fullmatch(r"(?!.*\.\.)pool/[\w/+.~-]+\.deb", entry["path"]):
        raise DataError(f"{where}: path is {entry['path']!r}: expected pool/.../NAME.deb")


def _read_package(name: str, entry: dict[str, Any], where: str) -> list[SourceModel]:
    package = Package(name, *(entry[key] for key in ("version", "path", "size", "sha256")))
    folder = unpack_package(package, entry["root"])
    if entry.get("catalogue"):
        unwanted = [str(pattern) for pattern in entry.get("without", [])]
        return [
            model.with_info(source=name)
            for model in read_catalogues(find_catalogues(folder))
            if not any(fnmatchcase(model.key, pattern) for pattern in unwanted)
        ]
    return [_describe_model(name, folder, path, entry, said, where) for path, said in entry["models"].items()]


def _describe_model(name: str, folder: Path, path: Any, entry: dict[str, Any], said: Any, where: str) -> SourceModel:
    where = f"{where}: {path}"
    if not isinstance(path, str):
        raise DataError(f"{where}: expected the path of a model; put it in quotes")
    own = {"captions": said} if isinstance(said, list) else said
    _check(own, _MODEL, where)
    captions = own.get("captions", [])
    if not captions or not all(isinstance(caption, str) and caption for caption in captions):
        raise DataError(f"{where}: expected a list of captions, the plain name first")
    outside = ".." in PurePosixPath(path).parts or not (folder / path).is_relative_to(folder)  # as an absolute path is
    if outside or not (folder / path).is_file():
        raise DataError(f"{where}: the package has no such file in {entry['root']}")
    entry = {"up": "y", "front": "-z", "creator": "", **entry, **own}
    info = PairInfo(
        key=str(PurePosixPath(path).with_suffix("")),
        captions=tuple(dict.fromkeys(captions)),
        category=captions[0],
        licence=entry["licence"],
        creator=entry["creator"],
        source=name,
    )
    return SourceModel(info, partial(open_model, folder / path, entry["up"], entry["front"]))


def open_model(path: Path, up: str, front: str) -> Shape:
    """Read a mesh and turn it.

    Args:
        path: Path of the file.
        up: Up-axis of the file.
        front: The axis, one of x, -x, z, -z, that its front points to once it stands upright.

    Returns:
        The shape, y-up, front towards -z.

    Raises:
        ShapeError: If it cannot be read.
    """
    return load_shape(path, up=up).upright().rotate(_TO_FRONT[front])
