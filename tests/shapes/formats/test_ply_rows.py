"""The compiled walk through PLY rows, against a plain one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clip2point.shapes.formats.ply_rows import gather, walk

layout = st.lists(
    st.tuples(st.sampled_from([None, "u1", "i1", "u2", "i2", "u4", "i4", "u8", "f8"]), st.sampled_from([1, 2, 4, 8])),
    min_size=1,
    max_size=4,
)


@given(layout, st.lists(st.lists(st.integers(0, 3), min_size=4, max_size=4), max_size=6), st.sampled_from("<>"))
def test_rows_of_any_layout_are_found(layout, sizes, order):
    data, expected = b"head", []
    for row in sizes:
        for (count, width), size in zip(layout, row, strict=False):
            if count is None:
                size = 1
            else:
                data += np.array(size, order + count).tobytes()
            expected.append((len(data), size))
            data += bytes(range(size * width))
    counts = [count and np.dtype(order + count) for count, _ in layout]
    widths = [width for _, width in layout]
    starts, found, end = walk(data + b"tail", 4, len(sizes), counts, widths)
    assert list(zip(starts.ravel(), found.ravel(), strict=True)) == expected
    assert end == len(data)
    for i, width in enumerate(widths):
        values = [data[start : start + size * width] for start, size in expected[i :: len(layout)]]
        assert gather(data, starts[:, i], found[:, i] * width).tobytes() == b"".join(values)
    if len(data) > 4 and sizes:
        last_matters = expected[-1][1] > 0 or counts[-1] is not None
        assert (walk(data[:-1], 4, len(sizes), counts, widths)[2] == -1) == last_matters


@pytest.mark.parametrize(
    ("count", "value"), [("i1", -1), ("i4", -5), ("i8", -(2**40)), ("u8", 2**63 + 5), ("u4", 2**32 - 1)]
    + [("f8", value) for value in (-1.0, 0.5, 1e300, np.nan, np.inf)],
)  # fmt: skip
@pytest.mark.parametrize("order", "<>")
def test_impossible_sizes_are_refused(count, value, order):
    dtype = np.dtype(order + count)
    assert walk(np.array(value, dtype).tobytes() + bytes(64), 0, 1, [dtype], [1])[2] == -1
