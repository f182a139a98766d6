"""The container of GLB files: one node with one mesh, and the numbers behind it."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

#: glTF's component types, the latter two unsigned.
FLOAT, INTEGER, BYTE = 5126, 5125, 5121


def pack_glb(
    primitives: Sequence[Mapping[str, Any]],
    accessors: Sequence[Mapping[str, Any]],
    chunks: Sequence[bytes],
    materials: Sequence[Mapping[str, Any]] = (),
) -> bytes:
    """Return the content of a GLB file (glTF 2.0, section 4.4.1).

    Args:
        primitives: Primitives of the mesh, as in glTF's JSON.
        accessors: Descriptions of the numbers; each names one of the chunks as its ``bufferView``.
        chunks: Numbers, little-endian, each chunk a multiple of 4 bytes long.
        materials: Materials that the primitives name.
    """
    *starts, length = accumulate(map(len, chunks), initial=0)
    scene = {
        "asset": {"version": "2.0", "generator": "clip2point"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": primitives}],
        **({"materials": materials} if materials else {}),
        "accessors": accessors,
        "bufferViews": [
            {"buffer": 0, "byteOffset": start, "byteLength": len(chunk)}
            for start, chunk in zip(starts, chunks, strict=True)
        ],
        "buffers": [{"byteLength": length}],
    }
    return pack_container(scene, chunks)


def pack_container(tree: Mapping[str, Any], chunks: Sequence[bytes]) -> bytes:
    """Return a GLB file of its JSON and its one buffer.

    Args:
        tree: JSON.
        chunks: Buffer in pieces, each a multiple of 4 bytes long, so that it needs no padding.
    """
    text = json.dumps(tree, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    length = sum(map(len, chunks))
    head = struct.pack("<4sII", b"glTF", 2, 12 + 8 + len(text) + 8 + length)
    body = struct.pack("<I4s", length, b"BIN\0") + b"".join(chunks)
    return head + struct.pack("<I4s", len(text), b"JSON") + text + body
