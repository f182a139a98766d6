"""NPY and NPZ; above all nothing is unpickled."""

import io
import zipfile

import numpy as np
import pytest
from sample_files import CLOUD, write_sample

from clip2point.core.errors import ShapeError
from clip2point.shapes import load_shape


class Trap:
    def __reduce__(self):
        return exec, ("raise SystemExit('unpickled')",)


def npy(shape, dtype="<f4", body=b"") -> bytes:
    header = repr({"descr": dtype, "fortran_order": False, "shape": shape}).encode()
    header = header.ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + body


def refuse(path, message):
    with pytest.raises(ShapeError, match=message):
        load_shape(path)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f8", "i2", "i4", ">i8", "u1"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_number_types_and_orders_do_not_matter(tmp_path, dtype, order):
    points = np.arange(20).reshape(5, 4).astype(dtype, order=order)
    np.save(tmp_path / "a.npy", points)
    np.testing.assert_array_equal(load_shape(tmp_path / "a.npy").points, points[:, :3].astype(np.float32))


def test_archives_give_their_points(tmp_path):
    np.testing.assert_array_equal(load_shape(write_sample("cloud.npz", tmp_path)).points, CLOUD)
    np.savez(tmp_path / "only.npz", normals=CLOUD, labels=np.arange(9), faces=np.zeros((2, 3, 3)))
    np.testing.assert_array_equal(load_shape(tmp_path / "only.npz").points, CLOUD)
    np.savez(tmp_path / "two.npz", a=CLOUD, b=CLOUD)
    refuse(tmp_path / "two.npz", "has 2 arrays that could be points: expected one named 'points' or 'xyz', or a")
    np.savez(tmp_path / "none.npz", a=np.arange(3))
    refuse(tmp_path / "none.npz", "has 0 arrays that could be points")
    np.savez(tmp_path / "set.npz", points=np.zeros((2, 5, 3)))
    refuse(tmp_path / "set.npz", r"array \[2, 5, 3\]: .* \(a data set of many clouds\? give it as npz:PATH\)")


@pytest.mark.parametrize(
    "fields",
    [
        [("x", "f4"), ("y", "f4"), ("z", "f4")],
        [("intensity", "u1"), ("Z", "f8"), ("Y", "f8"), ("X", "f8")],
        [("rgb", "u1", 3), ("xyz", "f4", 3)],
    ],
)
def test_named_fields_are_read(tmp_path, fields):
    rows = np.zeros(len(CLOUD), fields)
    if "xyz" in rows.dtype.names:
        rows["xyz"] = CLOUD
    for name in set(rows.dtype.names) & {*"xyzXYZ"}:
        rows[name] = CLOUD[:, "xyz".index(name.lower())]
    np.save(tmp_path / "a.npy", rows)
    np.testing.assert_array_equal(load_shape(tmp_path / "a.npy").points, CLOUD.astype(np.float32))
    np.savez(tmp_path / "a.npz", cloud=rows, labels=np.arange(3))
    np.testing.assert_array_equal(load_shape(tmp_path / "a.npz").points, CLOUD.astype(np.float32))


def test_arrays_are_chosen_by_name(tmp_path):
    np.savez(tmp_path / "a.npz", rgb=np.zeros_like(CLOUD), xyz=CLOUD)
    np.testing.assert_array_equal(load_shape(tmp_path / "a.npz").points, CLOUD)
    np.savez(tmp_path / "b.npz", x=CLOUD[:, 0], y=CLOUD[:, 1], z=CLOUD[:, 2])
    np.testing.assert_array_equal(load_shape(tmp_path / "b.npz").points, CLOUD)


def test_other_fields_are_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros(5, [("a", "f4"), ("b", "f4"), ("c", "f4")]))
    refuse(tmp_path / "a.npy", "has an array with the fields 'a', 'b', 'c': expected x, y, z")


def test_nothing_is_unpickled(tmp_path):
    np.save(tmp_path / "trap.npy", np.array([Trap()]), allow_pickle=True)
    refuse(tmp_path / "trap.npy", "holds pickled Python objects, which could run code")
    np.savez(tmp_path / "trap.npz", points=np.array([Trap()]))
    refuse(tmp_path / "trap.npz", "holds pickled Python objects")
    np.savez(tmp_path / "beside.npz", points=CLOUD, names=np.array([Trap()]))
    assert len(load_shape(tmp_path / "beside.npz").points) == len(CLOUD)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (npy((10**9, 3)), "has 1,000,000,000 points: expected at most 50,000,000"),
        (npy((10**7, 3), body=bytes(120)), "declares 30,000,000 numbers, but only 120 bytes follow"),
        (npy((10, 3), body=bytes(119)), "declares 30 numbers, but only 119 bytes follow"),
        (npy((0, 10**30)), "has 1,000,000,[0,]+ columns: expected at most"),
        (npy((5,), body=bytes(20)), r"has an array \[5\]: expected points \[N, 3 or more\]"),
        (npy((5, 2), body=bytes(40)), r"has an array \[5, 2\]"),
        (npy((-5, 3), body=bytes(40)), "has an array of shape"),
        (npy((5, 3), "<c8", bytes(120)), "has an array of type complex64"),
        (npy((5, 3), "<U9", bytes(540)), "has an array of type <U9"),
        (npy((5, 3), "|O", bytes(540)), "holds pickled Python objects"),
        (npy((5, 3), "zzz"), "has no readable NPY header"),
        (b"\x80\x04K\x01.", "has no readable NPY header"),
        (npy((5, 3), body=b"\0\0\xc0\x7f" * 15), "has NaN or infinite coordinates in 5 of 5 points"),
    ],
)
def test_other_arrays_are_refused(tmp_path, data, message):
    (tmp_path / "bad.npy").write_bytes(data)
    refuse(tmp_path / "bad.npy", message)
    with zipfile.ZipFile(tmp_path / "bad.npz", "w") as archive:
        archive.writestr("points.npy", data)
    refuse(tmp_path / "bad.npz", message)


@pytest.mark.slow
def test_a_zip_bomb(tmp_path):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("points.npy", npy((6_000_000, 3), body=bytes(72_000_000)))
    (tmp_path / "bomb.npz").write_bytes(stream.getvalue())
    refuse(tmp_path / "bomb.npz", "the member 'points.npy' decompresses to more than 16,777,216 bytes")
    (tmp_path / "half.npz").write_bytes(stream.getvalue()[:9000])
    refuse(tmp_path / "half.npz", "is not a whole NPZ archive")


def test_arrays_beside_the_points_and_meshes(tmp_path):
    points = np.random.default_rng(0).random((5, 3))
    np.savez(tmp_path / "a.npz", cloud=points, rgb=points, normals=points)
    assert np.array_equal(load_shape(tmp_path / "a.npz").points, points.astype(np.float32))
    np.savez(tmp_path / "b.npz", vertices=points, faces=np.array([[0, 1, 2], [2, 3, 4]]))
    assert load_shape(tmp_path / "b.npz").mesh.faces.tolist() == [[0, 1, 2], [2, 3, 4]]
