"""E57: scans of ASTM's format, read by the package e57 in a child process."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from clip2point.core.errors import ShapeError
from clip2point.core.native import Arrays, Limits, require_package, run_native
from clip2point.shapes.companions import Companions
from clip2point.shapes.guards import check_count, expansion_limit
from clip2point.shapes.parsed import Parsed
from clip2point.shapes.units import note_size


def read(data: bytes, companions: Companions) -> Parsed:
    """Read the points of all scans, each moved to its place, without those that are marked as invalid. Up is z."""
    if not data.startswith(b"ASTM-E57"):
        raise ShapeError("does not begin with ASTM-E57: this is no E57 file, or cut off; export it again")
    require_package("e57", "reading E57")
    limits = Limits(seconds=60 + len(data) / 2e6, memory=1024**3 + 4 * expansion_limit(len(data)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "scan.e57")
        path.write_bytes(data)
        found = run_native(f"{__name__}:read_here", b"", limits, path=str(path))
    points, scans = found["points"], int(found["scans"])
    check_count("points", len(points))
    joined = (f"{scans} scans in one file, joined",) if scans > 1 else ()
    return Parsed(points, up="z", notes=(*joined, note_size(points, 1.0)))


def read_here(payload: bytes, path: str) -> Arrays:
    """Read the points of a file; called in the child."""
    import e57

    scans = e57.raw_xml(path).count('<points type="CompressedVector"')
    points = np.asarray(e57.read_points(path).points, np.float64).reshape(-1, 3)
    return {"points": points, "scans": np.array(scans)}
