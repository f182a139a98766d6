"""The protocol "scene": figures by hand, and scenes that are no scenes."""

import json

import numpy as np
import pytest

from clip2point.cli.main import main
from clip2point.core.errors import DataError
from clip2point.evaluation.scene_files import list_scenes, read_scene
from clip2point.evaluation.scene_protocol import SceneMeasurement, SceneScore, evaluate_scenes, measure_overlaps
from scene_fixtures import scan


def test_overlaps_by_hand():
    true, found = np.array([0, 0, 0, 1, 1, -1]), np.array([0, 0, 1, 1, 1, 1])
    np.testing.assert_allclose(measure_overlaps(true, found), [[2 / 3, 1 / 6], [0, 1 / 2]])


def test_figures_by_hand():
    scores = (SceneScore("a", (0.9, 0.4), ((0, 0),), 3, (1, 0), (1, 1)), SceneScore("b", (0.7,), ((0, 1),), 2))
    figures = SceneMeasurement(scores, (), "pocket", "").figures()
    assert figures["mean_best_iou"] == pytest.approx(2 / 3)
    assert figures["precision"] == pytest.approx(2 / 5)
    assert figures["recall"] == pytest.approx(2 / 3)
    assert figures["panoptic_quality"] == pytest.approx(1.6 / (2 + 4 / 2))
    assert figures["naming_accuracy"] == 0.5
    assert figures["naming_accuracy_on_true_segments"] == 1


@pytest.fixture
def scene(tmp_path):
    points, instances = scan(resolution=200)
    path = tmp_path / "scene.npz"
    np.savez(path, points=points, instances=instances * 2, labels=np.array(["", "", "a", "", "b", "", "c"]), up="y")
    return path


def test_a_scene_has_its_objects_names_and_up_axis(scene):
    found = read_scene(scene)
    assert found.names == ("a", "b", "c")
    assert np.unique(found.instances).tolist() == [-1, 0, 1, 2]
    assert found.shape.up == "y"


def test_labels_may_be_given_for_each_point(tmp_path):
    points, instances = scan(resolution=100)
    names = np.array(["table", "x", "y", "z"])[instances]
    np.savez(tmp_path / "a.npz", points=points, instances=instances, labels=names)
    assert read_scene(tmp_path / "a.npz").names == ("x", "y", "z")


def test_scans_of_blocks_are_split_rightly(scene):
    figures = evaluate_scenes([scene]).figures()
    assert figures["mean_best_iou"] > 0.93
    assert figures["precision"] == figures["recall"] == 1
    assert figures["naming_accuracy"] is None


def test_the_command_measures_names_too(scene, tiny_clip, capsys):
    (scene.parent / "broken.npz").write_bytes(b"PK")
    words = ["evaluate", str(scene.parent), "--protocol", "scene", "--model", str(tiny_clip), "--json"]
    assert main(words) == 1
    record = json.loads(capsys.readouterr().out)
    assert record["objects"] == 3
    assert 0 <= record["naming_accuracy"] <= 1
    assert len(record["failures"]) == 1


@pytest.mark.parametrize("arrays", [{}, {"instances": np.zeros(3, int)}, {"instances": np.zeros(100)}])
def test_files_without_instances_are_refused(arrays, tmp_path):
    np.savez(tmp_path / "a.npz", points=np.random.default_rng(0).normal(size=(100, 3)), **arrays)
    with pytest.raises(DataError, match="'instances' of 100 integers"):
        read_scene(tmp_path / "a.npz")


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(DataError, match="no .npz files"):
        list_scenes(str(tmp_path / "none"))
