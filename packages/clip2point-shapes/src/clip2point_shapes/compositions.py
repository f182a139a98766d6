"""Composed scenes: generated shapes on a table or in a room, scanned as by a depth camera, with true instances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import OptionError
from clip2point.shapes.shape import Mesh
from clip2point.shapes.triangles import draw_on_surface
from clip2point_shapes.catalogue import generate, list_styles
from clip2point_shapes.primitives import box
from clip2point_shapes.scans import camera_direction, find_visible
from clip2point_shapes.solid import rotation

Float64 = NDArray[np.float64]
Kind = Literal["table", "room"]

#: Classes that stand on tables, and in rooms.
ON_TABLES = ("bottle", "bowl", "cup", "glass_box", "laptop", "radio", "vase", "xbox")
IN_ROOMS = ("chair", "sofa", "table", "stool", "plant", "dresser", "night_stand", "bookshelf", "toilet", "bench")
#: Styles that hang, or have parts thinner than a pixel.
_LEFT_OUT = {("vase", "flowers"), ("toilet", "wall_hung")}
#: Seeds of the held-out part are this far from those of development.
_HELD_OUT = 1_000_003
#: Size of the support in metres, resolution of the camera, its distance, and noise at one metre.
_TABLE, _ROOM = (1.4, 0.9), (4.5, 4.0)
_SAMPLES_PER_PIXEL = 10
_TRIES = 200


@dataclass(frozen=True, eq=False)
class Composition:
    """Shapes in their places.

    Attributes:
        kind: "table" or "room".
        objects: Meshes in metres, y up.
        labels: Class of each.
        support: Mesh of the table's top, or of the floor and two walls.
    """

    kind: Kind
    objects: tuple[Mesh, ...]
    labels: tuple[str, ...]
    support: Mesh


def compose(kind: Kind, seed: int = 0, *, count: int = 4, gap: float = 0.02, held_out: bool = False) -> Composition:
    """Compose a scene.

    Args:
        kind: "table": small things on a table's top; "room": furniture on a floor, with two walls.
        seed: Seed of shapes and places, 0 or more.
        count: Number of objects; fewer where there is no place.
        gap: Least distance between the boxes around objects, in metres; tables are crowded below 0.
        held_out: Draw from the part that nothing may be developed on.

    Raises:
        OptionError: A number is out of range.

    Examples:
        >>> compose("table", seed=1, count=3).labels
        ('xbox', 'cup')
    """
    if kind not in ("table", "room") or seed < 0 or count < 0:
        raise OptionError(f"{kind!r}, seed {seed}, count {count}: expected 'table' or 'room', and numbers from 0")
    rng = np.random.default_rng((seed + held_out * _HELD_OUT, kind == "room"))
    classes, (width, depth) = (ON_TABLES, _TABLE) if kind == "table" else (IN_ROOMS, _ROOM)
    objects: list[Mesh] = []
    labels: list[str] = []
    boxes: list[tuple[Float64, Float64]] = []
    for _ in range(count):
        label = str(rng.choice(classes))
        styles = [style for style in list_styles(label) if (label, style) not in _LEFT_OUT]
        mesh = generate(label, str(rng.choice(styles)), seed=int(rng.integers(1 << 30)))
        turned = mesh.vertices @ rotation(y=float(rng.uniform(0, 360))).T
        low, high = turned.min(axis=0), turned.max(axis=0)
        size = (high - low)[[0, 2]]
        room = (np.array([width, depth]) - size) / 2 - 0.05
        if (room <= 0).any():
            continue
        for _ in range(_TRIES):
            place = rng.uniform(-room, room)
            begin, end = place - size / 2 - gap / 2, place + size / 2 + gap / 2
            if all((begin > far).any() or (end < near).any() for near, far in boxes):
                moved = turned - (low + high) / 2 + [place[0], (high[1] - low[1]) / 2, place[1]]
                objects.append(Mesh.plain(moved, mesh.faces))
                labels.append(label)
                boxes.append((begin, end))
                break
    return Composition(kind, tuple(objects), tuple(labels), _make_support(kind, width, depth))


def _make_support(kind: Kind, width: float, depth: float) -> Mesh:
    solids = [box(width, 0.03, depth).move(y=-0.03)]
    if kind == "room":
        # Thin ones: cameras look down on them and would see their tops.
        solids += [box(width, 2.4, 1e-3).move(z=-depth / 2), box(1e-3, 2.4, depth).move(x=-width / 2)]
    starts = np.cumsum([0, *(len(solid.vertices) for solid in solids)])
    faces = np.concatenate([solid.faces + start for solid, start in zip(solids, starts, strict=False)])
    return Mesh.plain(np.concatenate([solid.vertices for solid in solids]), faces)


def scan_composition(
    scene: Composition,
    *,
    azimuths: Sequence[float] = (35.0,),
    elevation: float = 40.0,
    resolution: int = 480,
    noise: float = 0.0012,
    seed: int = 0,
) -> tuple[NDArray[np.float32], NDArray[np.int16]]:
    """Scan a scene as depth cameras would: what is visible, with noise along the rays.

    Args:
        scene: Scene.
        azimuths: Degrees about y of each camera; 0 looks from +z, 90 from +x.
        elevation: Degrees above the horizon of all cameras.
        resolution: Height and width of the images in pixels.
        noise: Standard deviation of the depth error, as a fraction of the distance.
        seed: Seed of points and noise.

    Returns:
        Points [N, 3] in metres, y up, and the object of each, [N]: 1 for the first one, 0 for the support.
    """
    rng = np.random.default_rng(seed)
    meshes = (scene.support, *scene.objects)
    corners = np.concatenate([mesh.vertices for mesh in meshes])
    low, high = corners.min(axis=0), corners.max(axis=0)
    middle, radius = (low + high) / 2.0, float(np.linalg.norm(high - low)) / 2.0
    areas = np.array([_area(mesh) for mesh in meshes])
    total = _SAMPLES_PER_PIXEL * resolution**2
    counts = np.maximum((total * areas / areas.sum()).astype(np.int64), 2000)
    points, owners = [], np.repeat(np.arange(len(meshes)), counts)
    for mesh, count in zip(meshes, counts, strict=True):
        drawn, _ = draw_on_surface(mesh.vertices, mesh.faces, int(count), rng)
        points.append(drawn)
    surface = np.concatenate(points)
    scans, found = [], []
    for azimuth in azimuths:
        camera = middle + 3.0 * radius * camera_direction(azimuth, elevation)
        seen = find_visible(surface, camera, middle, radius, resolution)
        rays = surface[seen] - camera
        scans.append(surface[seen] + rng.normal(0.0, noise, (len(seen), 1)) * rays / 3.0)
        found.append(owners[seen])
    return np.concatenate(scans).astype(np.float32), np.concatenate(found).astype(np.int16)


def _area(mesh: Mesh) -> float:
    a, b, c = (mesh.vertices[mesh.faces[:, corner]].astype(np.float64) for corner in range(3))
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)


def write_scenes(
    folder: str | Path, kind: Kind, *, count: int = 10, seed: int = 0, held_out: bool = False, views: int = 1
) -> list[Path]:
    """Write scanned scenes as NPZ files with points, instances, labels and up.

    Args:
        folder: Target folder, created if missing.
        kind: "table" or "room".
        count: Number of scenes.
        seed: Seed of the first scene; the others follow.
        held_out: Draw from the part that nothing may be developed on.
        views: Number of cameras, evenly around a table, and on the open side of a room.

    Returns:
        The files.

    Raises:
        OptionError: A number is out of range.
    """
    if not 1 <= views <= 4:
        raise OptionError(f"{views} views: expected 1 to 4")
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    written = []
    for number in range(seed, seed + count):
        rng = np.random.default_rng((number, 7))
        scene = compose(kind, number, count=int(rng.integers(2, 9)), held_out=held_out)
        first = float(rng.uniform(20, 70))  # the walls of a room are behind its things
        around = 360.0 if kind == "table" else 90.0
        azimuths = [(first + turn * around / views) % around for turn in range(views)]
        points, instances = scan_composition(
            scene, azimuths=azimuths, elevation=float(rng.uniform(30, 55)), seed=number
        )
        path = target / f"{kind}_{'held_out_' if held_out else ''}{number:04d}.npz"
        labels = np.array(["", *scene.labels])
        np.savez_compressed(path, points=points, instances=instances, labels=labels, up=np.array("y"))
        written.append(path)
    return written
