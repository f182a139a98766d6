"""Which near-duplicates are found, and which different shapes are taken for some, at several thresholds.

    python benchmarks/duplicates.py furniture/ --up y
    python benchmarks/duplicates.py furniture/ --up y --limit 40 --thresholds 0.97 0.98 0.99

Each mesh of the folder is compared with changed copies of itself, and with all other meshes, which are taken to be
different.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

import clip2point
from clip2point.cli import options, output
from clip2point.core.errors import Clip2PointError, OptionError
from clip2point.search.duplicates import PROPORTIONS, THRESHOLD
from clip2point.search.entry import Float32
from clip2point.shapes import Mesh, Shape, find_shapes, load_shape

Change = Callable[[Mesh], Mesh]


def reordered(mesh: Mesh) -> Mesh:
    """The same in another unit, its triangles in another order, as another program may write it: so other points."""
    order = np.random.default_rng(0).permutation(len(mesh.faces))
    return Mesh.plain(mesh.vertices * 25.4, mesh.faces[order])


def decimated(mesh: Mesh, cells: int) -> Mesh:
    """Vertices in the same cell, of so many along the longest edge of the bounding box, become one."""
    low, size = mesh.vertices.min(0), np.ptp(mesh.vertices, axis=0).max() / cells
    _, number = np.unique(((mesh.vertices - low) / size).astype(int), axis=0, return_inverse=True)
    number = number.ravel()
    vertices = np.zeros((number.max() + 1, 3))
    np.add.at(vertices, number, mesh.vertices)
    faces = number[mesh.faces]
    kept = (faces != np.roll(faces, 1, axis=1)).all(axis=1)
    return Mesh.plain(vertices / np.bincount(number)[:, None], faces[kept]) if kept.any() else mesh


def turned(mesh: Mesh, degrees: float) -> Mesh:
    """Turned about the vertical axis, y."""
    sine, cosine = np.sin(np.radians(degrees)), np.cos(np.radians(degrees))
    rotation = np.array([[cosine, 0, -sine], [0, 1, 0], [sine, 0, cosine]])
    return Mesh.plain(mesh.vertices @ rotation, mesh.faces)


CHANGES: dict[str, Change] = {
    "none": lambda mesh: mesh,
    "other order and unit": reordered,
    "decimated, 128 cells": lambda mesh: decimated(mesh, 128),
    "decimated, 64 cells": lambda mesh: decimated(mesh, 64),
    "decimated, 32 cells": lambda mesh: decimated(mesh, 32),
    "turned by 90 degrees": lambda mesh: turned(mesh, 90),
    "turned by 15 degrees": lambda mesh: turned(mesh, 15),
}


def changed_shapes(files: list[Path], up: str) -> Iterator[Shape]:
    """All changes of each mesh, one mesh after the other."""
    for file in files:
        mesh = load_shape(file, up=up).upright().mesh
        if mesh is None:
            raise OptionError(f"{file}: is a cloud: expected meshes only")
        for change in CHANGES.values():
            other = change(mesh)
            yield Shape(other.vertices, other, source=str(file), up="y")


def proportions(shape: Shape) -> Float32:
    """Edges of the bounding box of what the triangles use, sorted, as shares of the longest."""
    assert shape.mesh is not None
    edges: Float32 = np.sort(np.ptp(shape.points[np.unique(shape.mesh.faces)], axis=0))
    return edges / edges[-1]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure how well near-duplicates are found.")
    parser.add_argument("folder", type=Path, help="with meshes, no two of them alike")
    parser.add_argument("--up", choices=options.UP_CHOICES, default="auto")
    parser.add_argument("--model", default="pocket")
    parser.add_argument("--limit", type=options.positive, help="so many meshes at most")
    parser.add_argument("--thresholds", type=float, nargs="+", default=[0.9, THRESHOLD, 0.97, 0.98, 0.99])
    parser.add_argument("--proportions", type=float, default=PROPORTIONS)
    arguments = parser.parse_args()
    try:
        model = clip2point.load(arguments.model, dtype="fp32")
        files = find_shapes(arguments.folder)[: arguments.limit]
        shapes = list(changed_shapes(files, arguments.up))
        vectors = model.embed(output.progress(shapes, "Embedding", len(shapes))).reshape(len(files), len(CHANGES), -1)
    except Clip2PointError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    boxes = np.stack([proportions(shape) for shape in shapes]).reshape(len(files), len(CHANGES), 3)
    rows = []
    for number, name in enumerate(CHANGES):
        cosines = (vectors[:, 0] * vectors[:, number]).sum(1)
        apart = np.abs(boxes[:, 0] - boxes[:, number]).max(1)
        rows.append((name, *_found(cosines, apart, arguments, share=True), f"{np.median(cosines):.4f}"))
    first, second = np.triu_indices(len(files), 1)
    cosines = (vectors[first, 0] * vectors[second, 0]).sum(1)
    apart = np.abs(boxes[first, 0] - boxes[second, 0]).max(1)
    rows.append(
        ("different meshes, pairs", *_found(cosines, apart, arguments, share=False), f"{np.median(cosines):.4f}")
    )
    print(f"Found by the cosine alone, and with proportions that differ by {arguments.proportions:g} at most:")
    output.print_table(("change", *map(str, arguments.thresholds), "median cosine"), rows[1:])
    return 0


def _found(cosines: Float32, apart: Float32, arguments: argparse.Namespace, *, share: bool) -> list[str]:
    """For each threshold, how many are found without and with a look at proportions."""
    words = []
    for threshold in arguments.thresholds:
        alike = cosines >= threshold
        both = alike & (apart <= arguments.proportions)
        words.append(f"{alike.mean():.0%}, {both.mean():.0%}" if share else f"{alike.sum()}, {both.sum()}")
    return words


if __name__ == "__main__":
    sys.exit(main())
