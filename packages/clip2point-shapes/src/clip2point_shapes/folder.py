"""Folders of generated shapes: GLB files by class, or every style in mixed formats, kinds and up-axes."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path
from typing import Literal

import numpy as np

from clip2point.core.errors import OptionError
from clip2point.shapes.orientation import from_y_up
from clip2point.shapes.sampling import sample_points
from clip2point.shapes.shape import Mesh, Shape
from clip2point_shapes.catalogue import generate, list_classes, list_styles
from clip2point_shapes.export import write_cloud, write_mesh, write_text
from clip2point_shapes.scans import scan_one_side

Kind = Literal["mesh", "cloud", "scan"]

#: Kind, ending and up-axis of one file after the other. Eleven of them: a prime number, so that classes with the
#: same number of styles still meet all formats.
_PATTERN: tuple[tuple[Kind, str, str], ...] = (
    ("mesh", ".off", "z"),
    ("mesh", ".obj", "y"),
    ("cloud", ".ply", "y"),
    ("mesh", ".stl", "z"),
    ("mesh", ".glb", "y"),
    ("scan", ".ply", "y"),
    ("cloud", ".xyz", "y"),
    ("mesh", ".ply", "y"),
    ("cloud", ".pcd", "y"),
    ("cloud", ".npy", "y"),
    ("scan", ".npz", "y"),
)
_CLOUD_POINTS = 4096


#: Seeds of generated shapes are this far apart for one seed of the user and the next, as in ``clip2point pairs``.
_SEED_STEP = 1_000_000


@dataclass(frozen=True)
class ShapeFile:
    """One generated mesh on disk.

    Attributes:
        path: GLB file.
        label: Class.
        style: Style.
        seed: Seed, for ``generate(label, style, seed)``.
    """

    path: Path
    label: str
    style: str
    seed: int


@dataclass(frozen=True)
class SampleFile:
    """One file of a folder in mixed formats.

    Attributes:
        path: Mesh or point cloud.
        label: Class.
        style: Style.
        up: Axis of the coordinates that points up, one of ``UP_AXES``.
        kind: "mesh", "cloud" (points all over the surface) or "scan" (points seen from one side, with noise).
    """

    path: Path
    label: str
    style: str
    up: str
    kind: Kind


def write_shapes(
    folder: str | Path, *, count: int = 1, classes: Sequence[str] | None = None, seed: int = 0
) -> list[ShapeFile]:
    """Write meshes as ``CLASS/STYLE_CLASS_NUMBER.glb`` and their manifest ``shapes.tsv`` (file, label, style, seed).

    The styles of a class take turns. The shapes are those of ``clip2point pairs samples:N`` with the same seed.

    Args:
        folder: Target folder, created if missing; files of the same names are replaced.
        count: Number of shapes of each class, at least 1.
        classes: Class names, or None for all.
        seed: Seed of the shapes, 0 or more.

    Returns:
        The files, in the order of the manifest.

    Raises:
        OptionError: A class does not exist, a number is out of range or the folder cannot be written.

    Examples:
        >>> from tempfile import mkdtemp
        >>> [file.path.name for file in write_shapes(mkdtemp(), count=2, classes=["table"])]
        ['dining_table_000000.glb', 'pedestal_table_000000.glb']
    """
    if count < 1 or seed < 0:
        raise OptionError(f"count {count}, seed {seed}: expected count >= 1 and seed >= 0")
    styles = {name: list_styles(name) for name in (list_classes() if classes is None else classes)}
    files = []
    for name, known in styles.items():
        _make_folder(Path(folder) / name)
        for number in range(count):
            cycle, index = divmod(number, len(known))
            style, drawn = known[index], seed * _SEED_STEP + cycle
            files.append(ShapeFile(Path(folder) / name / f"{style}_{name}_{drawn:06d}.glb", name, style, drawn))
            write_mesh(generate(name, style, drawn), files[-1].path)
    _write_manifest(ShapeFile, files, Path(folder) / "shapes.tsv")
    return files


def write_samples(
    folder: str | Path, *, classes: Sequence[str] | None = None, per_style: int = 1, seed: int = 0
) -> list[SampleFile]:
    """Write shapes in mixed formats, kinds and up-axes, and their manifest ``samples.tsv``.

    The columns of the manifest are file, label, style, up and kind.

    Args:
        folder: Target folder, created if missing; files of the same names are replaced.
        classes: Class names, or None for all.
        per_style: Number of shapes of each style, at least 1.
        seed: Seed of the shapes, 0 or more.

    Returns:
        The files, in the order of the manifest.

    Raises:
        OptionError: A class does not exist, a number is out of range or the folder cannot be written.

    Examples:
        >>> from tempfile import mkdtemp
        >>> [(file.path.name, file.up) for file in write_samples(mkdtemp(), classes=["desk"])]
        [('desk_office.off', 'z'), ('desk_secretary.obj', 'y'), ('desk_corner.ply', 'y')]
    """
    if per_style < 1 or seed < 0:
        raise OptionError(f"per_style {per_style}, seed {seed}: expected per_style >= 1 and seed >= 0")
    names = list_classes() if classes is None else classes
    wanted = [(name, style, copy) for name in names for style in list_styles(name) for copy in range(per_style)]
    folder = _make_folder(Path(folder))
    files = []
    for number, (name, style, copy) in enumerate(wanted):
        kind, ending, up = _PATTERN[number % len(_PATTERN)]
        stem = f"{name}_{style}" + (f"_{copy + 1}" if per_style > 1 else "")
        sample = SampleFile(folder / (stem + ending), name, style, up, kind)
        _write(sample, generate(name, style, seed * per_style + copy), seed + number)
        files.append(sample)
    _write_manifest(SampleFile, files, folder / "samples.tsv")
    return files


def _make_folder(folder: Path) -> Path:
    """Create a folder where it is missing and return it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OptionError(f"{folder}: cannot make the folder ({error.strerror})") from error
    return folder


def _write_manifest(
    kind: type[ShapeFile | SampleFile], files: Sequence[ShapeFile] | Sequence[SampleFile], path: Path
) -> None:
    """Write a table of files. Its columns are separated by tabs: a .csv file would be read as a point cloud."""
    table = io.StringIO()
    writer = csv.writer(table, delimiter="\t", lineterminator="\n")
    writer.writerow(["file", *(field.name for field in fields(kind)[1:])])
    writer.writerows([file.path.relative_to(path.parent).as_posix(), *astuple(file)[1:]] for file in files)
    write_text(table.getvalue(), path)


def _write(sample: SampleFile, mesh: Mesh, seed: int) -> None:
    if sample.kind == "mesh":
        write_mesh(replace(mesh, vertices=from_y_up(mesh.vertices, sample.up)), sample.path)
        return
    if sample.kind == "scan":
        # From somewhere in front, within 50 degrees to either side.
        rng = np.random.default_rng(seed)
        points = scan_one_side(mesh, azimuth=180 + rng.uniform(-50, 50), elevation=rng.uniform(10, 35), seed=seed)
    else:
        points = sample_points(Shape(mesh.vertices, mesh), _CLOUD_POINTS, seed)
    write_cloud(from_y_up(points, sample.up), sample.path)
