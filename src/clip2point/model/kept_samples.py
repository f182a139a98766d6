"""Points of shape files, kept by what is in the files: a file that was read once is not parsed again."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip2point.core.plugin_code import room_code
from clip2point.core.store import make_base, make_key, open_store
from clip2point.core.version import __version__
from clip2point.shapes.companions import are_unchanged, note_companions
from clip2point.shapes.contents import hash_content
from clip2point.shapes.format_registry import file_extension, format_code

_KIND = "points"


@dataclass(frozen=True)
class Sampled:
    """Points of one shape, ready to be rendered.

    Attributes:
        source: Source of the shape.
        points: [N, 3] float32 in the unit sphere, in the shape's own axes.
        ups: Up-axes to try.
        up_from: Origin of the up-axis, see ``Classification``.
        notes: Remarks of the reader.
    """

    source: str
    points: NDArray[np.float32]
    ups: tuple[str, ...]
    up_from: str
    notes: tuple[str, ...] = ()


def sample_kept(path: str | os.PathLike[str], settings: dict[str, Any], sample: Callable[[], Sampled]) -> Sampled:
    """Return the points of a file, drawn now or found.

    They are found by the bytes of the file and of the neighbours that its reader asks for, its name without its folder,
    and the code of the reader. Nothing is kept of a file that changes while it is read.

    Args:
        path: Shape file.
        settings: All else that the points depend on, as JSON types.
        sample: Function that reads the file and draws its points.

    Raises:
        ShapeError: The file cannot be read as a shape.
    """
    store = open_store()
    content = hash_content(os.fspath(path)) if store.is_on else ""
    if not content:
        return sample()
    file = Path(path)
    extension = file_extension(file)
    code = [__version__, room_code("shapes", "model"), format_code(extension)]
    key = make_key(make_base({"content": content, "name": file.name, "code": code, **settings}))
    if found := store.get_many(_KIND, [key]):
        kept = _unpack(found[key], str(path), file)
        if kept is not None:
            return kept
    with note_companions() as asked:
        drawn = sample()
    if hash_content(os.fspath(path)) == content and are_unchanged(file, asked):
        store.put_many(_KIND, {key: _pack(drawn, asked)})
    return drawn


def _pack(drawn: Sampled, asked: list[tuple[str, str]]) -> bytes:
    facts = {"ups": drawn.ups, "up_from": drawn.up_from, "notes": drawn.notes, "asked": asked}
    return json.dumps(facts).encode() + b"\n" + np.ascontiguousarray(drawn.points, "<f4").tobytes()


def _unpack(value: bytes, source: str, path: Path) -> Sampled | None:
    """Return points as they were kept, or None if a neighbour of the file is another one now."""
    head, _, rest = value.partition(b"\n")
    facts = json.loads(head)
    if not are_unchanged(path, facts["asked"]):
        return None
    points = np.frombuffer(rest, "<f4").reshape(-1, 3)
    return Sampled(source, points, tuple(facts["ups"]), facts["up_from"], tuple(facts["notes"]))
