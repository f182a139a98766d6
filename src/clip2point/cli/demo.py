"""``clip2point demo``: demo shapes, named, with depth maps."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from clip2point.cli import options, output

if TYPE_CHECKING:
    from clip2point.cli.classify import Subparsers
    from clip2point.report.demo_page import Entry


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "demo",
        help="name demo shapes; start here",
        description="Name sixteen everyday shapes, and write them, a contact sheet and an HTML report to a folder.",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("demo"), metavar="DIR", help="folder to write to (default demo)"
    )
    options.add_model(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Copy, classify, draw."""
    from clip2point.evaluation.verification import CLASSES
    from clip2point.model import Classification
    from clip2point.report.demo_page import Entry
    from clip2point.shapes import load_shape
    from clip2point.shapes.demo_shapes import write_demo_shapes

    files = write_demo_shapes(arguments.out / "shapes", CLASSES)
    shapes = [load_shape(path) for path in files.values()]
    model = options.load_model(arguments)
    entries = []
    answers = output.progress(model.classify_many(shapes, CLASSES, top=3, keep_views=True), "Naming", len(shapes))
    for name, shape, answer in zip(files, shapes, answers, strict=True):
        assert isinstance(answer, Classification)
        assert shape.mesh is not None
        entries.append(Entry(answer, name, f"{len(shape.mesh.faces):,} triangles"))
    output.print_table(
        ("file", "it is", "named", "confidence", ""),
        (
            (
                Path(entry.result.source).name,
                entry.truth,
                entry.result.label,
                f"{entry.result.confidence:.0%}",
                "right" if entry.result.label == entry.truth else "",
            )
            for entry in entries
        ),
        right=("confidence",),
    )
    right = sum(entry.result.label == entry.truth for entry in entries)
    print(f"{right} of {len(entries)} named rightly among {len(CLASSES)} labels by the model {model.name!r}.")
    if model.name == "pocket":
        print(_POCKET)
    _write(arguments.out, entries, model.views.angles)
    print(f"Shapes:        {arguments.out / 'shapes'}")
    print(f"Contact sheet: {arguments.out / 'contact_sheet.png'}")
    print(f"Report:        {arguments.out / 'report.html'}")
    print(f"Your own:      clip2point classify FILE --labels {','.join(CLASSES[:3])},...")
    return 0


_POCKET = (
    "Its depth tower was trained on other shapes of the same generators, among much else, so this figure says little\n"
    "about your shapes; what it does on data that it never saw stands in the README."
)


def _write(folder: Path, entries: list[Entry], angles: tuple[tuple[float, float], ...]) -> None:
    """The contact sheet and the page."""
    from clip2point.rendering.image_files import to_pixels, write_image
    from clip2point.report.contact_sheet import Row, contact_sheet, view_headings
    from clip2point.report.demo_page import write_page

    model = entries[0].result.model
    rows = []
    for entry in entries:
        assert entry.result.depth is not None
        remark = f"{entry.note}\n-> {entry.result.label} {entry.result.confidence:.0%}"
        rows.append(Row(entry.truth, remark, list(to_pixels(entry.result.depth))))
    write_image(folder / "contact_sheet.png", contact_sheet(rows, view_headings(angles)))
    write_page(
        folder / "report.html",
        entries,
        title="clip2point: demo shapes",
        remarks=[
            f"Meshes drawn by clip2point's shape generators. Model: {model}.",
            *([_POCKET] if model == "pocket" else []),
        ],
        command="clip2point demo",
    )
