"""Composed scenes: what stands where, and what a camera sees of it."""

import numpy as np
import pytest

from clip2point.core.errors import OptionError
from clip2point_shapes import compose, scan_composition, write_scenes


@pytest.mark.parametrize("kind", ["table", "room"])
def test_objects_stand_on_the_support_and_apart(kind):
    scene = compose(kind, seed=3, count=5)
    assert len(scene.objects) == len(scene.labels) >= 3
    boxes = []
    for mesh in scene.objects:
        assert mesh.vertices[:, 1].min() == pytest.approx(0, abs=1e-5)
        boxes.append((mesh.vertices.min(axis=0)[[0, 2]], mesh.vertices.max(axis=0)[[0, 2]]))
    for place, (low, high) in enumerate(boxes):
        for other_low, other_high in boxes[place + 1 :]:
            assert ((low > other_high) | (high < other_low)).any()


def test_seeds_and_the_held_out_part_differ():
    assert compose("table", 1).labels == compose("table", 1).labels
    drawn = {compose("table", seed, held_out=part).labels for seed in range(5) for part in (False, True)}
    assert len(drawn) == 10


def test_a_scan_has_points_of_the_visible_objects():
    scene = compose("table", seed=1, count=3)
    points, instances = scan_composition(scene, resolution=120)
    assert len(points) == len(instances)
    for number, mesh in enumerate(scene.objects, start=1):
        own = points[instances == number]
        assert (own > mesh.vertices.min(axis=0) - 0.02).all()
        assert (own < mesh.vertices.max(axis=0) + 0.02).all()


def test_files_have_all_that_the_protocol_reads(tmp_path):
    (path,) = write_scenes(tmp_path, "table", count=1, seed=4)
    with np.load(path) as arrays:
        assert arrays["instances"].max() < len(arrays["labels"])
        assert str(arrays["up"]) == "y"


@pytest.mark.parametrize("arguments", [("garden",), ("table", -1)])
def test_what_cannot_be_composed_is_refused(arguments):
    with pytest.raises(OptionError, match="expected 'table' or 'room'"):
        compose(*arguments)
