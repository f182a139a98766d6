"""Packed splats."""

import gzip
import struct

import numpy as np
import pytest
from sample_files import CLOUD

from clip2point.core.errors import ShapeError
from clip2point.shapes import load_shape


def spz(version=3, bits=12, count=40, points=CLOUD):
    header = struct.pack("<IIIBBBB", 0x5053474E, version, count, 0, bits, 0, 0)
    if version == 1:
        return header + points.astype("<f2").tobytes() + bytes(13 * len(points))
    fixed = np.rint(points.ravel() * 2.0**bits).astype("<i4")
    return header + fixed.view(np.uint8).reshape(-1, 4)[:, :3].tobytes() + bytes(14 * len(points))


@pytest.mark.parametrize(("version", "bits", "close"), [(1, 12, 2e-3), (2, 12, 2e-4), (3, 8, 2e-3)])
def test_spz(tmp_path, version, bits, close):
    path = tmp_path / "a.spz"
    path.write_bytes(gzip.compress(spz(version, bits), mtime=0))
    np.testing.assert_allclose(load_shape(path).points, CLOUD, atol=close)


def test_splat(tmp_path):
    rows = np.zeros((len(CLOUD), 8), "<f4")
    rows[:, :3], rows[:, 3:6] = CLOUD, 0.01
    path = tmp_path / "a.splat"
    path.write_bytes(rows.tobytes())
    assert np.array_equal(load_shape(path).points, CLOUD)
    for data, message in ((rows.tobytes()[:-5], "ends within a splat"), (b"words " * 32, "no SPLAT file")):
        path.write_bytes(data)
        with pytest.raises(ShapeError, match=message):
            load_shape(path)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"some words", "is no SPZ file"),
        (gzip.compress(b"some words and more", mtime=0), "is no SPZ file"),
        (gzip.compress(spz(4), mtime=0), "is of SPZ version 4: expected 1 to 3"),
        (gzip.compress(spz(count=10**9), mtime=0), "declares 1,000,000,000 splats"),
        (gzip.compress(spz(), mtime=0)[:-50], "cut off"),
        (gzip.compress(bytes(10**8), mtime=0), "gzip bomb|no SPZ"),
    ],
)
def test_damaged_files_are_one_line(tmp_path, data, message):
    (tmp_path / "a.spz").write_bytes(data)
    with pytest.raises(ShapeError, match=message):
        load_shape(tmp_path / "a.spz")
