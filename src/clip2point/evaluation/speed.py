"""Speed of every stage, beside another implementation of the same, in one run.

Absolute times depend on the machine and its load; only the ratios of one run are comparable.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numba
import numpy as np
import torch
from numpy.typing import NDArray

from clip2point.backbones import Backbone
from clip2point.model import Recogniser, load
from clip2point.model.settings import Settings
from clip2point.rendering import render_depth, render_zbuffer, view_set
from clip2point.shapes import Shape, load_shape, prepare_points
from clip2point.shapes.demo_shapes import demo_files

#: Number of demo shapes in a batch.
_CLASSES = ("airplane", "bed", "car", "chair", "lamp", "sofa", "table", "vase")
_RADIUS = 0.02
#: Name of the paper's ViT-B/32 with random weights, which suffice to measure its speed.
RANDOM_VIT = "random-vit-b-32"


@dataclass(frozen=True)
class Timing:
    """Time of one implementation of a stage.

    Attributes:
        stage: Name of the stage.
        way: Name of the implementation.
        seconds: Seconds per object, the least of several runs.
        against: Implementation of the same stage that ``ratio`` refers to.
        ratio: Speed-up over that implementation.
    """

    stage: str
    way: str
    seconds: float
    against: str = ""
    ratio: float = math.nan

    def to_dict(self) -> dict[str, Any]:
        """Convert to JSON types."""
        compared = {"against": self.against, "ratio": self.ratio} if self.against else {}
        return {"stage": self.stage, "way": self.way, "seconds_per_object": self.seconds, **compared}


def benchmark(backbones: dict[str, Backbone], views: str, points: int, repeats: int = 5) -> list[Timing]:
    """Time reading, rendering, encoding and the whole.

    Args:
        backbones: Towers by number format, for example {"fp32": ..., "bf16": ...}.
        views: Name of the view set.
        points: Number of points per object.
        repeats: Runs of each implementation, after a warm-up; the least time counts.

    Returns:
        Timing of each implementation of each stage.
    """
    files = list(demo_files(_CLASSES).values())
    shapes = [load_shape(file) for file in files]
    clouds = np.stack([prepare_points(shape, points, up="y") for shape in shapes])
    timings = _time_reading(files, shapes, points, repeats)
    timings += _time_rendering(clouds, views, repeats)
    for number, backbone in backbones.items():
        timings += _time_encoding(clouds, views, number, backbone, repeats)
        timings += _time_pipeline(files, views, points, number, backbone, repeats)
    return _add_ratios(timings)


def load_backbones(name: str, *, device: str = "cpu", dtype: str = "auto") -> dict[str, Backbone]:
    """Load the towers of a model in the number formats that are to be timed.

    Args:
        name: Name or folder of a model, as for ``load``, or ``RANDOM_VIT``.
        device: Device, as for ``load``.
        dtype: "fp32", "bf16", or "auto" for both.

    Returns:
        Towers by number format.

    Raises:
        ModelError: The model cannot be loaded.
    """
    formats = ("fp32", "bf16") if dtype == "auto" else (dtype,)
    load_one = _make_random_vit if name == RANDOM_VIT else partial(_load_towers, name)
    return {each: load_one(device=device, dtype=each) for each in formats}


def _load_towers(name: str, *, device: str, dtype: str) -> Backbone:
    return load(name, device=device, dtype=dtype).backbone


def _make_random_vit(*, device: str, dtype: str) -> Backbone:
    from transformers import CLIPConfig, CLIPModel

    from clip2point.backbones.transformers_backbone import TransformersBackbone

    torch.manual_seed(0)
    model = CLIPModel(CLIPConfig()).eval().requires_grad_(False)  # the defaults are those of ViT-B/32
    return TransformersBackbone(model, None, {}, name=RANDOM_VIT, device=device, dtype=dtype)


def peak_memory() -> int | None:
    """Return the largest resident size of this process so far, in bytes; None on Windows."""
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _time_reading(files: list[Path], shapes: list[Shape], points: int, repeats: int) -> list[Timing]:
    """Time the way from a .glb file to unit-sphere points."""
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


def _time_rendering(clouds: NDArray[np.float32], views: str, repeats: int) -> list[Timing]:
    """Time depth maps by both backends, and z-buffers by the plain loop."""
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


def _time_encoding(
    clouds: NDArray[np.float32], views: str, number: str, backbone: Backbone, repeats: int
) -> list[Timing]:
    """Time the features of depth maps."""
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


def _time_pipeline(
    files: list[Path], views: str, points: int, number: str, backbone: Backbone, repeats: int
) -> list[Timing]:
    """Time the way from files to embeddings."""
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
    """Return the least time per object of several runs, after a warm-up that compiles."""
    function()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return Timing(stage, way, min(seconds) / objects)


def _add_ratios(timings: list[Timing]) -> list[Timing]:
    """Compare each implementation with the slowest of its stage."""
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
    """Return z-buffers [V, S, S] of points [N, 3] as PyTorch3D's CPU rasteriser does: each pixel tests each point."""
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
