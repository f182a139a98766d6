"""Skins of COLLADA: the pose that the nodes of the file give to a mesh."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clip2point.shapes.formats.gltf_scene import apply_skin
from clip2point.shapes.formats.text import parse_integers, parse_numbers

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

Float = NDArray[np.float64]
_MOST_JOINTS = 64  # of one vertex


def pose(
    skin: Element,
    vertices: NDArray[Any],
    place: Callable[[str], Float | None],
    source: Callable[[str], tuple[Element, Float] | None],
) -> tuple[Float, bool]:
    """Return the vertices of a skinned mesh in the scene.

    Args:
        skin: The <skin>.
        vertices: Positions of its mesh, [N, 3].
        place: Finder of the transform [4, 4] of a joint by its name.
        source: Finder of a <source> and its numbers by its URL.

    Returns:
        Positions, [N, 3], and whether they follow the joints; if the skin is incomplete they are in the bind pose.
    """
    text = skin.findtext("{*}bind_shape_matrix") or ""
    bind = parse_numbers(text).reshape(4, 4) if text.strip() else np.eye(4)
    joints = _matrices(skin, bind, place, source)
    held = _weights(skin, source, len(vertices))
    if joints is None or held is None or held[0].max(initial=0) > len(joints):
        return vertices @ bind[:3, :3].T + bind[:3, 3], False
    numbers, weights = held
    numbers = np.where(numbers < 0, len(joints), numbers)  # held by nothing: as the shape is bound
    return apply_skin(vertices, numbers, weights, np.concatenate([joints, bind[None]])), True


def _matrices(skin: Element, bind: Float, place: Callable[[str], Float | None], source: Any) -> Float | None:
    """Return the matrices [J, 4, 4] of the joints, or None if a joint or its matrix is missing."""
    inputs = {str(e.get("semantic")): source(str(e.get("source"))) for e in skin.iterfind("{*}joints/{*}input")}
    names, inverse = inputs.get("JOINT"), inputs.get("INV_BIND_MATRIX")
    if names is None or inverse is None:
        return None
    places = [place(name) for name in _names(names[0])]
    matrices = inverse[1].ravel()
    if not places or any(found is None for found in places) or len(matrices) != 16 * len(places):
        return None
    return np.asarray(np.array(places) @ matrices.reshape(-1, 4, 4) @ bind)


def _names(source: Element) -> list[str]:
    return (source.findtext("{*}Name_array") or source.findtext("{*}IDREF_array") or "").split()


def _weights(skin: Element, source: Any, vertices: int) -> tuple[NDArray[np.int64], Float] | None:
    """Return joints and weights [N, K] of all vertices, or None if they do not fit; joint -1 is none."""
    element = skin.find("{*}vertex_weights")
    if element is None:
        return None
    inputs = {str(e.get("semantic")): e for e in element.iterfind("{*}input")}
    table = source(str(inputs["WEIGHT"].get("source"))) if {"JOINT", "WEIGHT"} <= inputs.keys() else None
    sizes = parse_integers(element.findtext("{*}vcount") or "")
    flat = parse_integers(element.findtext("{*}v") or "")
    stride = 1 + max((int(e.get("offset", "0")) for e in inputs.values()), default=0)
    if table is None or len(sizes) != vertices or sizes.min(initial=0) < 0 or sizes.max(initial=0) > _MOST_JOINTS:
        return None
    if stride > _MOST_JOINTS or len(flat) != stride * sizes.sum():
        return None
    rows = flat.reshape(-1, stride)
    which = rows[:, int(inputs["WEIGHT"].get("offset", "0"))]
    values = table[1].ravel()
    if len(which) and not 0 <= which.min() <= which.max() < len(values):
        return None
    vertex = np.repeat(np.arange(vertices), sizes)
    column = np.arange(len(rows)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    joints = np.full((vertices, max(int(sizes.max(initial=0)), 1)), -1, dtype=np.int64)
    weights = np.zeros(joints.shape)
    joints[vertex, column] = rows[:, int(inputs["JOINT"].get("offset", "0"))]
    weights[vertex, column] = values[which]
    return joints, weights
