import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from clip2point.backbones.transformers_backbone import load_transformers_backbone
from clip2point.core.errors import OptionError
from clip2point.data import open_dataset, sample_dataset
from clip2point.features import view_features
from clip2point.features.augmented_views import AugmentedViewSettings
from clip2point.features.view_features import encode_views, extract_features, render_views
from clip2point.model import Recogniser, kept_views
from clip2point.model.settings import Settings
from clip2point_shapes import generate, write_mesh

CLASSES = ("chair", "lamp")
SETTINGS = Settings(points=64, radius=0.1, views="ring-2")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three chairs and three lamps as meshes; not to be changed."""
    root = tmp_path_factory.mktemp("sets") / "shapes"
    for name in CLASSES:
        (root / name).mkdir(parents=True)
        for seed in range(3):
            write_mesh(generate(name, seed=seed), root / name / f"{seed}.off")
    return root


@pytest.fixture
def dataset(folder):
    return open_dataset(f"folder:{folder}", up="y")


@pytest.fixture(scope="module")
def backbone(tiny_clip):
    """Towers of which that of the depth path differs from that of the image path."""
    found = load_transformers_backbone(tiny_clip, dtype="fp32")
    tower = {
        name: tensor + 0.01 if tensor.ndim == 1 else tensor for name, tensor in found.depth_tower().state_dict().items()
    }
    return found.with_depth_tower(tower, image_size=found.image_size)


@pytest.fixture
def model(backbone):
    return Recogniser(backbone, SETTINGS, "tiny")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CLIP2POINT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def encoded(monkeypatch):
    """Number of shapes and paths of every batch that went through the towers."""
    calls = []
    original = view_features.encode_paths

    def encode(backbone, depth, paths):
        calls.append((len(depth), tuple(paths)))
        return original(backbone, depth, paths)

    for module in (view_features, kept_views):  # the second one encodes unchanged shapes
        monkeypatch.setattr(module, "encode_paths", encode)
    return calls


def features_of(model, dataset, *arguments, **keywords):
    return extract_features(model, dataset, *arguments, **keywords).examples.features


def test_features_have_an_axis_for_views_shapes_paths_cameras_and_dimensions(model, dataset):
    found = extract_features(model, dataset, 3)
    assert found.examples.features.shape == (3, 6, 2, 2, 24)
    assert found.examples.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert [[array.shape for array in by_path] for by_path in found.arrays] == [[(6, 2, 24)] * 2] * 3
    for number, path in enumerate(("depth", "image")):
        np.testing.assert_array_equal(found.of_path(path), found.examples.unaugmented[:, number])
    np.testing.assert_array_equal(found.of_path("depth"), encode_views(model, found.sampled))


def test_the_unchanged_shapes_are_those_that_the_model_classifies(model, tmp_path):
    points = np.random.default_rng(0).normal(size=(2, 64, 3)).astype(np.float32)
    np.savez(tmp_path / "set.npz", points=points, labels=[0, 1], classes=np.array(CLASSES), up="z")
    found = extract_features(model, open_dataset(f"npz:{tmp_path / 'set.npz'}"))
    vectors = torch.nn.functional.normalize(torch.from_numpy(np.array(found.of_path())), dim=-1).mean(1)
    vectors = torch.nn.functional.normalize(vectors, dim=-1)
    np.testing.assert_allclose(vectors, model.embed(list(points), up="z"), atol=1e-6)
    assert render_views(model, found.sampled, [1]).shape == (1, 2, 32, 32)


def test_the_second_time_nothing_is_encoded_and_both_paths_share_their_depth_maps(model, dataset, encoded):
    first = features_of(model, dataset, 2)
    assert encoded == [(6, ("depth", "image"))] * 2
    np.testing.assert_array_equal(features_of(model, dataset, 2), first)
    assert len(encoded) == 2


def test_only_what_is_missing_is_encoded(model, dataset, encoded):
    extract_features(model, dataset, paths=("depth",))
    extract_features(model, dataset)
    extract_features(model, dataset, 2)
    assert encoded == [(6, ("depth",)), (6, ("image",)), (6, ("depth", "image"))]


@pytest.mark.parametrize("changes", [{"radius": 0.2}, {"views": "ring-3"}, {"style": "pointclip"}, {"points": 65}])
def test_a_changed_setting_never_finds_old_features(backbone, dataset, tmp_path, monkeypatch, changes):
    extract_features(Recogniser(backbone, SETTINGS, "tiny"), dataset, 2)
    model = Recogniser(backbone, replace(SETTINGS, **changes), "tiny")
    changed = features_of(model, dataset, 2)
    monkeypatch.setenv("CLIP2POINT_CACHE", str(tmp_path / "empty"))
    np.testing.assert_array_equal(changed, features_of(model, dataset, 2))


@pytest.mark.parametrize("changes", [{"part": 0.2}, {"stretch": 2.0}, {"yaw": 90.0}])
def test_changed_augmentation_never_finds_old_features(model, dataset, tmp_path, monkeypatch, changes):
    plain = features_of(model, dataset, AugmentedViewSettings(2))
    other = AugmentedViewSettings(2, **changes)
    changed = features_of(model, dataset, other)
    assert np.array_equal(plain[0], changed[0])
    assert not np.array_equal(plain[1], changed[1])
    monkeypatch.setenv("CLIP2POINT_CACHE", str(tmp_path / "empty"))
    np.testing.assert_array_equal(changed, features_of(model, dataset, other))


def test_more_views_are_added_to_those_that_there_are(model, dataset, encoded):
    two = features_of(model, dataset, 2)
    four = features_of(model, dataset, AugmentedViewSettings(4))
    assert len(encoded) == 4
    np.testing.assert_array_equal(four[:2], two)
    assert not any(np.array_equal(four[one], four[other]) for one in range(4) for other in range(one))


def test_features_depend_on_the_seed_and_the_name_and_not_on_other_shapes(model, dataset):
    whole = features_of(model, dataset, 2)
    order = [4, 1, 3]
    np.testing.assert_allclose(features_of(model, dataset.take(order), 2), whole[:, order], atol=1e-6)
    other = features_of(model, dataset, 2, seed=1)
    assert not any(np.array_equal(other[view, 0], whole[view, 0]) for view in range(2))
    renamed = replace(dataset, names=tuple(f"new {name}" for name in dataset.names))
    assert not np.array_equal(features_of(model, renamed, 2)[1], whole[1])


def test_entries_of_the_first_release_are_still_found(model, dataset, cache):
    """Their keys, spelt out: a changed one would make every user's machine compute everything again."""
    extract_features(model, dataset, AugmentedViewSettings(2, part=0.4), seed=5)
    found = [json.loads(path.read_text()) for path in cache.glob("features/*/parts.json")]
    assert len(found) == 4
    common = {"version": 1, "up": "y", "image_size": 32, "radius": 0.1, "style": "clip2point"}
    for parts in found:
        assert common.items() <= parts.items()
        assert parts["tower"] in (model.backbone.fingerprint("depth"), model.backbone.fingerprint("image"))
        assert parts["views"] == [list(angles) for angles in model.views.angles]
    plain, augmented = ([parts for parts in found if ("copy" in parts) == augmented] for augmented in (False, True))
    names = {*common, "tower", "views", "points"}
    assert all(parts.keys() == names for parts in plain)
    assert all(parts["points"] == sample_dataset(dataset, 64, 5).fingerprint for parts in plain)
    assert all(parts["points"] == sample_dataset(dataset, 64, 6).fingerprint for parts in augmented)
    assert all(parts.keys() == {*names, "copy", "seed", "changes"} for parts in augmented)
    assert [parts["copy"] for parts in augmented] == [1, 1]
    assert {parts["seed"] for parts in augmented} == {5}
    assert augmented[0]["changes"] == {"count": None, "part": 0.4, "stretch": 1.0, "yaw": 0.0}


