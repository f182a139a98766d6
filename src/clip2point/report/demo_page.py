"""A self-contained HTML page of recognised shapes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from clip2point.model import Classification
from clip2point.rendering.image_files import png_bytes, to_pixels
from clip2point.report.html import data_url, write_html

_THUMBNAIL = 96  # pixels


@dataclass(frozen=True)
class Entry:
    """One shape on the page.

    Attributes:
        result: Answer with its depth maps.
        truth: True class name.
        note: Kind of file.
    """

    result: Classification
    truth: str
    note: str


def write_page(path: Path, entries: Sequence[Entry], *, title: str, remarks: Sequence[str], command: str) -> None:
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
            "right": entry.result.label == entry.truth,
            "guesses": entry.result.guesses,
            "pictures": []
            if entry.result.depth is None
            else [_thumbnail(view) for view in to_pixels(entry.result.depth)],
        }
        for entry in entries
    ]
    right = sum(bool(row["right"]) for row in rows)
    write_html(path, "page.html", title=title, remarks=remarks, command=command, rows=rows, right=right)


def _thumbnail(pixels: NDArray[np.uint8]) -> str:
    """Encode a grayscale image [H, W] as a small PNG inside a URL."""
    image = Image.fromarray(pixels).resize((_THUMBNAIL, _THUMBNAIL), Image.Resampling.LANCZOS)
    return data_url(png_bytes(image))
