"""Contact sheets: one row per shape, one column per view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

_CELL = 120  # pixels of a picture
_GAP = 4
_CAPTION = 190  # width of the column of names
_HEADER = 22
_INK, _FAINT, _PAPER = (20, 20, 20), (110, 110, 110), (255, 255, 255)
_FRAME = (225, 225, 225)


@dataclass(frozen=True)
class Row:
    """One row of a sheet.

    Attributes:
        title: Heading, for example a file name.
        remark: Text below the heading, of one or more lines.
        pictures: V images, [H, W] grayscale or [H, W, 3] colour, uint8.
    """

    title: str
    remark: str
    pictures: Sequence[NDArray[np.uint8]]


def contact_sheet(rows: Sequence[Row], headings: Sequence[str]) -> Image.Image:
    """Draw rows of images with their names on the left.

    Args:
        rows: One or more rows, each with at most as many images as there are headings.
        headings: Headings of the columns.

    Returns:
        RGB image.
    """
    step = _CELL + _GAP
    sheet = Image.new("RGB", (_CAPTION + step * len(headings) + _GAP, _HEADER + step * len(rows) + _GAP), _PAPER)
    draw = ImageDraw.Draw(sheet)
    bold, small = ImageFont.load_default(13), ImageFont.load_default(11)
    for column, heading in enumerate(headings):
        draw.text((_CAPTION + column * step + _CELL / 2, _HEADER / 2), heading, _FAINT, small, anchor="mm")
    for index, row in enumerate(rows):
        top = _HEADER + index * step
        text = "\n".join(_wrap(row.title, bold, _CAPTION - 2 * _GAP)[:3])
        draw.multiline_text((_GAP, top + _GAP), text, _INK, bold)
        below = draw.multiline_textbbox((_GAP, top + _GAP), text, bold)[3]
        lines = [part for line in row.remark.splitlines() for part in _wrap(line, small, _CAPTION - 2 * _GAP)]
        draw.multiline_text((_GAP, below + _GAP), "\n".join(lines[:5]), _FAINT, small)
        for column, picture in enumerate(row.pictures):
            place = (_CAPTION + column * step, top)
            sheet.paste(Image.fromarray(picture).convert("RGB").resize((_CELL, _CELL), Image.Resampling.LANCZOS), place)
            draw.rectangle((place[0] - 1, place[1] - 1, place[0] + _CELL, place[1] + _CELL), outline=_FRAME)
    return sheet


def view_headings(angles: Sequence[tuple[float, float]]) -> list[str]:
    """Return column headings of views: elevation and azimuth in degrees.

    Args:
        angles: Pairs (elevation, azimuth) in degrees.
    """
    return [f"{elevation:g}°, {azimuth:g}°" for elevation, azimuth in angles]


def _wrap(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> list[str]:
    """Break a line wherever it would exceed ``width`` pixels; file names have few blanks to break at."""
    lines = [""]
    for letter in text:
        if font.getlength(lines[-1] + letter) > width:
            lines.append("")
        lines[-1] += letter
    return lines
