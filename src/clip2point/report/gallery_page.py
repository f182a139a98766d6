"""A self-contained HTML page of shapes from a library: hits, near-duplicates or clusters."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clip2point.report.html import write_html

if TYPE_CHECKING:
    from clip2point.search import Entry, Query

_LABELS, _LEAST = 3, 0.01  # of a shape: how many, and the confidence of those that are worth showing
_PHOTO = 160  # pixels of the photos that were asked for


@dataclass(frozen=True)
class Card:
    """One shape on the page.

    Attributes:
        entry: Entry with its thumbnail.
        badge: Text in the corner of the image, for example a score.
        note: Text below the file's name.
    """

    entry: Entry
    badge: str = ""
    note: str = ""


@dataclass(frozen=True)
class Section:
    """Shapes under a heading.

    Attributes:
        heading: Heading, or "".
        remark: Text below the heading, or "".
        cards: Cards in the order of the page.
    """

    heading: str
    remark: str
    cards: Sequence[Card]


def write_gallery(
    path: Path,
    sections: Sequence[Section],
    *,
    title: str,
    summary: str,
    command: str,
    remarks: Sequence[str] = (),
    query: Query | None = None,
) -> None:
    """Write the page with embedded images; opening it fetches nothing.

    Args:
        path: Path of the .html file.
        sections: Shapes under their headings.
        title: Heading.
        summary: Text below the heading.
        command: Command line that makes this page again.
        remarks: Paragraphs below the summary.
        query: Query to show above the shapes.

    Raises:
        OSError: The page cannot be written.
    """
    filled = [
        {"heading": section.heading, "remark": section.remark, "cards": [_card(card) for card in section.cards]}
        for section in sections
    ]
    asked = None if query is None else _describe_query(query)
    write_html(
        path,
        "gallery.html",
        title=title,
        summary=summary,
        remarks=remarks,
        command=command,
        asked=asked,
        sections=filled,
    )


def _card(card: Card) -> dict[str, object]:
    entry = card.entry
    labels = list(zip(entry.labels, entry.label_scores, strict=True))[:_LABELS]
    worth = [(name, score) for name, score in labels if score >= _LEAST]
    return {
        "picture": _webp_url(entry.thumbnail) if entry.thumbnail else "",
        "name": Path(entry.path).name,
        "folder": str(Path(entry.path).parent),
        "size": _size(entry),
        "labels": [(name.replace("_", " "), f"{score:.0%}") for name, score in worth],
        "badge": card.badge,
        "note": card.note,
    }


def _describe_query(query: Query) -> dict[str, list[object]]:
    """Return the parts of a query, photos as embedded images."""
    return {
        "texts": list(query.texts),
        "without": list(query.without),
        "photos": [_photo_url(photo) for photo in query.images],
        "shapes": [Path(shape).name if isinstance(shape, str | Path) else "a shape" for shape in query.shapes],
    }


def _photo_url(photo: object) -> str:
    """Embed a photo of a query as the image tower saw it, scaled down."""
    from clip2point.search.photos import read_photo

    image = read_photo(photo)  # type: ignore[arg-type]
    image.thumbnail((_PHOTO, _PHOTO))
    buffer = io.BytesIO()
    image.save(buffer, format="WEBP", quality=80)
    return _webp_url(buffer.getvalue())


def _size(entry: Entry) -> str:
    """Format the size of a shape."""
    what = f"{entry.faces:,} faces" if entry.faces else f"{entry.points:,} points"
    return f"{what}, {_bytes(entry.bytes)}"


def _bytes(count: int) -> str:
    """Format a number of bytes."""
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"


def _webp_url(picture: bytes) -> str:
    """Return the content of a WebP file as a data URL."""
    return "data:image/webp;base64," + base64.b64encode(picture).decode("ascii")
