"""``clip2point render``: depth maps and colour images of shapes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from clip2point.cli import options, output

if TYPE_CHECKING:
    from clip2point.cli.classify import Subparsers


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "render",
        help="draw depth maps and colour images",
        description="Write, for each file, its depth maps, colour images (of meshes) and a contact sheet of all.",
    )
    options.add_files(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the pictures")
    parser.add_argument("--image-size", type=int, default=224, help="pixels (default 224)")
    options.add_rendering(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Render the files."""
    from clip2point.core.errors import ShapeError
    from clip2point.model.settings import Settings
    from clip2point.rendering import render_depth, view_set
    from clip2point.rendering.shaded import render_color
    from clip2point.report.view_folder import ViewFolder
    from clip2point.shapes import load_shape, prepare_points

    settings = options.changed_settings(Settings(views="clip2point-10"), arguments)
    files = options.expand_files(arguments.files)
    views = view_set(settings.views)
    folder = ViewFolder(arguments.out, views)
    failures: list[tuple[str, str]] = []
    for path in output.progress(files, "Rendering", len(files)):
        try:
            shape = load_shape(path, up=arguments.up)
            guessed = shape.up == "auto"
            shape = shape.with_up("y" if guessed else shape.up).upright()
            points = prepare_points(shape, settings.points, arguments.seed)
        except ShapeError as error:
            failures.append((str(path), str(error)))
            continue
        depth = render_depth(
            points[None], views, image_size=arguments.image_size, radius=settings.radius, style=settings.style
        )[0]
        color = None if shape.mesh is None else render_color(shape.mesh, views, image_size=arguments.image_size)
        remark = "mesh" if shape.mesh else f"cloud of {len(shape.points)} points"
        folder.add(path, depth, f"{remark}\nup: {'y (assumed)' if guessed else arguments.up}", color)
    if len(failures) < len(files):
        print(f"{len(files) - len(failures)} shapes in {len(views)} views: {folder.finish()}")
    output.list_failures(failures, len(files))
    return 1 if failures else 0
