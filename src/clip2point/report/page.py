"""A self-contained HTML page of recognised shapes."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader
from PIL import Image

from clip2point import __version__
from clip2point.files import replacing
from clip2point.models import Classification
from clip2point.report.pictures import to_pixels

_THUMBNAIL = 96  # pixels


@dataclass(frozen=True)
class Entry:
    """One shape on the page.

    Attributes:
        result: with its depth maps.
        truth: its true class name.
        note: what kind of file it is.
    """

    result: Classification
    truth: str
    note: str


def write_page(path: Path, entries: Sequence[Entry], *, title: str, remarks: Sequence[str], command: str) -> None:
    """Write the page; pictures are embedded, nothing is fetched when it is opened.

    Args:
        path: of the .html file.
        entries: shapes in the order in which they are to appear.
        title: heading.
        remarks: paragraphs below the heading.
        command: the command line that makes this page again.
    """
    rows = [
        {
            "file": Path(entry.result.source).name,
            "note": entry.note,
            "truth": entry.truth,
            "right": entry.result.label == entry.truth,
            "guesses": entry.result.guesses,
            "pictures": []
            if entry.result.depth is None
            else [_data_url(view) for view in to_pixels(entry.result.depth)],
        }
        for entry in entries
    ]
    right = sum(bool(row["right"]) for row in rows)
    environment = Environment(loader=PackageLoader("clip2point.report"), autoescape=True)
    html = environment.get_template("page.html").render(
        title=title, remarks=remarks, command=command, version=__version__, rows=rows, right=right
    )
    with replacing(path) as unfinished:
        unfinished.write_text(html, encoding="utf-8")


def _data_url(pixels: object) -> str:
    """A grey picture [H, W] as a small PNG inside a URL."""
    buffer = io.BytesIO()
    image = Image.fromarray(pixels)  # type: ignore[arg-type]
    image.resize((_THUMBNAIL, _THUMBNAIL), Image.Resampling.LANCZOS).save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
