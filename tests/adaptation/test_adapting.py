import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file

import clip2point
from clip2point import AdaptSettings, FewShotClassifier
from clip2point.adaptation import adapting
from clip2point.adaptation.fine_tuning_settings import FineTuningRun
from clip2point.cli.main import main
from clip2point.core.errors import DataError, OptionError, ShapeError
from clip2point.data import open_dataset
from clip2point.features.augmented_views import AugmentedViewSettings
from clip2point_shapes import generate, write_mesh

pytestmark = pytest.mark.slow

CLASSES = ("chair", "lamp", "table")
RENDERING = {"views": "ring-2", "points": 64}
QUICK = AdaptSettings(head="nearest-mean", up="y")


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    """Folder with a sub-folder of five meshes for each of three classes; not to be changed."""
    root = tmp_path_factory.mktemp("sets") / "labelled"
    for name in CLASSES:
        (root / name).mkdir(parents=True)
        for seed in range(5):
            write_mesh(generate(name, seed=seed), root / name / f"{seed}.off")
    return root


@pytest.fixture
def model(tiny_clip):
    found = clip2point.load(tiny_clip, dtype="fp32")
    return found.with_settings(replace(found.settings, **RENDERING))


@pytest.fixture
def files(labelled):
    """Files and labels, in an order of their own."""
    found = sorted(labelled.rglob("*.off"), key=lambda path: (path.name, path.parent.name))[::-1]
    return found, [path.parent.name for path in found]


def tensors(folder):
    """Every tensor of the models in a folder, by file and name, but for those of a training that stay there."""
    paths = [path for path in sorted(folder.rglob("*.safetensors")) if "fine-tuning" not in path.parts]
    return {(str(path.relative_to(folder)), name): value for path in paths for name, value in load_file(path).items()}


def assert_same_model(folder, other, *, but=()):
    one, two = tensors(folder), tensors(other)
    assert one.keys() == two.keys()
    for name, value in one.items():
        assert value.tobytes() == two[name].tobytes(), name
    for path in sorted(folder.rglob("config.json")):
        if "fine-tuning" in path.parts:
            continue
        configs = [json.loads((root / path.relative_to(folder)).read_text()) for root in (folder, other)]
        for config in configs:
            for section, key in but:
                config.get("record", {}).get(section, {}).pop(key, None)
        assert configs[0] == configs[1]


