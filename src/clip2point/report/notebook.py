"""Notebook views of shapes, answers and hits: small pieces of HTML with embedded images.

The results themselves stay plain records; their ``_repr_html_`` asks this module, which is imported only then.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from clip2point.core.errors import ShapeError
from clip2point.rendering.image_files import png_bytes, to_pixels
from clip2point.report.html import data_url

if TYPE_CHECKING:
    from clip2point.model import Classification
    from clip2point.search import Hit
    from clip2point.shapes import Shape

#: Side of an image in pixels, and the gap between two.
_SIDE, _GAP = 112, 2
#: Views of a shape, and points drawn for its depth maps.
_VIEWS, _POINTS = "ring-6@20", 4096
_PAPER = 255


def shape_html(shape: Shape) -> str:
    """Show a shape from all sides, in colour where it has a surface, with its facts.

    Args:
        shape: Shape with any up-axis; an undeclared one is drawn with y up, and the view says so.

    Returns:
        HTML without scripts and links; the reason for a shape that cannot be drawn.
    """
    size = " × ".join(f"{length:.4g}" for length in np.ptp(shape.points, axis=0)) if len(shape.points) else "empty"
    kind = f"cloud of {len(shape.points):,} points"
    if shape.mesh is not None:
        kind = f"mesh of {len(shape.mesh.vertices):,} vertices and {len(shape.mesh.faces):,} faces"
    up = f"{shape.up} up" if shape.up != "auto" else "up-axis unknown, drawn with y up"
    try:
        picture = _picture(_draw_rows(shape), "views")
    except ShapeError as error:
        picture = escape(str(error))
    return _card(shape.source, f"{kind}, {size}, {up}", picture)


def hit_html(hit: Hit) -> str:
    """Show a hit: thumbnail, score and labels."""
    entry = hit.entry
    labels = zip(entry.labels, entry.label_scores, strict=True)
    remark = f"score {hit.score:.3f}; " + ", ".join(f"{label} {confidence:.0%}" for label, confidence in labels)
    thumbnail = base64.b64encode(entry.thumbnail).decode("ascii")
    return _card(entry.path, remark, f"<img src='data:image/webp;base64,{thumbnail}' alt='depth maps'>")


def _draw_rows(shape: Shape) -> list[Sequence[NDArray[np.uint8]]]:
    """Draw rows of images: colour images of a mesh, then depth maps."""
    from clip2point.rendering import render_depth, view_set
    from clip2point.rendering.shaded import render_color
    from clip2point.shapes import prepare_points

    views = view_set(_VIEWS)
    upright = shape.with_up("y" if shape.up == "auto" else shape.up).upright()
    points = prepare_points(upright, _POINTS)
    depth = to_pixels(render_depth(points[None], views, image_size=_SIDE)[0])
    if upright.mesh is None:
        return [list(depth)]
    return [list(render_color(upright.mesh, views, image_size=_SIDE)), list(depth)]


def classification_html(answer: Classification) -> str:
    """Show an answer: class names with confidences, and the depth maps that it carries."""
    rows = "".join(
        f"<tr><td style='text-align:left'>{escape(guess.label)}</td>"
        f"<td style='width:160px'><div style='background:#8aa4c8;height:.6em;width:{guess.confidence:.1%}'></div></td>"
        f"<td>{guess.confidence:.1%}</td></tr>"
        for guess in answer.guesses
    )
    name = answer.verdict
    up = answer.up + (" (guessed)" if answer.up_from == "guessed" else "")
    picture = (
        "" if answer.depth is None else _picture([list(to_pixels(answer.depth))], "depth maps as the model saw them")
    )
    return _card(f"{name} — {answer.source}", f"{answer.model}, {up} up", f"<table>{rows}</table>{picture}")


def _picture(rows: Iterable[Sequence[NDArray[np.uint8]]], words: str) -> str:
    """Embed rows of images [H, W] grayscale or [H, W, 3] colour as one image."""
    rows = list(rows)
    step = _SIDE + _GAP
    sheet = Image.new("RGB", (step * max(map(len, rows)) - _GAP, step * len(rows) - _GAP), (_PAPER,) * 3)
    for y, pictures in enumerate(rows):
        for x, picture in enumerate(pictures):
            small = Image.fromarray(picture).convert("RGB").resize((_SIDE, _SIDE), Image.Resampling.LANCZOS)
            sheet.paste(small, (x * step, y * step))
    return (
        f"<img src='{data_url(png_bytes(sheet))}' width='{sheet.width}' alt='{escape(words)}' title='{escape(words)}'>"
    )


def _card(title: str, remark: str, content: str) -> str:
    """Return a heading, a remark in gray, and the content below."""
    return (
        f"<div style='font-family:system-ui,sans-serif'><b>{escape(title)}</b>"
        f"<div style='color:#778;font-size:.85em'>{escape(remark)}</div>{content}</div>"
    )
