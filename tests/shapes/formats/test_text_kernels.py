"""Compiled scanning: the numbers that NumPy reads, to the last bit, from whatever stands in a file."""

import struct

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clip2point.core.errors import ShapeError
from clip2point.shapes.formats import lines, obj, off, stl, text
from clip2point.shapes.formats.text import parse_integers, parse_numbers

FORMATS = ["%.6f", "%g", "%r", "%.17g", "%.16e", "%.3e", "%+.9f", "%.0f", "%.19f", "%.25e"]


class Alone:
    """Companions of a file without neighbours."""

    def read(self, name):
        return None

    read_texture = read


def either_way(monkeypatch, read, data):
    """Return what a reader makes of bytes: compiled and not."""
    found = []
    for compiled in (True, False):
        with monkeypatch.context() as patch:
            for module in (text, lines, stl):
                patch.setattr(module, "kernels_pay", lambda _, compiled=compiled: compiled)
            try:
                parsed = read(data, Alone())
                found.append((parsed.vertices.tolist(), None if parsed.faces is None else parsed.faces.tolist()))
            except (ShapeError, ValueError, OverflowError) as error:
                found.append(type(error))
    return found


@given(st.lists(st.tuples(st.floats(allow_nan=False), st.sampled_from(FORMATS)), min_size=1, max_size=40))
def test_decimal_numbers_are_rounded_to_the_nearest(numbers):
    words = [form % number for number, form in numbers]
    assert parse_numbers(" ".join(words)).tobytes() == struct.pack(f"{len(words)}d", *map(float, words))


@given(st.integers(0, 2**64 - 1), st.integers(-30, 30))
def test_numbers_of_many_digits_are_rounded_to_the_nearest(mantissa, exponent):
    word = f"{mantissa}e{exponent}"
    assert parse_numbers(word).tobytes() == struct.pack("d", float(word))


@given(st.integers(2**52, 2**53 - 1), st.integers(1, 10), st.sampled_from([-1, 0, 1]))
def test_ties_between_two_doubles_are_rounded_to_even(mantissa, shift, nudge):
    """Halfway between two neighbours, and one digit beside it."""
    word = str((2 * mantissa + 1) * 2**shift * 10**3 // 2**shift // 2 + nudge) + "e-3"
    assert parse_numbers(word).tobytes() == struct.pack("d", float(word))


@given(st.text(st.sampled_from("0123456789 +-.eE\n\tnaif/"), max_size=60))
@example("1-2 3")
@example("1_0")
@example("5 nan -inf .5 5. -0 1e999 1e-999")
def test_wild_text_is_read_as_numpy_reads_it_or_refused(words):
    for parse, dtype in ((parse_numbers, np.float64), (parse_integers, np.int64)):
        try:
            expected = text._parse(words.encode(), dtype)
        except ShapeError:
            with pytest.raises(ShapeError):
                parse(words)
        else:
            np.testing.assert_array_equal(parse(words), expected)


LINES = st.sampled_from(
    [
        "v 0 0 0", "v 1 0 0.5", "v 1 1 0 0.2 0.3 1", "v 0.1 1 0 # here", "  v 2 2 2", "v\t3 3 1e-3", "v 1 2",
        "vt 0 1", "vn 0 0 1", "f 1 2 3", "f 1/1 2/1 3/1", "f 1//1 2//2 3//3", "f 1/1/1 2/2/2 3/3/3 4/4/4",
        "f -1 -2 -3", "f 1 2/1 3", "f 1/2 3 4/5/6", "f 1 2 3 # v 1", "f 1/x 2 3", "f", "v", "usemtl a", "g v f",
        "", "#", "# f 1 2 3", "f 1/ 2/ 3/", "f +1 2 3", "v 1 v 2", "v nan 0 0", "v 0.12345678901234567890 1 2",
    ]
)  # fmt: skip


@given(st.lists(LINES, max_size=12), st.sampled_from(["\n", "\r\n", " \n"]))
def test_obj_is_the_same_compiled_or_not(found, end):
    data = end.join(["v 0 0 0", "v 1 0 0", "v 0 1 0", *found]).encode()
    with pytest.MonkeyPatch.context() as patch:
        compiled, plain = either_way(patch, obj.read, data)
    assert repr(compiled) == repr(plain)


VERTICES = st.sampled_from(
    ["vertex 0 0 0", "vertex 1 0 0", "VERTEX\t1 1 .5", "vertex 1 2", "vertex 1 2 3 4", "vertex a b c", "Vertex 1 2 3",
     "vertex 1 2 12345678901234567890.5", "facet normal 0 0 1", "outer loop", "vertex", "vertex-like 1 2 3"]
)  # fmt: skip


@given(st.lists(VERTICES, max_size=9))
def test_stl_is_the_same_compiled_or_not(found):
    data = "\n".join(["solid x", *found, "endsolid x"]).encode()
    with pytest.MonkeyPatch.context() as patch:
        compiled, plain = either_way(patch, stl.read, data)
    assert repr(compiled) == repr(plain)


@given(
    st.lists(st.sampled_from(["3 0 1 2", "4 0 1 2 3", "3 0 1 2 255 0 0", "2 0 1", "3 0 1", "9 0", "-1 2"]), max_size=6)
)
def test_off_is_the_same_compiled_or_not(faces):
    data = "\n".join([f"OFF\n4 {len(faces)} 0", "0 0 0", "1 0 0", "1 1 0", "0 1 0.25", *faces]).encode()
    with pytest.MonkeyPatch.context() as patch:
        compiled, plain = either_way(patch, off.read, data)
    assert repr(compiled) == repr(plain)
