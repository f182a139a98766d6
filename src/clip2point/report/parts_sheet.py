"""A picture of a file's parts: the whole in the colours of its parts, and below it each part with its name."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from clip2point.core.files import replacing
from clip2point.scenes import Part, SceneParts
from clip2point.scenes.exports import NO_PART, part_colors
from clip2point.scenes.finding import find_up
from clip2point.shapes import Shape
from clip2point.shapes.triangles import draw_on_surface

Float = NDArray[np.float64]
Colors = NDArray[np.uint8]

#: Pixels of the picture of the whole, of a part, and of its caption; parts in a row, and parts that are shown.
_WIDTH, _HEIGHT, _CELL, _CAPTION, _COLUMNS, _MOST = 960, 600, 160, 34, 6, 60
#: Direction of the view, in degrees, where no scan has one.
_AZIMUTH, _ELEVATION = 30.0, 30.0
#: Points that are drawn of a mesh.
_DRAWN = 150_000
_INK, _FAINT, _PAPER = (20, 20, 20), (110, 110, 110), (255, 255, 255)


def write_parts_sheet(path: Path, shape: Shape, found: SceneParts) -> None:
    """Write the picture.

    Args:
        path: PNG file.
        shape: Shape that was split.
        found: Parts of it.
    """
    points, own = _draw_points(shape, found)
    matrix = _upright(shape, found)
    upright = points @ matrix.T
    axes = _camera_axes(*_look_from(upright, matrix, found))
    table = np.vstack([part_colors(1 + max((part.number for part in found.parts), default=-1)), [NO_PART]])
    shown = sorted(found.parts, key=lambda part: -part.elements)[:_MOST]
    rows = -(-len(shown) // _COLUMNS)
    sheet = Image.new("RGB", (_WIDTH, _HEIGHT + rows * (_CELL + _CAPTION)), _PAPER)
    sheet.paste(_draw(upright @ axes.T, table[own].astype(np.uint8), _WIDTH, _HEIGHT), (0, 0))
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(12)
    for place, part in enumerate(shown):
        left, top = place % _COLUMNS * _CELL, _HEIGHT + place // _COLUMNS * (_CELL + _CAPTION)
        chosen = upright[own == part.number]
        if len(chosen):
            colors = np.broadcast_to(table[part.number].astype(np.uint8), (len(chosen), 3))
            sheet.paste(_draw(chosen @ axes.T, colors, _CELL - 8, _CELL - 8), (left + 4, top + 4))
        for line, (text, ink) in enumerate(_caption(part)):
            draw.text((left + 6, top + _CELL - 2 + 14 * line), _fit(text, font), ink, font)
    stream = io.BytesIO()
    sheet.save(stream, "PNG")
    with replacing(path) as temporary:
        temporary.write_bytes(stream.getvalue())


def _caption(part: Part) -> list[tuple[str, tuple[int, int, int]]]:
    """Return the two lines below a part: what it looks like, and what the file calls it."""
    label = f"{part.number}" if part.answer is None else f"{part.number}: {part.label} {part.answer.confidence:.0%}"
    return [(label, _INK), (part.name, _FAINT)]


def _fit(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    while text and font.getlength(text) > _CELL - 12:
        text = text[:-1]
    return text


def _draw_points(shape: Shape, found: SceneParts) -> tuple[Float, NDArray[np.int64]]:
    """Return points of a shape and the part of each."""
    if shape.mesh is None:
        own = found.instances if shape.kept is None else found.instances[shape.kept]
        return shape.points.astype(np.float64), own.astype(np.int64)
    mesh = shape.mesh
    points, picked = draw_on_surface(mesh.vertices, mesh.faces, _DRAWN, np.random.default_rng(0))
    return points.astype(np.float64), found.instances[picked].astype(np.int64)


def _upright(shape: Shape, found: SceneParts) -> Float:
    """Return the rotation [3, 3] that turns a shape y up."""
    if found.upright is not None:
        return found.upright
    up = find_up(shape)
    if up is None or up[1] > 0.5:
        return np.eye(3)
    aside = np.array([0.0, 1, 0]) if abs(up[1]) < 0.5 else np.array([1.0, 0, 0])
    across = np.cross(aside, up)
    return np.array([across, up, np.cross(across, up)])


def _look_from(upright: Float, matrix: Float, found: SceneParts) -> tuple[float, float]:
    """Return azimuth and elevation of the view in radians: of the camera of a scan, which nothing hides from."""
    if found.viewpoint is None:
        return float(np.radians(_AZIMUTH)), float(np.radians(_ELEVATION))
    x, y, z = matrix @ found.viewpoint - upright.mean(axis=0)
    return float(np.arctan2(x, z)), float(np.arctan2(y, np.hypot(x, z)))


def _camera_axes(azimuth: float, elevation: float) -> Float:
    """Return the axes of a view as rows: to the right, upwards, and towards the viewer."""
    right = np.array([np.cos(azimuth), 0, -np.sin(azimuth)])
    flat = np.cos(elevation)
    toward = np.array([np.sin(azimuth) * flat, np.sin(elevation), np.cos(azimuth) * flat])
    return np.array([right, np.cross(toward, right), toward])


def _draw(local: Float, colors: Colors, width: int, height: int) -> Image.Image:
    """Draw points in the axes of the view: the nearest of each pixel, and nearer ones lighter."""
    low, high = local.min(axis=0), local.max(axis=0)
    scale = min((width - 8) / max(high[0] - low[0], 1e-9), (height - 8) / max(high[1] - low[1], 1e-9))
    # A dot is as large as the distance between points, so that surfaces are closed.
    dot = int(np.clip(round(1.8 * float(np.sqrt(width * height / max(len(local), 1)))), 1, 9))
    middle = (low + high) / 2
    x = np.rint((local[:, 0] - middle[0]) * scale + width / 2).astype(np.int64)
    y = np.rint(height / 2 - (local[:, 1] - middle[1]) * scale).astype(np.int64)
    light = 0.55 + 0.45 * (local[:, 2] - low[2]) / max(high[2] - low[2], 1e-9)
    order = np.argsort(local[:, 2], kind="stable")
    image = np.full((height, width, 3), 255, dtype=np.uint8)
    shaded = np.rint(colors * light[:, None]).astype(np.uint8)[order]
    for dx in range(dot):
        for dy in range(dot):
            column = np.clip(x[order] + dx - dot // 2, 0, width - 1)
            row = np.clip(y[order] + dy - dot // 2, 0, height - 1)
            image[row, column] = shaded
    return Image.fromarray(image)
