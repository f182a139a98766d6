"""STEP and IGES: curved surfaces of CAD, cut into triangles by OpenCASCADE (cascadio) in a child process."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from clip2point.core.errors import ShapeError
from clip2point.core.native import Arrays, Limits, require_package, run_native
from clip2point.shapes.companions import Companions
from clip2point.shapes.formats import gltf
from clip2point.shapes.guards import check_lines
from clip2point.shapes.parsed import Parsed
from clip2point.shapes.units import note_size

#: How far triangles may lie from the surface, in lengths of an edge, and turn from one to the next, in radians.
_DISTANCE, _ANGLE = 0.01, 0.5
_LIMITS = Limits(seconds=180, memory=4 * 1024**3)


def read_step(data: bytes, companions: Companions) -> Parsed:
    """Read the solids and surfaces of a STEP file, in metres."""
    if b"ISO-10303-21" not in data[:1024]:
        raise ShapeError("does not begin with ISO-10303-21: this is no STEP file; check its ending or export it again")
    return _read(data, companions, "step", 1.0)


def read_iges(data: bytes, companions: Companions) -> Parsed:
    """Read the solids and surfaces of an IGES file, in metres."""
    first = data[:4096].splitlines()
    if not first or len(first[0].rstrip()) < 73 or first[0][72:73] not in b"SBF":
        raise ShapeError("does not begin with lines of 80 letters: this is no IGES file; check its ending")
    return _read(data, companions, "iges", 0.001)  # the library gives millimetres, whatever the file's unit


def _read(data: bytes, companions: Companions, kind: str, metres: float) -> Parsed:
    require_package("cascadio", f"reading {kind.upper()}")
    check_lines(data)
    model = run_native(f"{__name__}:triangulate", data, _LIMITS, kind=kind)["glb"].tobytes()
    if not model:
        raise ShapeError(
            f"has no solid or surface that can be cut into triangles: expected a whole {kind.upper()} file; export it "
            "again, or as STL or 3MF"
        )
    parsed = gltf.read(model, companions)
    vertices = parsed.vertices if metres == 1 else parsed.vertices * metres
    if metres != 1 and parsed.hierarchy is not None:
        parsed.hierarchy = parsed.hierarchy.scale(metres)
    return replace(parsed, vertices=vertices, up="auto", notes=(*parsed.notes, note_size(vertices, 1.0)))


def triangulate(payload: bytes, kind: str) -> Arrays:
    """Return the triangles as a GLB file; called in the child."""
    import cascadio

    found = cascadio.load(
        payload, kind, tol_linear=_DISTANCE, tol_angular=_ANGLE, tol_relative=True, use_parallel=False
    )
    return {"glb": np.frombuffer(found, np.uint8)}