@pytest.mark.parametrize(
    "changes",
    [
        {"head": "gdpa", "options": None},
        {"head": "linear", "shots": 4, "seed": 3, "augmented_views": 3, "target": 0.8},
        {"head": "nearest-mean", "unfreeze": "last-1", "epochs": 2},
        {"head": "tip-adapter", "unfreeze": "lora", "epochs": 1, "wise_ft_alpha": 1.0, "augmented_views": 1},
    ],
    ids=["gdpa", "shots", "tuned-and-interpolated", "tuned-alone"],
)
def test_command_python_and_classifier_give_the_same_model_bit_for_bit(
    changes, labelled, files, tiny_clip, model, tmp_path, monkeypatch, capsys
):
    if "unfreeze" in changes:
        pytest.importorskip("lightning_fabric")
    ways = {name: tmp_path / name for name in ("command", "python", "pair", "classifier", "estimator")}

    def begin(name):
        # A cache of its own for each way: nothing is the same because it was found there.
        monkeypatch.setenv("CLIP2POINT_CACHE", str(tmp_path / f"cache of {name}"))
        return ways[name]

    given = {name: value for name, value in changes.items() if value is not None}
    words = [word for name, value in given.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    words += ["--views", "ring-2", "--points", "64", "--up", "y", "--model", str(tiny_clip)]
    assert main(["adapt", f"folder:{labelled}", "--out", str(begin("command")), *words]) == 0
    settings = AdaptSettings(**changes, up="y")
    folder = begin("python")
    clip2point.adapt(f"folder:{labelled}", model, settings).save(folder)
    assert_same_model(ways["command"], folder)

    only_names = [("data", "dataset")]
    if "shots" in changes:  # which a list of examples has no need of
        drawn = clip2point.adapt(f"folder:{labelled}", model, settings).sampled
        files = [labelled / name for name in drawn.names], [CLASSES[label] for label in drawn.labels]
    folder = begin("pair")
    clip2point.adapt(files, model, settings).save(folder)
    if "shots" not in changes:
        assert_same_model(ways["command"], folder, but=only_names)

    given = {name: value for name, value in changes.items() if name != "shots"}
    folder = begin("classifier")
    classifier = FewShotClassifier(model, up="y", **given).fit(*files)
    classifier.save(folder)
    if "shots" not in changes:
        assert_same_model(ways["command"], folder, but=only_names)
        folder = begin("estimator")
        FewShotClassifier(model, up="y", **given).fit(f"folder:{labelled}").save(folder)
        assert_same_model(ways["command"], folder)
    loaded = FewShotClassifier.load(ways["command"], dtype="fp32")
    np.testing.assert_array_equal(
        loaded.predict_proba(files[0]), FewShotClassifier.load(ways["python"], dtype="fp32").predict_proba(files[0])
    )


def test_renamed_and_moved_files_and_their_order_change_nothing(files, model, tmp_path):
    paths, labels = files
    clip2point.adapt(files, model, QUICK).save(tmp_path / "one")
    moved = []
    for path in paths:
        place = tmp_path / "elsewhere" / path.parent.name / path.name
        place.parent.mkdir(parents=True, exist_ok=True)
        moved.append(shutil.copy(path, place))
    clip2point.adapt((moved[::-1], labels[::-1]), model, QUICK).save(tmp_path / "two")
    assert_same_model(tmp_path / "one", tmp_path / "two", but=[("data", "fingerprint")])


def test_the_result_says_everything(labelled, model):
    found = clip2point.adapt(f"folder:{labelled}", model, replace(QUICK, head="linear"))
    assert found.counts == dict.fromkeys(CLASSES, 5)
    assert found.seconds.keys() == {"points", "features", "fitting"}
    assert found.validation.metrics.samples == 3
    record = found.to_dict()
    assert json.loads(json.dumps(record)) == record
    assert record["base"] == model.name
    assert record["copies"] == 2
    assert found.model.classify(labelled / "chair" / "0.off", up="y").label in CLASSES


def test_broken_files_of_a_data_set_are_left_out_and_those_of_a_list_refused(labelled, model, tmp_path):
    own = shutil.copytree(labelled, tmp_path / "own")
    (own / "lamp" / "0.off").write_text("nothing")
    found = clip2point.adapt(f"folder:{own}", model, QUICK)
    assert found.counts == {"chair": 5, "lamp": 4, "table": 5}
    assert [name for name, _ in found.sampled.failures] == ["lamp/0.off"]
    paths = sorted(own.rglob("*.off"))
    with pytest.raises(ShapeError, match="0.off"):
        clip2point.adapt((paths, [path.parent.name for path in paths]), model, QUICK)


def test_a_head_of_the_model_plays_no_part(labelled, model):
    first = clip2point.adapt(f"folder:{labelled}", model, QUICK)
    again = clip2point.adapt(open_dataset(f"folder:{labelled}", up="y"), first.model, QUICK)
    assert again.to_dict() | {"seconds": 0} == first.to_dict() | {"seconds": 0}


def test_train_is_what_is_learned_from_where_there_are_splits(labelled, model, tmp_path):
    for split, seeds in (("train", (0, 1)), ("test", (2, 3))):
        for name in CLASSES:
            (tmp_path / "set" / split / name).mkdir(parents=True)
            for seed in seeds:
                shutil.copy(labelled / name / f"{seed}.off", tmp_path / "set" / split / name)
    found = clip2point.adapt(f"folder:{tmp_path / 'set'}", model, QUICK)
    assert found.head.record["data"]["split"] == "train"
    assert all(name.startswith("train/") for name in found.sampled.names)


def test_the_axis_for_later_shapes_is_recorded(labelled, model, tmp_path):
    def recorded(dataset, **changes):
        return clip2point.adapt(dataset, model, replace(QUICK, **changes)).head.record["parameters"]["up"]

    dataset = open_dataset(f"folder:{labelled}", up="z")
    assert recorded(dataset, up="auto") == "z"
    assert recorded(dataset, up="y") == "y"
    shapes = [clip2point.load_shape(path, up="y") for path in sorted(labelled.rglob("*.off"))]
    labels = np.repeat([0, 1, 2], 5)
    assert recorded((shapes, labels), up="auto") == "auto"
    assert recorded((shapes, labels), up="y") == "y"


def test_augmented_views_may_have_settings_and_labels_be_numbers(labelled, files, model):
    views = AugmentedViewSettings(2, part=0.9, yaw=10)
    found = clip2point.adapt(
        (files[0], [len(label) for label in files[1]]), model, replace(QUICK, augmented_views=views)
    )
    assert found.head.classes == ("4", "5")
    assert found.head.record["labels"] == "whole numbers"
    assert found.head.record["parameters"]["augmented_views"] == {"count": 2, "part": 0.9, "stretch": 1.0, "yaw": 10}


def test_a_tower_learns_from_what_is_not_held_out(labelled, model, monkeypatch, tmp_path):
    calls = []

    def tune(*arguments):
        calls.append(arguments)
        return model

    monkeypatch.setattr(adapting, "tune_tower", tune)
    run = FineTuningRun(tmp_path)
    settings = replace(QUICK, unfreeze="all", seed=7)
    found = clip2point.adapt(f"folder:{labelled}", model, settings, run=run)
    ((given, train, validation, asked, seed, passed),) = calls
    assert (given, asked, seed, passed) == (model, settings, 7, run)
    assert (len(train), len(validation)) == (12, 3)
    assert np.bincount(validation.labels).tolist() == [1, 1, 1]
    assert set(train.names) | set(validation.names) == set(found.sampled.names)
    held_out = adapting.hold_out(found.sampled.labels, 7)
    assert validation.names == tuple(np.array(found.sampled.names)[held_out])
    assert found.seconds.keys() == {"points", "fine_tuning", "features", "fitting"}
    assert found.head.record["fine_tuned"] == "all"
    assert found.head.record["tuning"]["unfreeze"] == "all"
    with pytest.warns(UserWarning, match="no class has two examples"):
        clip2point.adapt(f"folder:{labelled}", model, replace(settings, shots=1), run=run)
    assert calls[1][2] is None


@pytest.mark.parametrize(
    ("dataset", "changes", "error", "message"),
    [
        ("folder:nowhere", {}, DataError, "no such folder"),
        ("sets", {}, OptionError, "unknown data set 'sets'"),
        ("labelled", {"shots": 9}, DataError, "9 shots of each class are wanted, but the class 'chair' has 5"),
        ("labelled", {"up": "auto"}, OptionError, "does not say which axis points up"),
        ((["a.off"], ["a", "b"]), {}, OptionError, "1 shapes and 2 labels"),
    ],
)
def test_what_makes_no_sense_is_refused(dataset, changes, error, message, labelled, model):
    dataset = f"folder:{labelled}" if dataset == "labelled" else dataset
    with pytest.raises(error, match=message):
        clip2point.adapt(dataset, model, replace(QUICK, **changes))


def test_a_model_is_loaded_by_its_name_in_full_precision_where_a_tower_is_trained(model, monkeypatch):
    asked = []
    monkeypatch.setattr(adapting, "load", lambda name, dtype: asked.append((name, dtype)) or model)
    assert adapting.load_base("pocket", AdaptSettings()) is model
    assert adapting.load_base("pocket", AdaptSettings(unfreeze="last-1")) is model
    assert asked == [("pocket", "auto"), ("pocket", "fp32")]
