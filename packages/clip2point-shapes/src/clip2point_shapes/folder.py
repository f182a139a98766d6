"""A folder of sample files: every class and style once or more, spread over formats, kinds and up-axes."""

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
from clip2point_shapes import catalogue
from clip2point_shapes.export import write_cloud, write_mesh, write_text
from clip2point_shapes.scans import one_sided_scan

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


@dataclass(frozen=True)
class SampleFile:
    """One file of the demo folder.

    Attributes:
        path: the file.
        label: its class.
        style: its style.
        up: the up-axis of its coordinates, one of ``UP_AXES``.
        kind: "mesh", "cloud" (points all over the surface) or "scan" (points seen from one side, with noise).
    """

    path: Path
    label: str
    style: str
    up: str
    kind: Kind


def write_samples(
    folder: str | Path, *, classes: Sequence[str] | None = None, per_style: int = 1, seed: int = 0
) -> list[SampleFile]:
    """Write sample shapes and their manifest ``samples.csv`` (file, label, style, up, kind) into a folder.

    Args:
        folder: made if it does not exist; files of the same names are replaced.
        classes: which classes, or None for all.
        per_style: how many shapes of each style, at least 1.
        seed: another seed gives other shapes.

    Returns:
        What was written, in the order of the manifest.

    Raises:
        OptionError: if a class does not exist, a number is out of range or the folder cannot be written.
    """
    if per_style < 1 or seed < 0:
        raise OptionError(f"per_style {per_style}, seed {seed}: expected per_style >= 1 and seed >= 0")
    names = catalogue.classes() if classes is None else classes
    wanted = [(name, style, copy) for name in names for style in catalogue.styles(name) for copy in range(per_style)]
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OptionError(f"{folder}: cannot make the folder ({error.strerror})") from error
    written = []
    for number, (name, style, copy) in enumerate(wanted):
        kind, ending, up = _PATTERN[number % len(_PATTERN)]
        stem = f"{name}_{style}" + (f"_{copy + 1}" if per_style > 1 else "")
        sample = SampleFile(folder / (stem + ending), name, style, up, kind)
        _write(sample, catalogue.generate(name, style, seed * per_style + copy), seed + number)
        written.append(sample)
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["file", *(field.name for field in fields(SampleFile)[1:])])
    writer.writerows([sample.path.name, *astuple(sample)[1:]] for sample in written)
    write_text(table.getvalue(), folder / "samples.csv")
    return written


def _write(sample: SampleFile, mesh: Mesh, seed: int) -> None:
    if sample.kind == "mesh":
        write_mesh(replace(mesh, vertices=from_y_up(mesh.vertices, sample.up)), sample.path)
        return
    if sample.kind == "scan":
        # From somewhere in front, within 50 degrees to either side.
        rng = np.random.default_rng(seed)
        points = one_sided_scan(mesh, azimuth=180 + rng.uniform(-50, 50), elevation=rng.uniform(10, 35), seed=seed)
    else:
        points = sample_points(Shape(mesh.vertices, mesh), _CLOUD_POINTS, seed)
    write_cloud(from_y_up(points, sample.up), sample.path)
