"""A self-contained HTML page of shapes from a library: found, near-duplicate, or clustered."""

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
        entry: with its thumbnail.
        badge: in the corner of the picture, for example a score.
        note: below the file's name.
    """

    entry: Entry
    badge: str = ""
    note: str = ""


@dataclass(frozen=True)
class Section:
    """Shapes under a heading.

    Attributes:
        heading: may be empty.
        remark: below it, may be empty.
        cards: in the order in which they are to appear.
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
    """Write the page; pictures are embedded, nothing is fetched when it is opened.

    Args:
        path: of the .html file.
        sections: the shapes.
        title: heading.
        summary: below it.
        command: the command line that makes this page again.
        remarks: paragraphs below the summary.
        query: what was looked for, to be shown above the shapes.

    Raises:
        OSError: if the page cannot be written.
    """
    filled = [
        {"heading": section.heading, "remark": section.remark, "cards": [_card(card) for card in section.cards]}
        for section in sections
    ]
    asked = None if query is None else _asked(query)
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


def _asked(query: Query) -> dict[str, list[object]]:
    """The parts of a query, photos as pictures."""
    return {
        "texts": list(query.texts),
        "without": list(query.without),
        "photos": [_photo_url(photo) for photo in query.images],
        "shapes": [Path(shape).name if isinstance(shape, str | Path) else "a shape" for shape in query.shapes],
    }


def _photo_url(photo: object) -> str:
    """A photo of a query as the image tower saw it, small."""
    from clip2point.search.photos import read_photo

    image = read_photo(photo)  # type: ignore[arg-type]
    image.thumbnail((_PHOTO, _PHOTO))
    buffer = io.BytesIO()
    image.save(buffer, format="WEBP", quality=80)
    return _webp_url(buffer.getvalue())


def _size(entry: Entry) -> str:
    """How large a shape is, in words."""
    what = f"{entry.faces:,} faces" if entry.faces else f"{entry.points:,} points"
    return f"{what}, {_bytes(entry.bytes)}"


def _bytes(count: int) -> str:
    """A number of bytes in words."""
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"


def _webp_url(picture: bytes) -> str:
    """A WebP file's content as a URL to embed."""
    return "data:image/webp;base64," + base64.b64encode(picture).decode("ascii")
