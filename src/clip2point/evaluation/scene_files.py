"""Scenes with true instances: NPZ files with points, instances, and perhaps labels and an up-axis."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import DataError, OptionError, ShapeError
from clip2point.shapes import Shape, check_up, load_shape
from clip2point.shapes.guards import expansion_limit, read_file, read_member


@dataclass(frozen=True, eq=False)
class TrueScene:
    """A scan and what is on it.

    Attributes:
        shape: Cloud, with its declared up-axis.
        instances: Number of the object of each point, [N] from 0; -1 for none.
        names: Class name of each object, or None where the file has none.
    """

    shape: Shape
    instances: NDArray[np.int64]
    names: tuple[str, ...] | None


def list_scenes(name: str) -> list[Path]:
    """Return the NPZ files that a data set names.

    Args:
        name: File or folder, also with "npz:" or "folder:" before it.

    Raises:
        DataError: If there are none.
    """
    path = Path(name.removeprefix("npz:").removeprefix("folder:"))
    found = sorted(path.rglob("*.npz")) if path.is_dir() else [path]
    if not found or not found[0].exists():
        raise DataError(f"{path}: no .npz files: expected scenes with the arrays points and instances; check the path")
    return found


def read_scene(path: Path, up: str | None = None) -> TrueScene:
    """Read a scene.

    Arrays: ``points`` [N, 3]; ``instances`` [N] integers, 0 and less for none; optional ``labels``, texts, one for
    each point or one for each number from 0; optional ``up``, a text.

    Args:
        path: NPZ file.
        up: Axis that points up, instead of the file's.

    Raises:
        DataError: If an array is missing or does not fit.
    """
    try:
        arrays = _read_arrays(path, ("instances", "labels", "up"))
        declared = str(arrays["up"]) if "up" in arrays else "auto"
        shape = load_shape(path, up=check_up(up or declared, auto=True))
    except (ShapeError, OptionError, ValueError, OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: is no scene ({error}): expected an NPZ file with points and instances") from None
    numbers = arrays.get("instances")
    points = len(shape.points) if shape.kept is None else len(shape.kept)
    if numbers is None or numbers.shape != (points,) or numbers.dtype.kind not in "iu":
        raise DataError(f"{path}: expected an array 'instances' of {points:,} integers, one for each point")
    numbers = np.asarray(numbers if shape.kept is None else numbers[shape.kept], dtype=np.int64)
    found, inverse = np.unique(numbers, return_inverse=True)
    objects = found[found > 0]
    instances = np.searchsorted(objects, found)[inverse.ravel()]
    instances[numbers <= 0] = -1
    return TrueScene(shape, instances, _find_names(path, arrays.get("labels"), numbers, objects, shape.kept))


def _read_arrays(path: Path, names: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    data = read_file(path)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        there = [name for name in names if f"{name}.npy" in archive.namelist()]
        members = {name: read_member(archive, f"{name}.npy", expansion_limit(len(data))) for name in there}
    return {name: np.load(io.BytesIO(member), allow_pickle=False) for name, member in members.items()}


def _find_names(
    path: Path,
    labels: NDArray[Any] | None,
    numbers: NDArray[np.int64],
    objects: NDArray[np.int64],
    kept: NDArray[np.bool_] | None,
) -> tuple[str, ...] | None:
    """Return the class name of each object."""
    if labels is None:
        return None
    if labels.dtype.kind != "U" or labels.ndim != 1:
        raise DataError(f"{path}: expected 'labels' as texts, one for each point or for each number from 0")
    if len(labels) == (len(numbers) if kept is None else len(kept)):
        own = labels if kept is None else labels[kept]
        return tuple(str(own[np.argmax(numbers == number)]) for number in objects)
    if len(objects) and len(labels) <= int(objects[-1]):
        raise DataError(f"{path}: has {len(labels)} labels and an instance {objects[-1]}: expected a label for each")
    return tuple(str(labels[number]) for number in objects)
