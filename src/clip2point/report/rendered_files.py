"""Depth maps and colour images of shape files in a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from clip2point.core.errors import ShapeError
from clip2point.core.progress import Progress
from clip2point.model import Failure
from clip2point.model.settings import Settings
from clip2point.rendering import render_depth
from clip2point.rendering.shaded import render_color
from clip2point.report.view_folder import ViewFolder
from clip2point.shapes import Shape, load_shape, prepare_points
from clip2point.shapes.isolation import isolate_object


def render_files(
    files: Sequence[Path],
    folder: ViewFolder,
    settings: Settings,
    *,
    up: str = "auto",
    prepare: str = "auto",
    seed: int = 0,
    image_size: int = 224,
    progress: Progress | None = None,
) -> list[Failure]:
    """Write the depth maps of shape files, and the colour images of those that are meshes.

    Args:
        files: Paths of shape files.
        folder: Folder of the images; its view set is rendered.
        settings: Number of points, radius and style of the depth maps.
        up: Up-axis, as for ``load_shape``; where neither it nor the format names one, y is assumed, and the contact
            sheet says so.
        prepare: Treatment of what is not the object, as for ``Recogniser.classify``.
        seed: Seed of the point sampling.
        image_size: Width and height of the images in pixels.
        progress: Progress callback.

    Returns:
        Files that could not be read.

    Raises:
        OptionError: An argument is out of range.
    """
    failures = []
    for path in files if progress is None else progress(files, len(files)):
        try:
            _render(path, folder, settings, isolate_object(load_shape(path, up=up), prepare), seed, image_size)
        except ShapeError as error:
            failures.append(Failure(str(path), str(error)))
    return failures


def _render(path: Path, folder: ViewFolder, settings: Settings, shape: Shape, seed: int, size: int) -> None:
    """Write the images of one file."""
    up, assumed = shape.up, shape.up == "auto"
    shape = shape.with_up("y" if assumed else shape.up).upright()
    points = prepare_points(shape, settings.points, seed)
    depth = render_depth(points[None], folder.views, image_size=size, radius=settings.radius, style=settings.style)
    color = None if shape.mesh is None else render_color(shape.mesh, folder.views, image_size=size)
    kind = "mesh" if shape.mesh else f"cloud of {len(shape.points)} points"
    folder.add(path, depth[0], f"{kind}\nup: {'y (assumed)' if assumed else up}", color)
