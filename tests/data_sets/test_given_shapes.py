import shutil
from dataclasses import replace

import numpy as np
import pytest

from clip2point.core.errors import OptionError, ShapeError
from clip2point.data import open_dataset, sample_dataset
from clip2point.data.given_shapes import STRINGS, WHOLE_NUMBERS, kind_of_labels, label_shapes, read_labels
from clip2point.shapes import Mesh, Shape, load_shape
from clip2point_shapes import generate, write_mesh

CLASSES = ("chair", "lamp", "table")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three meshes of each of three classes, one of them in a sub-folder; not to be changed."""
    root = tmp_path_factory.mktemp("sets") / "parts"
    for name in CLASSES:
        (root / name / "more").mkdir(parents=True)
        for seed, place in enumerate(("10.off", "9.off", "more/1.off")):
            write_mesh(generate(name, seed=seed), root / name / place)
    return root


def files_of(folder):
    """Files and labels of a folder, in an order of their own."""
    files = sorted(folder.rglob("*.off"), key=lambda path: (path.name, str(path)))
    return files, [next(name for name in path.parts if name in CLASSES) for path in files]


def test_the_files_of_a_folder_make_the_same_data_set_as_the_folder(folder):
    own, opened = label_shapes(*files_of(folder), up="z"), open_dataset(f"folder:{folder}", up="z")
    assert own.names == opened.names
    assert (own.classes, own.up) == (opened.classes, opened.up)
    np.testing.assert_array_equal(own.labels, opened.labels)
    assert own.fingerprint == opened.fingerprint


@pytest.mark.parametrize("layout", ["{split}/{name}", "{name}/{split}"])
def test_the_files_of_a_split_make_the_same_data_set_as_the_split(folder, tmp_path, layout):
    for name in CLASSES:
        for split, file in (("train", "10.off"), ("test", "9.off")):
            place = tmp_path / layout.format(split=split, name=name)
            place.mkdir(parents=True)
            shutil.copy(folder / name / file, place)
    opened = open_dataset(f"folder:{tmp_path}", split="train", up="y")
    files = [tmp_path / name for name in opened.names]
    own = label_shapes(files, [CLASSES[label] for label in opened.labels], up="y")
    assert own.names == opened.names
    assert own.fingerprint == opened.fingerprint


def test_order_and_place_of_the_files_do_not_matter(folder, tmp_path):
    files, labels = files_of(folder)
    other = label_shapes(files[::-1], labels[::-1], up="y")
    first = label_shapes(files, labels, up="y")
    assert other.names == first.names
    assert other.fingerprint == first.fingerprint
    moved = shutil.copytree(folder, tmp_path / "elsewhere")
    again = label_shapes([moved / path.relative_to(folder) for path in files], labels, up="y")
    assert again.names == first.names
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one[0], two[0])


def test_a_file_outside_of_class_folders_is_named_by_its_class(folder):
    files, labels = files_of(folder)
    found = label_shapes(files, ["a" if label == "chair" else "b" for label in labels], up="y")
    assert found.classes == ("a", "b")
    assert found.names[:3] == ("a/1.off", "a/10.off", "a/9.off")
    assert found.names[3:6] == ("b/1.off", "b/1.off (2)", "b/10.off")


def test_shapes_and_arrays_are_known_by_their_content(folder):
    clouds = list(np.random.default_rng(0).normal(size=(4, 30, 3)).astype(np.float32))
    labels = ["a", "b", "a", "b"]
    first, other = label_shapes(clouds, labels, up="y"), label_shapes(clouds[::-1], labels[::-1], up="y")
    assert first.names == other.names
    assert first.fingerprint == other.fingerprint
    for row, name in enumerate(first.names):
        np.testing.assert_array_equal(first.read(row).points, other.read(other.names.index(name)).points)
    changed = [clouds[0] + np.float32(1e-3), *clouds[1:]]
    assert label_shapes(changed, labels, up="y").fingerprint != first.fingerprint
    assert len(set(label_shapes([clouds[0]] * 3, ["a", "a", "b"], up="y").names)) == 3
    points = clouds[0]
    faces = np.array([[0, 1, 2]]), np.array([[0, 1, 3]])
    meshes = [Shape(points, Mesh.plain(points, chosen)) for chosen in faces]
    assert len(set(label_shapes([*meshes, Shape(points)], ["a"] * 3).names)) == 3
    assert label_shapes([load_shape(folder / "chair" / "9.off", up="z")], ["chair"]).up == "z"


def test_labels_are_names_of_classes():
    clouds = np.random.default_rng(0).normal(size=(3, 30, 3)).astype(np.float32)
    found = label_shapes(clouds, [10, 9, 2], up="y")
    assert found.classes == ("2", "9", "10")
    assert found.labels.tolist() == [0, 1, 2]
    assert kind_of_labels(np.array([1])) == WHOLE_NUMBERS
    assert (WHOLE_NUMBERS, STRINGS) == ("whole numbers", "strings")  # words of model folders since 0.1.0
    assert kind_of_labels(np.array(["1"])) == STRINGS
    with pytest.raises(OptionError, match="an empty label"):
        label_shapes(clouds, [" ", "a", "b"], up="y")


def test_formats_declare_the_axis_and_different_ones_are_rotated_upright(folder, tmp_path):
    mesh = generate("chair", seed=1)
    write_mesh(mesh, tmp_path / "chair.glb")
    write_mesh(mesh, tmp_path / "chair.off")
    assert label_shapes([tmp_path / "chair.glb"], ["chair"]).up == "y"
    upright = load_shape(tmp_path / "chair.glb")
    lying = replace(upright, up="z")
    found = label_shapes([tmp_path / "chair.glb", lying], ["a", "b"])
    assert found.up == "y"
    np.testing.assert_array_equal(found.read(0).points, upright.points)
    np.testing.assert_array_equal(found.read(1).points, lying.upright().points)
    assert found.take([1]).read(0).up == "y"
    other = label_shapes([tmp_path / "chair.glb", replace(upright, up="x")], ["a", "b"])
    assert other.fingerprint != found.fingerprint
    np.testing.assert_array_equal(label_shapes([upright], ["a"], up="z").read(0).points, upright.points)
    with pytest.raises(OptionError, match=r"chair.off: does not say which axis points up; give up='y' or up='z'"):
        label_shapes([tmp_path / "chair.off"], ["chair"])


def test_shapes_in_memory_are_sampled_like_files(folder):
    files, labels = files_of(folder)
    found = sample_dataset(label_shapes([load_shape(path, up="y") for path in files], labels), 32)
    assert found.points.shape == (9, 32, 3)
    assert found.labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]


@pytest.mark.parametrize(
    ("shapes", "labels", "error", "message"),
    [
        (["a.off"], ["a", "b"], OptionError, "1 shapes and 2 labels: expected the same number of each"),
        (["a.off"], [["a"]], OptionError, r"labels \[1, 1\]"),
        (["a.off"], [0.5], OptionError, "expected .N. strings or integers"),
        ([], [], OptionError, "labels"),
        ("a.off", ["a"], OptionError, "a.off: expected a list of shapes"),
        (["nowhere.off"], ["a"], ShapeError, "nowhere.off: no such file"),
    ],
)
def test_what_does_not_belong_together_is_refused(shapes, labels, error, message):
    with pytest.raises(error, match=message):
        label_shapes(shapes, labels, up="y")


def test_labels_alone_are_checked():
    assert read_labels(["a", "b"], None).tolist() == ["a", "b"]
    with pytest.raises(OptionError, match="no labels"):
        read_labels(np.array([], dtype=str), None)
