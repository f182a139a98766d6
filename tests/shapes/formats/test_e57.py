"""E57."""

import numpy as np
import pytest

from clip2point.core import native
from clip2point.core.errors import ShapeError
from clip2point.shapes import load_shape

pytest.importorskip("e57")
pye57 = pytest.importorskip("pye57")
POINTS = np.random.default_rng(0).random((50, 3))


def write(path, scans):
    file = pye57.E57(str(path), mode="w")
    for points, more, pose in scans:
        columns = {f"cartesian{axis}": column for axis, column in zip("XYZ", np.asarray(points).T, strict=True)}
        file.write_scan_raw(columns | more, **pose)
    file.close()
    return path


def test_scans_are_moved_to_their_places_and_joined(tmp_path):
    invalid = {"cartesianInvalidState": (np.arange(50) % 10 == 0).astype("i1")}
    pose = {"rotation": np.array([np.sqrt(0.5), 0, 0, np.sqrt(0.5)]), "translation": np.array([2.0, 0, 0])}
    shape = load_shape(write(tmp_path / "a.e57", [(POINTS, invalid, {}), (POINTS, {}, pose)]))
    x, y, z = POINTS.T
    expected = np.concatenate([POINTS[np.arange(50) % 10 > 0], np.stack([2 - y, x, z], axis=1)])
    np.testing.assert_allclose(np.sort(shape.points, axis=0), np.sort(expected, axis=0), atol=1e-6)
    assert shape.up == "z"
    assert shape.notes[0] == "2 scans in one file, joined"
    assert shape.notes[1].startswith("size 1.")


def test_damaged_files_are_one_line(tmp_path, monkeypatch):
    whole = write(tmp_path / "a.e57", [(POINTS, {}, {})]).read_bytes()
    path = tmp_path / "b.e57"
    for data, message in (
        (b"some words", "is no E57 file"),
        (whole[:20], "damaged"),
        (whole[:2000], "damaged"),
        (whole[:-1024], "damaged"),
        (whole[:24] + b"\xff" * 8 + whole[32:], "damaged"),
    ):
        path.write_bytes(data)
        with pytest.raises(ShapeError, match=message) as caught:
            load_shape(path)
        assert "\n" not in str(caught.value)
    monkeypatch.setattr(native, "find_spec", lambda module: None)
    with pytest.raises(ShapeError, match=r"reading E57 needs e57: run pip install 'clip2point\[formats\]'"):
        load_shape(tmp_path / "a.e57")
