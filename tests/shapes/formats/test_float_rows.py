"""Bare rows of float32."""

import numpy as np
import pytest

from clip2point.core.errors import ShapeError
from clip2point.shapes import find_shapes, load_shape

RNG = np.random.default_rng(0)


def scan(rows=2000, columns=4):
    """Points around a scanner, as far as 60 m, with intensity, ring and more."""
    angle, distance = RNG.uniform(0, 6.28, rows), RNG.gamma(2, 8, rows)
    place = [distance * np.cos(angle), distance * np.sin(angle), RNG.normal(-1, 0.8, rows)]
    return np.stack([*place, RNG.random(rows), *RNG.integers(0, 32, (columns, rows))][:columns], axis=1).astype("<f4")


def load(folder, array, name="scan.bin"):
    (folder / name).write_bytes(np.asarray(array).tobytes())
    return load_shape(folder / name)


@pytest.mark.parametrize(
    ("columns", "up", "told"), [(4, "z", "KITTI"), (5, "z", "nuScenes"), (3, "auto", "float32: x, y, z")]
)
@pytest.mark.parametrize("rows", [300, 2000, 30_000])
def test_the_columns_of_scans_are_found(tmp_path, columns, up, told, rows):
    rows = scan(rows, columns)
    shape = load(tmp_path, rows)
    assert np.array_equal(shape.points, rows[:, :3])
    assert shape.up == up
    assert told in shape.notes[0]


@pytest.mark.parametrize("intensity", [0, 255])
def test_intensities_of_other_scanners(tmp_path, intensity):
    rows = scan()
    rows[:, 3] = np.rint(intensity * rows[:, 3])
    assert np.array_equal(load(tmp_path, rows).points, rows[:, :3])


def test_the_name_of_nuscenes_is_evidence(tmp_path):
    rows = scan(40, 5)
    with pytest.raises(ShapeError, match="not surely a cloud"):
        load(tmp_path, rows)
    assert np.array_equal(load(tmp_path, rows, "LIDAR_TOP__1.pcd.bin").points, rows[:, :3])


def test_what_is_not_sure_is_refused(tmp_path):
    points = RNG.normal(size=(1024, 3)).astype("<f4")
    others = {
        "noise": points,
        "normals": np.hstack([scan(2000, 3), points[:1000].repeat(2, axis=0)]),
        "six columns": scan(2000, 7)[:, :6],
        "weights": RNG.normal(size=5000).astype("<f4") / 50,
        "float64": scan().astype("<f8"),
        "numbers": RNG.integers(0, 9999, 4800).astype("<i4"),
        "bytes": np.frombuffer(RNG.bytes(4800), "u1"),
        "odd": np.frombuffer(scan().tobytes()[:-3], "u1"),
        "mesh": np.frombuffer(scan(2400, 3).tobytes() + np.arange(6000, dtype="<u2").tobytes(), "u1"),
        "NaN": np.full((400, 4), np.nan, "<f4"),
    }
    for name, array in others.items():
        with pytest.raises(ShapeError, match=r"scan.bin: is not surely a cloud: expected .*KITTI.*numpy.save$"):
            print(name, load(tmp_path, array))


def scan_object():
    """An object among floor, wall, another of its class and one of another class."""
    rows = RNG.random((100, 11)).astype("<f4")
    rows[:, 9], rows[:, 10] = 7, 5
    rows[:30, 9:] = [1, 2]
    rows[30:45, 9:] = [2, 1]
    rows[45:60, 9:] = [9, 5]
    rows[60:65, 9:] = [4, 12]
    return rows


def test_an_object_of_scanobjectnn_without_its_surroundings(tmp_path):
    rows = scan_object()
    shape = load(tmp_path, np.concatenate([[100.0], rows.ravel()]).astype("<f4"))
    assert np.array_equal(shape.points, rows[65:, :3])
    assert shape.notes == ("read as ScanObjectNN's binary file: 65 of 100 points around the object left out",)


def test_all_points_where_none_belongs_to_an_object(tmp_path):
    rows = scan_object()
    rows[:, 10] = 1
    shape = load(tmp_path, np.concatenate([[100.0], rows.ravel()]).astype("<f4"))
    assert np.array_equal(shape.points, rows[:, :3])
    assert "no point belongs to an object" in shape.notes[0]


def test_points_behind_their_count(tmp_path):
    points = RNG.random((50, 3)).astype("<f4")
    assert np.array_equal(load(tmp_path, np.concatenate([[50.0], points.ravel()]).astype("<f4")).points, points)


def test_folders_pass_over_other_files_that_end_so(tmp_path):
    (tmp_path / "gltf").mkdir()
    (tmp_path / "gltf" / "chair.gltf").write_text("{}")
    scan(columns=3).tofile(tmp_path / "gltf" / "chair.bin")
    scan().tofile(tmp_path / "000000.bin")
    (RNG.normal(size=60_000).astype("<f4") / 50).tofile(tmp_path / "pytorch_model.bin")
    (tmp_path / "firmware.bin").write_bytes(RNG.bytes(4000))
    assert [path.name for path in find_shapes(tmp_path)] == ["000000.bin", "chair.gltf"]
