import numpy as np
import pytest

from clip2point.backbones.runtimes import engine
from clip2point.backbones.runtimes.engine import CompiledTower, count_threads

ov = pytest.importorskip("openvino")
ops = pytest.importorskip("openvino.opset13")


def double_graph(shape):
    rows = ops.parameter(list(shape), np.float32, name="rows")
    return ov.Model([ops.multiply(rows, ops.constant(np.float32(2)))], [rows], "double")


@pytest.mark.parametrize("count", [0, 1, 3, 4, 9])
def test_rows_are_computed_in_batches_of_one_size(count):
    shapes = []

    def build(shape):
        shapes.append(shape)
        return double_graph(shape)

    tower = CompiledTower(build, 4, "float32")
    rows = np.random.default_rng(0).random((count, 3), dtype=np.float32)
    for _ in range(2):
        np.testing.assert_array_equal(tower(rows), 2 * rows)
    assert shapes == [(4, 3)]  # compiled once
    assert tower(np.ones((2, 5), np.float32)).shape == (2, 5)
    assert shapes == [(4, 3), (4, 5)]


def test_rows_of_another_layout_are_taken(monkeypatch):
    rows = np.asfortranarray(np.arange(12, dtype=np.float32).reshape(4, 3))
    np.testing.assert_array_equal(CompiledTower(double_graph, 4, "float32")(rows), 2 * rows)


@pytest.mark.parametrize(("value", "threads"), [("3", 3), ("2,1", 2), ("", 5), ("many", 5), ("0", 5)])
def test_threads_are_those_of_openmp_or_all_cores(monkeypatch, value, threads):
    monkeypatch.setattr(engine, "available_cores", lambda: 5)
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert count_threads() == threads
