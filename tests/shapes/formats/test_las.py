"""LAS and LAZ."""

import struct

import laspy
import numpy as np
import pytest
from sample_files import CLOUD, write_sample

from clip2point.core.errors import ShapeError
from clip2point.shapes import load_shape


def write(path, points, version="1.2", point_format=3, offset=0.0):
    las = laspy.LasData(laspy.LasHeader(point_format=point_format, version=version))
    las.header.scales, las.header.offsets = [0.001] * 3, [offset] * 3
    las.x, las.y, las.z = np.asarray(points, np.float64).T
    las.write(path)
    return path


@pytest.mark.parametrize("name", ["cloud.las", "cloud.laz"])
@pytest.mark.parametrize(("version", "point_format"), [("1.2", 0), ("1.3", 1), ("1.4", 6), ("1.4", 7)])
@pytest.mark.slow
def test_points_of_laspy_are_read(tmp_path, name, version, point_format):
    shape = load_shape(write(tmp_path / name, CLOUD, version, point_format))
    np.testing.assert_allclose(shape.points, CLOUD, atol=0.00051)
    assert shape.up == "z"


def test_a_georeferenced_scan_keeps_its_millimetres(tmp_path):
    far = CLOUD.astype(np.float64) + np.array([5e6, 4e6, 3e6])
    shape = load_shape(write(tmp_path / "far.las", far, offset=4e6))
    np.testing.assert_allclose(shape.points - shape.points[0], CLOUD - CLOUD[0], atol=0.0011)
    assert np.abs(shape.points).max() < 10


def patch_bytes(path, offset, layout, *values):
    data = bytearray(path.read_bytes())
    struct.pack_into(layout, data, offset, *values)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("name", ["cloud.las", "cloud.laz"])
def test_promises_beyond_the_file_are_refused(tmp_path, name):
    with pytest.raises(ShapeError, match="declares 1,000,000,000 points, but only"):
        load_shape(patch_bytes(write_sample(name, tmp_path), 107, "<I", 10**9))
    with pytest.raises(ShapeError, match="has a LAS header that contradicts itself"):
        load_shape(patch_bytes(write_sample(name, tmp_path), 96, "<I", 10**9))
    with pytest.raises(ShapeError, match="declares|does not give|cannot be decoded"):
        load_shape(patch_bytes(write(tmp_path / name, CLOUD, "1.4", 6), 247, "<Q", 41))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cloud.las", "cloud.laz"])
def test_damaged_files_are_refused(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"LASF")
    with pytest.raises(ShapeError, match="does not begin with a LAS header"):
        load_shape(path)
    with pytest.raises(ShapeError, match="has NaN or infinite|all equal|coordinates up to"):
        load_shape(patch_bytes(write_sample(name, tmp_path), 131, "<d", float("nan")))
    data = write_sample(name, tmp_path).read_bytes()
    path.write_bytes(data[:-100])
    with pytest.raises(ShapeError, match="cut off"):
        load_shape(path)


@pytest.mark.slow
def test_a_decoder_that_ends_its_process_is_one_error(tmp_path):
    path = write(tmp_path / "cloud.laz", CLOUD, "1.4", 6)
    data = path.read_bytes()
    start = struct.unpack_from("<I", data, 96)[0]
    # Behind the place of the chunk table and the first point come the sizes of the layers that the decoder allocates.
    damaged = data[: start + 8 + 30] + b"\xff" * 60 + data[start + 8 + 90 :]
    path.write_bytes(damaged)
    with pytest.raises(
        ShapeError, match="cannot be decoded: the file is cut off or damaged|does not give the 40 promised points"
    ):
        load_shape(path)