def test_broken_shapes_are_left_out_of_every_view(model, folder, tmp_path):
    import shutil

    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / "chair" / "1.off").write_text("nothing")
    found = extract_features(model, open_dataset(f"folder:{copy}", up="y"), 2)
    assert [name for name, _ in found.sampled.failures] == ["chair/1.off"]
    assert found.examples.features.shape[:2] == (2, 5)
    assert found.examples.labels.tolist() == [0, 0, 1, 1, 1]


def test_the_up_axis_must_be_known(model, folder):
    with pytest.raises(OptionError, match="does not say which axis points up; give --up y or --up z"):
        extract_features(model, open_dataset(f"folder:{folder}"))


def test_many_shapes_go_through_the_towers_in_small_batches(model, tmp_path, encoded):
    points = np.random.default_rng(0).normal(size=(70, 64, 3)).astype(np.float32)
    labels = np.arange(70) % 2
    np.savez(tmp_path / "set.npz", points=points, labels=labels, classes=np.array(CLASSES), up="y")
    totals = []

    def progress(items, total):
        totals.append(total)
        return items

    found = extract_features(model, open_dataset(f"npz:{tmp_path / 'set.npz'}"), progress=progress)
    assert [shapes for shapes, _ in encoded] == [32, 32, 6]
    assert totals[-1] == 3
    alone = extract_features(model, open_dataset(f"npz:{tmp_path / 'set.npz'}").take([69]))
    np.testing.assert_allclose(found.of_path()[69], alone.of_path()[0], atol=1e-6)


