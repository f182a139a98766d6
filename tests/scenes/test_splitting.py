"""Scans of things on a table: as many parts as things, whatever way the table stands."""

import numpy as np
import pytest

from clip2point.scenes import split_cloud
from scene_fixtures import overlap, scan, turn


def test_each_block_is_one_part(table):
    points, instances = table
    split = split_cloud(points, np.array([0.0, 1, 0]))
    assert split.instances.max() == 2
    assert overlap(instances, split.instances) == pytest.approx(1, abs=0.05)
    assert len(split.supports) == 1
    assert split.viewpoint is not None
    assert split.supports[0].normal == pytest.approx([0, 1, 0], abs=0.02)


@pytest.mark.parametrize("angles", [(30, 0, 20), (90, 0, 0), (180, 30, 0)], ids=["tilted", "z up", "upside down"])
def test_a_table_may_stand_in_any_way(table, angles):
    points, instances = table
    matrix = turn(*angles)
    split = split_cloud(points @ matrix.T)
    assert split.instances.max() == 2
    assert overlap(instances, split.instances) == pytest.approx(1, abs=0.05)
    assert split.supports[0].normal == pytest.approx(matrix @ [0, 1, 0], abs=0.02)


def test_unit_and_place_do_not_matter(table):
    points, _ = table
    one, other = split_cloud(points), split_cloud(points * 1000 + [5e4, 0, -3e4])
    assert np.mean(one.instances == other.instances) > 0.999


def test_the_same_scan_is_split_in_the_same_way(table):
    points, _ = table
    np.testing.assert_array_equal(split_cloud(points).instances, split_cloud(points).instances)


def test_blocks_that_touch_are_two():
    points, instances = scan([((0.2, 0.25, 0.2), (-0.1, 0)), ((0.25, 0.1, 0.12), (0.125, 0))])
    split = split_cloud(points)
    assert split.instances.max() == 1
    assert overlap(instances, split.instances) > 0.9


def test_a_block_behind_another_is_one():
    points, instances = scan([((0.1, 0.3, 0.1), (0, 0.25)), ((0.6, 0.15, 0.15), (0, -0.05))], azimuths=(0,))
    split = split_cloud(points)
    assert split.instances.max() == 1
    assert overlap(instances, split.instances) > 0.9


def test_a_plane_alone_has_nothing_on_it():
    points, _ = scan([])
    split = split_cloud(points, np.array([0.0, 1, 0]))
    assert (split.instances == -1).all()
    assert split.notes == ("a plane with nothing on it",)


@pytest.mark.parametrize("up", [None, np.array([0.0, 1, 0])], ids=["undeclared", "declared"])
def test_one_thing_without_support_is_one_part(up):
    sphere = np.random.default_rng(0).normal(size=(5000, 3))
    split = split_cloud(sphere / np.linalg.norm(sphere, axis=1, keepdims=True), up)
    assert (split.instances == 0).all()
    assert "one thing" in split.notes[0]


def test_things_far_apart_without_support_are_two():
    sphere = np.random.default_rng(0).normal(size=(5000, 3))
    sphere /= np.linalg.norm(sphere, axis=1, keepdims=True)
    split = split_cloud(np.concatenate([sphere, sphere[:2000] + np.array([4, 0, 0])]))
    assert np.bincount(split.instances).tolist() == [5000, 2000]


@pytest.mark.parametrize("count", [2, 3, 10, 40])
def test_a_handful_of_points_is_one_thing(count):
    points = np.random.default_rng(0).normal(size=(count, 3))
    assert (split_cloud(points).instances == 0).all()


def test_equal_points_are_one_thing():
    assert (split_cloud(np.zeros((1000, 3))).instances == 0).all()


def test_crumbs_are_left_out_and_said(table):
    points, _ = table
    crumbs = np.random.default_rng(0).uniform([-0.8, 0.05, -0.6], [0.8, 0.5, 0.6], (300, 3))
    split = split_cloud(np.concatenate([points, crumbs]))
    assert split.instances.max() <= 3
    assert any("left out" in note for note in split.notes)


def test_many_points_are_thinned_and_all_numbered(table):
    points, instances = table
    many = np.repeat(points, 9, axis=0) + np.random.default_rng(0).normal(0, 5e-4, (9 * len(points), 3))
    split = split_cloud(many)
    assert len(split.instances) == len(many)
    assert overlap(np.repeat(instances, 9), split.instances) > 0.9
    assert any(note.startswith("split by ") for note in split.notes)


def test_a_thing_with_a_large_flat_side_is_one_part():
    generator = np.random.default_rng(0)
    top = generator.uniform(-1, 1, (4000, 3)) * [1, 0, 1]
    ball = generator.normal(size=(2000, 3))
    dome = ball / np.linalg.norm(ball, axis=1, keepdims=True)
    dome[:, 1] = -np.abs(dome[:, 1])
    assert split_cloud(np.concatenate([top, dome]), np.array([0.0, 1, 0])).instances.tolist() == [0] * 6000
