"""The demo: shipped shapes, classified, with a contact sheet and a self-contained HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from clip2point.core.progress import Progress
from clip2point.model import Classification, Recogniser
from clip2point.rendering.image_files import png_bytes, to_pixels, write_image
from clip2point.report.contact_sheet import Row, contact_sheet, view_headings
from clip2point.report.html import data_url, write_html
from clip2point.shapes import load_shape
from clip2point.shapes.demo_shapes import DEMO_CLASSES, write_demo_shapes

_THUMBNAIL = 96  # pixels
_GUESSES = 3  # of each shape on the page
_CAVEAT = (
    "Its depth tower was trained on other shapes of the same generators, so this says little about your shapes.\n"
    "Its results on data that it never saw are in the documentation (docs/measured)."
)


@dataclass(frozen=True)
class DemoEntry:
    """One shape on the page.

    Attributes:
        result: Answer with its depth maps.
        truth: True class name.
        note: Kind of file.
    """

    result: Classification
    truth: str
    note: str

    @property
    def correct(self) -> bool:
        """True if the best label is the true class."""
        return self.result.label == self.truth


@dataclass(frozen=True)
class Demo:
    """Classified demo shapes and the folder with all about them.

    Attributes:
        folder: Output folder.
        model: Name of the model.
        entries: One entry for each shape.
    """

    folder: Path
    model: str
    entries: tuple[DemoEntry, ...]

    @property
    def shapes(self) -> Path:
        """Folder of the shapes."""
        return self.folder / "shapes"

    @property
    def contact_sheet(self) -> Path:
        """Path of the contact sheet."""
        return self.folder / "contact_sheet.png"

    @property
    def page(self) -> Path:
        """Path of the HTML page."""
        return self.folder / "report.html"

    @property
    def summary(self) -> str:
        """Number of correct answers in words."""
        correct, count = sum(entry.correct for entry in self.entries), len(self.entries)
        return f"{correct} of {count} correct among {count} labels, by the model {self.model!r}."

    @property
    def caveat(self) -> str:
        """Remark on what the accuracy of this model is worth, or ""."""
        return _CAVEAT if self.model == "pocket" else ""


def make_demo(model: Recogniser, folder: Path, *, progress: Progress | None = None) -> Demo:
    """Copy the demo shapes to a folder, classify them, and write a contact sheet and a page beside them.

    Args:
        model: Model that classifies, with the classes of the shapes as labels.
        folder: Output folder.
        progress: Progress callback.

    Raises:
        OptionError: The folder cannot be written.
    """
    files = write_demo_shapes(folder / "shapes", DEMO_CLASSES)
    shapes = [load_shape(path) for path in files.values()]
    answers = model.classify_many(shapes, list(files), top=_GUESSES, keep_views=True)
    shown = answers if progress is None else progress(answers, len(shapes))
    entries = []
    for name, shape, answer in zip(files, shapes, shown, strict=True):
        assert isinstance(answer, Classification)
        assert shape.mesh is not None
        entries.append(DemoEntry(answer, name, f"{len(shape.mesh.faces):,} triangles"))
    demo = Demo(folder, model.name, tuple(entries))
    rows = [Row(entry.truth, _describe(entry), _pixels(entry)) for entry in entries]
    write_image(demo.contact_sheet, contact_sheet(rows, view_headings(model.views.angles)))
    generated = f"Meshes drawn by clip2point's shape generators. Model: {demo.model}."
    write_page(
        demo.page,
        entries,
        title="clip2point: demo shapes",
        remarks=[generated, *([demo.caveat] if demo.caveat else [])],
        command="clip2point demo",
    )
    return demo


def write_page(path: Path, entries: Sequence[DemoEntry], *, title: str, remarks: Sequence[str], command: str) -> None:
    """Write the page with embedded images; opening it fetches nothing.

    Args:
        path: Path of the .html file.
        entries: Shapes in the order of the page.
        title: Heading.
        remarks: Paragraphs below the heading.
        command: Command line that makes this page again.
    """
    rows = [
        {
            "file": Path(entry.result.source).name,
            "note": entry.note,
            "truth": entry.truth,
            "correct": entry.correct,
            "guesses": entry.result.guesses,
            "pictures": [_thumbnail(view) for view in _pixels(entry)],
        }
        for entry in entries
    ]
    correct = sum(entry.correct for entry in entries)
    write_html(path, "page.html", title=title, remarks=remarks, command=command, rows=rows, correct=correct)


def _describe(entry: DemoEntry) -> str:
    """Return the text below the name of a shape on the contact sheet."""
    return f"{entry.note}\n-> {entry.result.label} {entry.result.confidence:.0%}"


def _pixels(entry: DemoEntry) -> list[NDArray[np.uint8]]:
    """Return the depth maps of an answer as grayscale images [H, W]."""
    return [] if entry.result.depth is None else list(to_pixels(entry.result.depth))


def _thumbnail(pixels: NDArray[np.uint8]) -> str:
    """Encode a grayscale image [H, W] as a small PNG inside a URL."""
    image = Image.fromarray(pixels).resize((_THUMBNAIL, _THUMBNAIL), Image.Resampling.LANCZOS)
    return data_url(png_bytes(image))
