"""The sources of models that this package adds to clip2point: furniture catalogues and manifests of packages.

An installed package is found by its entry points; a program that runs without an installation calls ``register``.
"""

from __future__ import annotations

from pathlib import Path

from clip2point.core.errors import OptionError
from clip2point.pretraining.pairs import SourceModel, SourceRequest, register_source
from pocket_recipe.catalogues import find_catalogues, read_catalogues
from pocket_recipe.manifest import read_manifest


def list_catalogues(request: SourceRequest) -> list[SourceModel]:
    """List the models of ``sweethome3d:PATH``: a .sh3f or .jar file, or a folder with some or with an unpacked one.

    Raises:
        OptionError: If there is nothing at the path.
        DataError: If a catalogue is damaged.
    """
    path = Path(request.text).expanduser()
    if not path.exists():
        raise OptionError(f"{path}: is not there: expected a furniture catalogue or a folder with some; check the path")
    return read_catalogues(find_catalogues(path) if path.is_dir() else [path])


def list_manifest(request: SourceRequest) -> list[SourceModel]:
    """List the models of ``manifest:FILE``, or of ``manifest:FILE#PACKAGE``, one of its packages.

    Raises:
        OptionError: If the file cannot be read, or has no such package.
        DataError: If it is damaged, or a package cannot be loaded or lacks a model.
        CacheError: If there is no room for a package.
    """
    file, _, package = request.text.partition("#")
    return read_manifest(Path(file).expanduser(), package)


def register() -> None:
    """Add both sources to clip2point for the rest of this process."""
    register_source("sweethome3d", list_catalogues)
    register_source("manifest", list_manifest)
