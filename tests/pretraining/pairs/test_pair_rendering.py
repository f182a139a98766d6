import hashlib
import io
import json

import numpy as np
import pytest
from PIL import Image

from clip2point.core.errors import ShapeError
from clip2point.data.pairs import PairInfo
from clip2point.pretraining.pairs import SourceModel, open_source
from clip2point.pretraining.pairs.pair_rendering import render_pair, report_crash
from clip2point.rendering import shaded, view_set
from clip2point.rendering.shaded import FIELD_OF_VIEW, render_color
from clip2point.shapes import Mesh, Shape, sample_points, shape_from_points, to_unit_sphere


def model(opener, key="one"):
    return SourceModel(PairInfo(key, ("thing",), "", "", "", "test"), opener)


def box(offset=(0.0, 0.0, 0.0), size=(1.0, 2.0, 3.0)):
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], dtype=np.float32)
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = [(a, b, c) for a, b, c, _ in quads] + [(a, c, d) for a, _, c, d in quads]
    mesh = Mesh.plain(corners * np.float32(size) + np.float32(offset), np.array(faces))
    return Shape(mesh.vertices, mesh)


@pytest.fixture(scope="module")
def sample():
    return open_source("samples:1").models[40]


@pytest.mark.slow
def test_a_pair_holds_points_views_and_facts(sample):
    files = render_pair(sample, 3).files
    assert list(files) == ["json", "points.npy", *(f"view{i}.png" for i in range(10))]
    points = np.load(io.BytesIO(files["points.npy"]), allow_pickle=False)
    assert points.shape == (8192, 3)
    assert points.dtype == np.float32
    np.testing.assert_allclose(points.mean(axis=0), 0, atol=1e-5)
    assert np.linalg.norm(points, axis=1).max() == pytest.approx(1)
    info = json.loads(files["json"])
    assert info["caption"] == sample.info.caption
    assert (info["seed"], info["views"]) == (3, "clip2point-10")
    for number in range(10):
        image = Image.open(io.BytesIO(files[f"view{number}.png"]))
        assert (image.size, image.mode) == ((224, 224), "RGB")


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes(sample):
    assert render_pair(sample, 0) == render_pair(sample, 0)
    assert render_pair(sample, 0).files["points.npy"] != render_pair(sample, 1).files["points.npy"]


def test_points_depend_on_the_key():
    one, other = (render_pair(model(box, key), 0).files["points.npy"] for key in ("one", "other"))
    assert one != other


def test_points_are_those_of_the_seed_and_key(monkeypatch):
    framed = {}
    monkeypatch.setattr(
        shaded, "render_color", lambda *rest, **frame: framed.update(frame) or render_color(*rest, **frame)
    )
    points = np.load(io.BytesIO(render_pair(model(box, "key"), 3).files["points.npy"]))
    drawn = sample_points(box(), 8192, int.from_bytes(hashlib.sha256(b"3/key").digest()[:4], "big"))
    np.testing.assert_array_equal(points, to_unit_sphere(drawn))
    # The images have the frame of the points.
    np.testing.assert_allclose(framed["center"], drawn.mean(axis=0), atol=1e-4)
    assert framed["scale"] == pytest.approx(np.linalg.norm(drawn - framed["center"], axis=1).max())


def test_both_sides_of_a_pair_line_up():
    files = render_pair(model(lambda: box((50, -20, 7), (6, 5, 4))), 0).files
    points = np.load(io.BytesIO(files["points.npy"]))
    for number, rotation in enumerate(view_set("clip2point-10").rotations):
        solid = (np.asarray(Image.open(io.BytesIO(files[f"view{number}.png"]))) < 250).any(axis=2)
        left, up, away = (points @ rotation).T
        focal = 1 / np.tan(np.radians(FIELD_OF_VIEW / 2))
        columns, rows = ((1 - focal * place / (away + 2)) * 112 for place in (left, up))
        hit = np.zeros((224, 224), dtype=bool)
        hit[rows.astype(int), columns.astype(int)] = True
        # Every point falls on the picture of the surface (its edge may be faint), and the points reach its edges.
        assert (hit & ~solid).sum() < 0.02 * hit.sum()
        for axis in (0, 1):
            ends = [np.flatnonzero(mask.any(axis=axis))[[0, -1]] for mask in (hit, solid)]
            np.testing.assert_allclose(*ends, atol=2)


def test_a_crash_is_told_with_the_key_of_its_model():
    found = report_crash(model(box, "heavy"))
    assert (found.key, found.files) == ("heavy", {})
    assert found.error.startswith("heavy: ended the process that rendered it")


def test_broken_models_are_answers():
    def missing():
        raise ShapeError("chair.off: is missing")

    def bug():
        raise ZeroDivisionError("oh")

    assert render_pair(model(missing), 0).error == "one: chair.off: is missing"
    assert render_pair(model(bug), 0).error == "one: ZeroDivisionError (oh) while rendering"
    cloud = render_pair(model(lambda: shape_from_points(np.random.default_rng(0).random((100, 3)))), 0)
    assert "has no surface" in cloud.error
    assert not cloud.files
