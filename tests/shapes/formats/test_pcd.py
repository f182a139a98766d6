"""PCD in its three encodings, and LZF."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_files import CLOUD, lzf_compress, write_sample

from clip2point.core.errors import ShapeError
from clip2point.shapes import load_shape
from clip2point.shapes.formats.lzf import decompress

HEADER = "VERSION 0.7\nFIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nCOUNT 1 1 1\nWIDTH 2\nHEIGHT 1\nPOINTS 2\n"


def load(tmp_path, header, body=b""):
    path = tmp_path / "shape.pcd"
    path.write_bytes(header.encode() + body)
    return load_shape(path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["text.pcd", "binary.pcd", "compressed.pcd"])
def test_all_encodings_give_the_same_points(tmp_path, name):
    np.testing.assert_array_equal(load_shape(write_sample(name, tmp_path)).points, CLOUD)


def test_doubles_integers_and_a_missing_count_are_read(tmp_path):
    header = "VERSION .7\nFIELDS label z y x\nSIZE 2 8 8 4\nTYPE U F F I\nWIDTH 2\nHEIGHT 1\nPOINTS 2\nDATA binary\n"
    rows = np.array([(1, 0.5, 2, 3), (2, 5, 6, -7)], np.dtype("<u2,<f8,<f8,<i4"))
    assert load(tmp_path, header, rows.tobytes()).points.tolist() == [[3, 2, 0.5], [-7, 6, 5]]


def test_missing_returns_of_a_sensor_are_left_out(tmp_path):
    body = b"nan nan nan\n0 0 0\n1 2 3\nnan nan nan\n"
    header = HEADER.replace("HEIGHT 1", "HEIGHT 2").replace("POINTS 2", "POINTS 4") + "DATA ascii\n"
    assert load(tmp_path, header, body).points.tolist() == [[0, 0, 0], [1, 2, 3]]
    shape = load(tmp_path, header.replace("HEIGHT 2", "HEIGHT 1"), body)
    assert shape.points.tolist() == [[0, 0, 0], [1, 2, 3]]
    assert shape.notes == ("2 of 4 points have NaN or infinite coordinates: left out",)


def test_fields_in_capitals_and_under_their_old_name(tmp_path):
    header = HEADER.replace("FIELDS x y z", "COLUMNS X Y Z") + "DATA ascii\n"
    assert load(tmp_path, header, b"0 0 0\n1 2 3\n").points.tolist() == [[0, 0, 0], [1, 2, 3]]


@pytest.mark.parametrize(
    ("header", "body", "message"),
    [
        ("hello\n", b"", "has no PCD header up to 'DATA'"),
        ("DATA ascii\n", b"0 0 0", "has a PCD header without FIELDS, SIZE, TYPE, POINTS"),
        (HEADER + "DATA ascii\n", b"0 0.25 0\n1 1\n", "has 5 numbers, but 2 points need 6: the file is cut off"),
        (HEADER + "DATA ascii\n", b"0 0 0\n1 1 x\n", "has text where numbers were expected"),
        (HEADER + "DATA binary\n", bytes(23), "declares 2 points, but only 23 bytes follow"),
        (HEADER + "DATA gzip\n", b"", "has PCD data 'gzip'"),
        (HEADER + "DATA binary_compressed\n", b"\1\2", "ends before its compressed points"),
        (HEADER + "DATA binary_compressed\n", struct.pack("<II", 10**9, 24), "declares 1,000,000,000 compressed bytes"),
        (HEADER + "DATA binary_compressed\n", struct.pack("<II", 2, 4 * 10**9) + b"ab", "this is a decompression bomb"),
        (HEADER + "DATA binary_compressed\n", struct.pack("<II", 2, 23) + b"ab", "declares 2 points, but only 23"),
        (HEADER + "DATA binary_compressed\n", struct.pack("<II", 2, 24) + b"\xff\xff", "has damaged compressed points"),
        (HEADER.replace("POINTS 2", "POINTS 1000000000") + "DATA binary\n", bytes(24), "declares 1,000,000,000 points"),
        (HEADER.replace("POINTS 2", "POINTS 1000000000") + "DATA ascii\n", bytes(24), "declares 1,000,000,000 points"),
        (HEADER.replace("POINTS 2", "POINTS -2") + "DATA ascii\n", b"", "has '-2' where a PCD header needs a count"),
        (HEADER.replace("x y z", "x y w") + "DATA ascii\n", b"", "has the fields 'x y w': expected x, y and z once"),
        (HEADER.replace("SIZE 4", "SIZE 3") + "DATA ascii\n", b"", "has a field of type F and size 3"),
        (HEADER.replace("TYPE F F", "TYPE F") + "DATA ascii\n", b"", "of different lengths"),
        (
            HEADER.replace("x y z", "x y z a")
            .replace("4 4 4", "4 4 4 4")
            .replace("F F F", "F F F F")
            .replace("1 1 1", "1 1 1 9999999"),
            b"DATA binary\n",
            "has a field with count 9999999",
        ),
    ],
)
def test_damaged_files_are_refused(tmp_path, header, body, message):
    with pytest.raises(ShapeError, match=message):
        load(tmp_path, header, body)


@given(st.binary(max_size=300) | st.builds(lambda b, n: b * n, st.binary(min_size=1, max_size=3), st.integers(1, 900)))
def test_lzf_unfolds_to_what_was_packed(data):
    assert decompress(lzf_compress(data), len(data)) == data


def test_lzf_repeats_may_overlap_themselves():
    # "abc", then 6 bytes from 3 back, then 20 from 1 back
    assert decompress(b"\x02abc" + bytes([4 << 5, 2]) + bytes([7 << 5, 11, 0]), 29) == b"abcabcabc" + b"c" * 20


@given(st.binary(max_size=60), st.integers(0, 200))
def test_lzf_of_noise_is_refused_or_fits(data, size):
    try:
        assert len(decompress(data, size)) == size
    except ShapeError as error:
        assert "damaged compressed points" in str(error)  # noqa: PT017
