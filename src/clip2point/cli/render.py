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
        help="render depth maps and colour images",
        description="Write the depth maps of each file, the colour images of meshes, and a contact sheet of all.",
    )
    options.add_files(parser)
    options.add_prepare(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the images")
    parser.add_argument(
        "--image-size", type=int, default=224, metavar="S", help="width and height of the images (default 224)"
    )
    options.add_rendering(parser, "the view set clip2point-10 and the paper's settings")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Render the files."""
    from clip2point.model.settings import Settings
    from clip2point.rendering import view_set
    from clip2point.report.rendered_files import render_files
    from clip2point.report.view_folder import ViewFolder
    from clip2point.shapes import expand_folders

    settings = options.change_settings(Settings(views="clip2point-10"), arguments)
    files = expand_folders(arguments.files)
    folder = ViewFolder(arguments.out, view_set(settings.views))
    failures = render_files(
        files,
        folder,
        settings,
        up=arguments.up,
        prepare=arguments.prepare,
        seed=arguments.seed,
        image_size=arguments.image_size,
        progress=output.progress_of("Rendering"),
    )
    if len(failures) < len(files):
        count = len(files) - len(failures)
        print(f"{count} shape{'s' if count > 1 else ''} in {len(folder.views)} views: {folder.finish()}")
    output.list_failures([(failure.source, failure.error) for failure in failures], len(files))
    output.tell_passed_over(arguments.files)
    return 1 if failures else 0
