"""Damaged files of every format: a valid shape or one ShapeError, never anything else, and quickly."""

import re
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sample_files import SAMPLES, write_sample

from clip2point.core.errors import ShapeError
from clip2point.shapes import load_shape, sample_points

WORDS = [b"-1", b"0", b"999999999", b"4294967295", b"99999999999999999999", b"nan", b"inf", b"1e300", b"1e-320", b"x"]
WORDS += [b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\0", b"\0\0\0\x80", b"\0\0\xc0\x7f", b"\0\0\x80\x7f"]

wound = st.tuples(
    st.sampled_from(["flip", "overwrite", "insert", "delete", "repeat", "cut", "digit", "number"]),
    st.floats(0, 1, exclude_max=True),
    st.booleans(),  # in the first 300 bytes, where the headers are
    st.integers(1, 20),
    st.sampled_from(WORDS),
)


def injure(data: bytes, wounds) -> bytes:
    for kind, where, in_header, length, word in wounds:
        place = int(where * min(len(data), 300 if in_header else len(data)))
        numbers = list(re.finditer(rb"\d+" if kind == "number" else rb"\d", data[: max(place, 300)]))
        head, middle, tail = data[:place], data[place : place + length], data[place + length :]
        if kind == "flip":
            data = head + bytes(byte ^ (1 << length % 8) for byte in middle[:1]) + middle[1:] + tail
        elif kind == "overwrite":
            data = head + word + data[place + len(word) :]
        elif kind == "insert":
            data = head + word + middle + tail
        elif kind == "delete":
            data = head + tail
        elif kind == "repeat":
            data = head + middle * 300 + tail
        elif kind == "cut":
            data = head
        elif numbers:
            match = numbers[int(where * len(numbers))]
            changed = word if kind == "number" else str(length % 10).encode()
            data = data[: match.start()] + changed + data[match.end() :]
    return data


def check_contract(shape) -> None:
    assert np.isfinite(shape.points).all()
    mesh = shape.mesh
    if mesh is None:
        return
    assert mesh.faces.min() >= 0
    assert mesh.faces.max() < len(mesh.vertices)
    assert mesh.face_materials.shape == (len(mesh.faces),)
    assert mesh.face_materials.max() < len(mesh.materials)
    assert mesh.uv is None or mesh.uv.shape == (len(mesh.vertices), 2)
    assert mesh.vertex_colors is None or mesh.vertex_colors.shape == (len(mesh.vertices), 3)
    assert all(0 <= level <= 1 for material in mesh.materials for level in material.color)


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLES)
def test_damaged_files_give_one_error_or_a_shape(tmp_path_factory, name):
    path = write_sample(name, tmp_path_factory.mktemp("damaged"))
    data = path.read_bytes()

    # LAZ is decoded in a process of its own, which takes a third of a second.
    @settings(
        max_examples=8 if name.endswith(".laz") else 80,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(wound, min_size=1, max_size=4))
    def run(wounds):
        path.write_bytes(injure(data, wounds))
        start = time.perf_counter()
        try:
            shape = load_shape(path)
        except ShapeError:
            shape = None
        if shape is not None:
            check_contract(shape)
            assert np.isfinite(sample_points(shape, 64)).all()
        assert time.perf_counter() - start < 10

    run()
