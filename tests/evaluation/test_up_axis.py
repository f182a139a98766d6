from types import SimpleNamespace

import numpy as np
import pytest

from clip2point.data import open_dataset
from clip2point.evaluation import up_axis
from clip2point.evaluation.up_axis import Doubt, doubt_up


def dataset(tmp_path, count, up="y"):
    path = tmp_path / "shapes.npz"
    names = np.array([f"shape {row}" for row in range(count)])
    np.savez(path, points=np.zeros((count, 8, 3)), labels=np.zeros(count, int), classes=["a", "b"], names=names)
    return open_dataset(f"npz:{path}", up=up)


@pytest.fixture
def doubt(tmp_path, monkeypatch):
    """What is said of shapes with the given confidences [N] by axis, and with which axes each shape was looked at."""

    def asked(confidences, up="y"):
        shapes = dataset(tmp_path, len(confidences[up]), up)
        seen = []

        def run(model, some, seed, progress=None, labels=None):
            rows = [shapes.names.index(name) for name in some.names]
            seen.append((some.up, rows))
            first = np.asarray(confidences[some.up])[rows]
            return SimpleNamespace(
                seed=seed,
                sampled=SimpleNamespace(names=some.names),
                probabilities=np.stack([first, 1 - first], 1),
                labels=("a", "b"),
            )

        whole = run(None, shapes, 3)
        whole.sampled = shapes
        monkeypatch.setattr(up_axis, "run_zero_shot", run)
        return doubt_up(None, shapes, whole), seen[1:]

    return asked


def test_an_axis_that_makes_most_shapes_surer_is_said(doubt):
    found, seen = doubt({"y": np.full(100, 0.6), "z": np.r_[np.full(80, 0.9), np.full(20, 0.55)]})
    assert found == Doubt("y", "z", surer=19, shapes=24)
    ((up, rows),) = seen
    assert (up, len(rows), rows[0], rows[-1]) == ("z", 24, 0, 99)
    found, seen = doubt({"x": np.full(12, 0.6), "y": np.full(12, 0.8), "z": np.full(12, 0.9)}, up="x")
    assert found == Doubt("x", "z", surer=12, shapes=12)
    assert [up for up, _ in seen] == ["y", "z"]


@pytest.mark.parametrize(
    "other",
    [
        np.full(40, 0.6),  # neither is better
        np.full(40, 0.7),  # all a little surer
        np.r_[np.full(20, 1.0), np.full(20, 0.55)],  # half of them much surer
    ],
)
def test_what_is_not_clear_is_not_said(doubt, other):
    assert doubt({"y": np.full(40, 0.6), "z": other})[0] is None


def test_of_few_shapes_nothing_is_said(doubt):
    assert doubt({"y": np.full(9, 0.5), "z": np.full(9, 1.0)}) == (None, [])


def test_shapes_that_could_not_be_read_are_left_out(tmp_path, monkeypatch):
    shapes = dataset(tmp_path, 14)
    readable = shapes.take(np.flatnonzero(np.arange(14) != 5))
    run = SimpleNamespace(seed=0, sampled=readable, probabilities=np.full((13, 2), 0.5), labels=("a", "b"))
    names = []

    def looked_at(model, some, seed, progress, labels):
        names.extend(some.names)
        return SimpleNamespace(probabilities=np.full((len(some), 2), 0.5))

    monkeypatch.setattr(up_axis, "run_zero_shot", looked_at)
    assert doubt_up(None, shapes, run) is None
    assert names == list(readable.names)
