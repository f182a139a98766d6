"""Draco: compressed meshes and clouds, alone (.drc) and inside glTF, decoded by Google's library in a child process."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import ShapeError
from clip2point.core.native import Arrays, Limits, require_package, run_native
from clip2point.shapes.companions import Companions
from clip2point.shapes.guards import check_count, expansion_limit
from clip2point.shapes.parsed import Parsed, colors_to_uint8

_COLOR = 2  # the kind of an attribute
_BASE_BYTES = 1024**3
_BASE_SECONDS, _BYTES_PER_SECOND = 20, 200_000


class Decoded(NamedTuple):
    """One decoded buffer.

    Attributes:
        points: Positions, [N, 3] float32.
        faces: Corners of triangles, [F, 3], or None for a cloud.
        colors: Colours, [N, 3 or 4] of any kind of number, or None.
        attributes: All attributes, [N, width] each, by their unique id.
    """

    points: NDArray[Any]
    faces: NDArray[Any] | None
    colors: NDArray[Any] | None
    attributes: dict[int, NDArray[Any]]


def read(data: bytes, companions: Companions) -> Parsed:
    """Read a Draco file: a mesh or a cloud, with its colours."""
    if not data.startswith(b"DRACO"):
        raise ShapeError("does not begin with DRACO: this is no Draco file; check its ending or export it again")
    (decoded,) = decode([data])
    colors = None if decoded.colors is None else colors_to_uint8(decoded.colors)
    return Parsed(decoded.points, decoded.faces, vertex_colors=colors)


def decode(buffers: list[bytes]) -> list[Decoded]:
    """Decode buffers, all in one child.

    Raises:
        ShapeError: The package is missing, or a buffer is damaged or unfolds to too much.
    """
    require_package("DracoPy", "reading Draco")
    payload = b"".join(buffers)
    limits = Limits(_BASE_SECONDS + len(payload) / _BYTES_PER_SECOND, _BASE_BYTES + 2 * expansion_limit(len(payload)))
    arrays = run_native(f"{__name__}:decode_here", payload, limits, lengths=[len(buffer) for buffer in buffers])
    decoded = [_unpack(arrays, f"{i}/") for i in range(len(buffers))]
    check_count("points", sum(len(each.points) for each in decoded))
    return decoded


def _unpack(arrays: Arrays, prefix: str) -> Decoded:
    own = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
    points, faces, colors = own.pop("points"), own.pop("faces", None), own.pop("colors", None)
    return Decoded(points, faces, colors, {int(name): array for name, array in own.items()})


def decode_here(payload: bytes, lengths: list[int]) -> Arrays:
    """Decode buffers that follow each other; called in the child."""
    import DracoPy

    found: Arrays = {}
    start = 0
    for i, length in enumerate(lengths):
        try:
            decoded = DracoPy.decode(payload[start : start + length])
        except Exception as error:  # of many kinds
            reason = str(error).splitlines()[0][:100] if str(error) else type(error).__name__
            raise ShapeError(
                f"has Draco data that cannot be decoded ({reason}): the file is damaged; export it again"
            ) from None
        start += length
        found[f"{i}/points"] = np.asarray(decoded.points, np.float32).reshape(-1, 3)
        faces = getattr(decoded, "faces", None)
        if faces is not None and len(faces):
            found[f"{i}/faces"] = np.asarray(faces).reshape(-1, 3)
        for attribute in decoded.attributes:
            if attribute["data"] is None:
                continue
            values = np.asarray(attribute["data"]).reshape(-1, attribute["num_components"])
            found[f"{i}/{attribute['unique_id']}"] = values
            if attribute["attribute_type"] == _COLOR and values.shape[1] >= 3:  # gray would need its own rule
                found.setdefault(f"{i}/colors", values)
    return found
