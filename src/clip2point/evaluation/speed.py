"""Speed of every stage, each beside another way of doing the same, in one run.

Absolute times depend on the machine and on what else it does; the ratios of one run are what can be compared.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numba
import numpy as np
import torch
from numpy.typing import NDArray

from clip2point.backbones import Backbone
from clip2point.model import Recogniser
from clip2point.model.settings import Settings
from clip2point.rendering import render_depth, render_zbuffer, view_set
from clip2point.shapes import Shape, load_shape, prepare_points
from clip2point.shapes.demo_shapes import demo_files

#: Demo shapes of a batch.
_CLASSES = ("airplane", "bed", "car", "chair", "lamp", "sofa", "table", "vase")
_RADIUS = 0.02


@dataclass(frozen=True)
class Timing:
    """Time of one way of doing a stage.

    Attributes:
        stage: what is done.
        way: how.
        seconds: for one object, the least of several runs.
        against: the way of the same stage that ``ratio`` refers to.
        ratio: how many times faster than that way.
    """

    stage: str
    way: str
    seconds: float
    against: str = ""
    ratio: float = math.nan

    def to_dict(self) -> dict[str, Any]:
        """As JSON types."""
        compared = {"against": self.against, "ratio": self.ratio} if self.against else {}
        return {"stage": self.stage, "way": self.way, "seconds_per_object": self.seconds, **compared}


def benchmark(backbones: dict[str, Backbone], views: str, points: int, repeats: int = 5) -> list[Timing]:
    """Time reading, rendering, encoding and the whole.

    Args:
        backbones: towers by number format, for example {"fp32": ..., "bf16": ...}.
        views: name of the view set.
        points: drawn from each object.
        repeats: runs of each way, after one that is not counted; the least time is kept.

    Returns:
        One entry for each way of each stage.
    """
    files = list(demo_files(_CLASSES).values())
    shapes = [load_shape(file) for file in files]
    clouds = np.stack([prepare_points(shape, points, up="y") for shape in shapes])
    timings = _reading(files, shapes, points, repeats)
    timings += _rendering(clouds, views, repeats)
    for number, backbone in backbones.items():
        timings += _encoding(clouds, views, number, backbone, repeats)
        timings += _whole(files, views, points, number, backbone, repeats)
    return _compared(timings)


def peak_memory() -> int | None:
    """Largest resident size of this process so far, in bytes; None on Windows, which is not asked."""
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _reading(files: list[Path], shapes: list[Shape], points: int, repeats: int) -> list[Timing]:
    """From a .glb file to unit-sphere points."""
    return [
        _time("read a .glb mesh", "file to Shape", lambda: [load_shape(file) for file in files], len(files), repeats),
        _time(
            f"sample {points} points",
            "surface, unit sphere",
            lambda: [prepare_points(shape, points, up="y") for shape in shapes],
            len(files),
            repeats,
        ),
    ]


def _rendering(clouds: NDArray[np.float32], views: str, repeats: int) -> list[Timing]:
    """Depth maps by both backends, and z-buffers by the plain loop."""
    size = 224
    stage = f"render {len(view_set(views))} x {size} px"
    rotation, translation = view_set(views).cameras(np.ones(len(view_set(views)), dtype=np.float32))
    timings = [
        _time(
            stage,
            f"{backend}, {'one fused pass' if backend == 'numba' else 'scatter amin'}",
            lambda backend=backend: render_depth(clouds, views, radius=_RADIUS, backend=backend),  # type: ignore[misc]
            len(clouds),
            repeats,
        )
        for backend in ("numba", "torch")
    ]
    plain = _time(
        stage,
        "plain loop over pixels and points",
        lambda: _plain_loop(clouds[0], rotation, translation, size, np.float32(_RADIUS)),
        1,
        1,
    )
    expected = _plain_loop(clouds[0], rotation, translation, size, np.float32(_RADIUS)) >= 0
    differing = expected != (render_zbuffer(clouds[:1], views, radius=_RADIUS)[0] >= 0)
    if differing.mean() > 1e-4:  # the loop rounds the projection otherwise, which may turn single pixels
        raise AssertionError("the plain loop draws another picture; its time would mean nothing")
    return [*timings, plain]


def _encoding(clouds: NDArray[np.float32], views: str, number: str, backbone: Backbone, repeats: int) -> list[Timing]:
    """Features of depth maps."""
    depth = torch.from_numpy(render_depth(clouds, views, image_size=backbone.image_size))
    return [
        _time(
            f"encode {depth.shape[1]} x {backbone.image_size} px",
            f"{backbone.name}, {number}",
            lambda: backbone.encode_depth(depth),
            len(clouds),
            min(repeats, 3),
        )
    ]


def _whole(files: list[Path], views: str, points: int, number: str, backbone: Backbone, repeats: int) -> list[Timing]:
    """From files to embeddings."""
    model = Recogniser(backbone, Settings(views=views, points=points), backbone.name)
    return [
        _time(
            "file to embedding",
            f"{backbone.name}, {number}",
            lambda: model.embed(files),
            len(files),
            min(repeats, 3),
        )
    ]


def _time(stage: str, way: str, function: Callable[[], Any], objects: int, repeats: int) -> Timing:
    """The least time of several runs, by object, after one run that compiles and warms up."""
    function()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return Timing(stage, way, min(seconds) / objects)


def _compared(timings: list[Timing]) -> list[Timing]:
    """Each way beside the slowest of its stage."""
    slowest: dict[str, Timing] = {}
    for timing in timings:
        if timing.stage not in slowest or timing.seconds > slowest[timing.stage].seconds:
            slowest[timing.stage] = timing
    return [
        timing
        if timing is slowest[timing.stage]
        else Timing(
            timing.stage,
            timing.way,
            timing.seconds,
            slowest[timing.stage].way,
            slowest[timing.stage].seconds / timing.seconds,
        )
        for timing in timings
    ]


@numba.njit(cache=True)
def _plain_loop(
    points: NDArray[np.float32],
    rotation: NDArray[np.float32],
    translation: NDArray[np.float32],
    size: int,
    radius: float,
) -> NDArray[np.float32]:
    """Z-buffers [V, S, S] of points [N, 3] in the manner of PyTorch3D's CPU rasteriser: each pixel asks each point."""
    views, count = rotation.shape[0], points.shape[0]
    images = np.full((views, size, size), np.float32(-1))
    for v in range(views):
        projected = np.empty((count, 3), np.float32)
        for n in range(count):
            for axis in range(3):
                value = translation[v, axis]
                for k in range(3):
                    value += points[n, k] * rotation[v, k, axis]
                projected[n, axis] = value
        for row in range(size):
            y = np.float32(1 - (2 * row + 1) / size)
            for column in range(size):
                x = np.float32(1 - (2 * column + 1) / size)
                nearest = np.float32(np.inf)
                for n in range(count):
                    depth = projected[n, 2]
                    dx, dy = x - projected[n, 0], y - projected[n, 1]
                    if depth >= 0 and dx * dx + dy * dy < radius * radius and depth < nearest:
                        nearest = depth
                if nearest != np.inf:
                    images[v, row, column] = nearest
    return images