FLAT = """
import torch


def draw(scene):
    return torch.full((len(scene.points) * len(scene.views), scene.image_size, scene.image_size), {level})
"""


def test_an_edited_style_is_not_answered_with_old_features(backbone, dataset, plugins, encoded):
    found = []
    for level in (0.25, 0.75, 0.25):
        plugins.install(FLAT.format(level=level), "[clip2point.styles]\nflat = MODULE:draw\n", package="flat-style")
        model = Recogniser(backbone, replace(SETTINGS, style="flat"), "tiny")
        found.append(extract_features(model, dataset, paths=("depth",)).of_path())
        plugins.uninstall()
    assert not np.allclose(found[0], found[1])
    assert np.array_equal(found[0], found[2])
    assert len(encoded) == 3


def test_a_style_that_stays_as_it_is_is_found_in_the_cache(backbone, dataset, plugins, encoded):
    plugins.install(FLAT.format(level=0.5), "[clip2point.styles]\nflat = MODULE:draw\n")
    for _ in range(2):
        extract_features(Recogniser(backbone, replace(SETTINGS, style="flat"), "tiny"), dataset, paths=("depth",))
    assert len(encoded) == 1


class EditedBackbone:
    """Towers of a plug-in: the features of another backbone, times a number that stands in the code."""

    def __init__(self, backbone):
        self._backbone = backbone

    def __getattr__(self, name):
        return getattr(self._backbone, name)


def test_the_code_of_a_backbone_is_in_the_key(backbone, dataset):
    sampled = sample_dataset(dataset, 64)
    keys = [
        view_features.feature_key(Recogniser(towers, SETTINGS, "tiny"), sampled)
        for towers in (backbone, EditedBackbone(backbone))
    ]
    assert keys[0].items() < keys[1].items()
    assert keys[1].keys() - keys[0].keys() == {"tower_code"}


def test_own_cameras_are_keyed_by_what_they_are(backbone, dataset, tmp_path):
    sampled, keys = sample_dataset(dataset, 64), []
    for number, azimuth in enumerate((0, 0, 90)):
        path = tmp_path / f"cameras-{number}.json"
        camera = {"elevation": 0, "azimuth": azimuth, "distance": 1.5}
        path.write_text(json.dumps({"name": "mine", "cameras": [camera]}))
        model = Recogniser(backbone, replace(SETTINGS, views=str(path)), "tiny")
        keys.append(view_features.feature_key(model, sampled))
    assert keys[0] == keys[1] != keys[2]


def test_of_a_data_set_with_one_more_shape_one_is_encoded(model, dataset, encoded):
    extract_features(model, dataset.take([0, 1, 2, 3]), paths=("depth",))
    extract_features(model, dataset.take([0, 1, 2, 3, 5]), paths=("depth",))
    assert encoded == [(4, ("depth",)), (1, ("depth",))]
