import numpy as np
import pytest
import torch

from clip2point.backbones.transformers_backbone import load_transformers_backbone
from clip2point.core.errors import DataError, OptionError
from clip2point.data import open_dataset
from clip2point.evaluation.measurement import evaluate
from clip2point.evaluation.zero_shot_run import run_zero_shot
from clip2point.model import Recogniser, kept_views
from clip2point.model.settings import Settings
from clip2point.shapes import Shape, sample_points
from clip2point_shapes import generate

CLASSES = ("chair", "table", "lamp")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CLIP2POINT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def npz(tmp_path):
    """Nine generated clouds of 400 points."""
    meshes = [generate(name, seed=seed) for name in CLASSES for seed in range(3)]
    points = np.stack([sample_points(Shape(mesh.vertices, mesh), 400) for mesh in meshes])
    path = tmp_path / "shapes.npz"
    np.savez(path, points=points, labels=np.repeat(np.arange(3), 3), classes=np.array(CLASSES), up="y")
    return path


@pytest.fixture(scope="module")
def backbone(tiny_clip):
    return load_transformers_backbone(tiny_clip, dtype="fp32")


def recogniser(backbone, **changes):
    return Recogniser(backbone, Settings(**{"points": 200, "radius": 0.08, **changes}), "tiny")


def test_equal_to_classifying_one_by_one(backbone, npz):
    model, dataset = recogniser(backbone, points=400), open_dataset(f"npz:{npz}", split="all")
    run = run_zero_shot(model, dataset, seed=0)
    assert run.probabilities.shape == (9, 3)
    np.testing.assert_allclose(run.probabilities.sum(1), 1)
    for index in range(9):
        answer = model.classify(dataset.read(index), CLASSES)
        assert answer.label == CLASSES[run.probabilities[index].argmax()]
        assert answer.confidence == pytest.approx(run.probabilities[index].max(), abs=1e-5)


@pytest.mark.slow
def test_the_second_time_nothing_is_computed(backbone, npz, monkeypatch):
    model, dataset = recogniser(backbone), open_dataset(f"npz:{npz}", split="all")
    first = run_zero_shot(model, dataset, seed=0)
    monkeypatch.setattr(kept_views, "encode_paths", lambda *arguments: pytest.fail("computed again"))
    second = run_zero_shot(model, dataset, seed=0)
    np.testing.assert_array_equal(first.probabilities, second.probabilities)


@pytest.mark.parametrize(
    "changes",
    [{"radius": 0.09}, {"views": "clip2point-10"}, {"style": "pointclip"}, {"points": 201}],
    ids=lambda changes: next(iter(changes)),
)
def test_a_changed_setting_never_finds_old_features(backbone, npz, tmp_path, monkeypatch, changes):
    dataset = open_dataset(f"npz:{npz}", split="all")
    run_zero_shot(recogniser(backbone), dataset, seed=0)
    model = recogniser(backbone, **changes)
    changed = run_zero_shot(model, dataset, seed=0)
    monkeypatch.setenv("CLIP2POINT_CACHE", str(tmp_path / "fresh"))
    fresh = run_zero_shot(model, dataset, seed=0)
    np.testing.assert_array_equal(changed.probabilities, fresh.probabilities)


def test_changed_weights_seeds_up_axes_and_data_never_find_old_features(tiny_clip, npz, monkeypatch):
    model = recogniser(load_transformers_backbone(tiny_clip, dtype="fp32"))
    dataset = open_dataset(f"npz:{npz}", split="all")
    computed = []
    original = kept_views.encode_paths
    monkeypatch.setattr(kept_views, "encode_paths", lambda *a: computed.append(1) or original(*a))
    run_zero_shot(model, dataset, 0)
    assert len(computed) == 1
    run_zero_shot(model, dataset, 1)
    assert len(computed) == 2
    run_zero_shot(model, open_dataset(f"npz:{npz}", split="all", up="z"), 0)
    assert len(computed) == 3
    with torch.no_grad():
        model.backbone._towers["depth"].vision.encoder.layers[1].mlp.fc1.bias[0] += 0.5
    run_zero_shot(model, dataset, 0)
    assert len(computed) == 4
    arrays = dict(np.load(npz))
    arrays["points"][0] *= 1.5
    arrays["points"][0, 0] += 0.1
    np.savez(npz, **arrays)
    run_zero_shot(model, open_dataset(f"npz:{npz}", split="all"), 0)
    assert len(computed) == 5


def test_the_up_axis_must_be_known(backbone, npz):
    arrays = {name: array for name, array in np.load(npz).items() if name != "up"}
    np.savez(npz, **arrays)
    with pytest.raises(OptionError, match="does not say which axis points up; give --up y or --up z"):
        run_zero_shot(recogniser(backbone), open_dataset(f"npz:{npz}", split="all"), 0)


def test_a_set_of_broken_files_only(backbone, tmp_path):
    folder = tmp_path / "set" / "chair"
    folder.mkdir(parents=True)
    (folder / "a.off").write_text("nothing")
    dataset = open_dataset(f"folder:{tmp_path / 'set'}", split="all", up="y")
    with pytest.raises(DataError, match="none of its 1 shapes can be read; the first: .*a.off"):
        run_zero_shot(recogniser(backbone), dataset, 0)


def test_other_words_for_the_classes_are_offered(backbone, npz):
    model, dataset = recogniser(backbone), open_dataset(f"npz:{npz}", split="all")
    words = ("seat|chair", "desk|table", "lamp")
    run = run_zero_shot(model, dataset, seed=0, labels=("lamp", "seat|chair", "desk|table"))
    assert run.labels == words
    for index in (0, 4, 8):
        answer = model.classify(Shape(run.sampled.points[index], up="y"), words)
        assert answer.label == words[run.probabilities[index].argmax()].split("|")[0]
    assert not np.array_equal(run.probabilities, run_zero_shot(model, dataset, seed=0).probabilities)
    with pytest.raises(OptionError, match="no label for the classes table"):
        run_zero_shot(model, dataset, seed=0, labels=["chair", "lamp"])
    measured = evaluate(model, dataset, labels=words)
    assert measured.to_dict()["labels"] == list(words)
    assert list(measured.metrics[0].per_class) == list(CLASSES)
