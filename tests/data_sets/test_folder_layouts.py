"""Layouts of folders as people have them: the right classes and splits, or one sentence on why not."""

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clip2point.core.errors import Clip2PointError, DataError, OptionError
from clip2point.data import open_dataset
from clip2point.data.folder import read_folder
from clip2point.data.parts import open_parts

CHAIRS = ("chair", "table")


@pytest.fixture
def lay(tmp_path, write):
    """Write small shapes at the given paths, below a folder that is returned."""

    def lay(*paths, root=tmp_path / "set"):
        root.mkdir(exist_ok=True)
        for seed, path in enumerate(paths):
            write.off(root / path, seed)
        return root

    return lay


def describe(root):
    """Return the classes, and the names of the classes' shapes by split."""
    parts = read_folder(root)
    found = {split: [dataset.classes[label] for label in dataset.labels.tolist()] for split, dataset in parts.items()}
    return next(iter(parts.values())).classes, found


@pytest.mark.parametrize(
    ("train", "validation", "test"),
    [
        ("train", "val", "test"),
        ("Train", "Val", "Test"),
        ("TRAIN", "VALID", "TESTING"),
        ("training", "validation", "test_set"),
        ("trainset", "dev", "eval"),
        ("train_data", "valid-split", "Test Set"),
    ],
)
@pytest.mark.parametrize("place", ["{split}/{name}/{file}", "{name}/{split}/{file}", "glbs/{split}/{name}/{file}"])
def test_splits_in_any_spelling_above_or_below_the_classes(lay, train, validation, test, place):
    root = lay(
        *(
            place.format(split=split, name=name, file=f"{name}{index}.off")
            for index, split in enumerate((train, validation, test))
            for name in CHAIRS
        )
    )
    both = ["chair", "table"]
    assert describe(root) == (CHAIRS, {"train": both, "validation": both, "test": both})
    for spelling in ("val", "Val", "valid", "validation"):
        assert open_dataset(f"folder:{root}", split=spelling).names[0].endswith("chair1.off")
    assert open_dataset(f"folder:{root}").split == "test"
    parts = open_parts(f"folder:{root}")
    names = [{name.rpartition("/")[2] for name in part.names} for part in (parts.train, parts.validation, parts.test)]
    assert names == [{f"{name}{index}.off" for name in CHAIRS} for index in range(3)]


@pytest.mark.parametrize(
    ("paths", "classes"),
    [
        (("03001627/a.off", "04379243/b.off"), CHAIRS),
        (("03001627/1a2b3c4d5e6f7a8b/models/model_normalized.off", "04379243/99/models/model.off"), CHAIRS),
        (("n03001627/a.off", "02834778/b.off"), ("bicycle", "chair")),
        (("03001627_chair/a.off", "04379243-table/b.off"), CHAIRS),
        (("ShapeNetCore.v2/03001627/a.off", "ShapeNetCore.v2/04379243/b.off"), CHAIRS),
        (("glbs/000-000/chair/a.off", "glbs/000-001/table/b.off"), CHAIRS),
        (("ModelNet40_Ply/chair/a.off", "ModelNet40_Ply/table/b.off"), CHAIRS),
        (("archive/data/v2/chair/a.off", "archive/data/v2/table/b.off"), CHAIRS),
        (("my things/chair/a.off", "my things/table/b.off"), CHAIRS),
        (("chair/round/a.off", "chair/b.off", "table/old/wood/c.off"), CHAIRS),
        (("001.chair/a.off", "002.table/b.off"), CHAIRS),
        (("Chair/a.off", "chair/b.off", "table/c.off"), CHAIRS),
        (("train/bus/a.off", "train/train/b.off", "test/bus/c.off", "test/train/d.off"), ("bus", "train")),
        (("bus/a.off", "train/b.off", "car/c.off"), ("bus", "car", "train")),
        (("night_stand/a.off", "tv stand/b.off"), ("night_stand", "tv stand")),
        (("bin/a.off", "box/b.off"), ("bin", "box")),
    ],
)
def test_classes_are_found_whatever_lies_above_them(lay, paths, classes):
    assert describe(lay(*paths))[0] == classes


@pytest.mark.parametrize(
    ("paths", "words"),
    [
        (("glbs/000-000/a.off", "glbs/000-001/b.off"), "000-000, 000-001, which are numbers"),
        (("0/a.off", "1/b.off"), "lie directly in 0, 1, which are numbers"),
        (("class_0/a.off", "class_1/b.off"), "lie directly in class_0, class_1, which are numbers"),
        (("train/a.off", "test/b.off"), "has no class folders in test, train, only files"),
        (("train/0/a.off", "test/0/b.off"), "which are numbers"),
        (("chair/a.off", "12/b.off"), "numbers"),
        (("03001627/a.off", "99999999/b.off"), "expected synsets of ShapeNet"),
        (("chair/a.off", "test/b.off"), "cannot tell splits from classes"),
        (("train/chair/a.off", "holdout/chair/b.off"), "cannot tell splits from classes"),
        (("train/chair/a.off", "train/table/a.off", "extra/b.off"), "cannot tell splits from classes"),
        (("train/chair/test/a.off",), "expected one in a path"),
        (("chair/test/a.off", "chair/b.off", "table/c.off"), "has shapes beside the folders test"),
        (("chair/test/a.off", "chair/more/b.off", "table/c.off"), "lies in test"),
        (("off/chair/a.off", "off/table/b.off", "ply/chair/c.off", "ply/table/d.off"), "folder:.*set/off"),
        (("fold0/chair/a.off", "fold1/table/b.off"), "cannot tell whether fold0, fold1 are classes"),
        (("ModelNet10/chair/a.off", "ModelNet40/table/b.off"), "cannot tell whether ModelNet10, ModelNet40"),
        (
            ("scans/chair/a.off", "scans/table/b.off", "cad/chair/c.off", "cad/table/d.off"),
            "cannot tell whether the classes are cad, scans, or chair, table in each of them",
        ),
        (("chair_train/a.off", "chair_test/b.off"), "has chair_test, chair_train, of which the splits are part of the"),
        (("my_set_train/chair/a.off", "my_set_test/chair/b.off"), "of which the splits are part of the names"),
        (
            ("seen/chair/a.off", "seen/bed/b.off", "unseen/chair/c.off"),
            "cannot tell whether the classes are seen, unse",
        ),
        (("things/chair/a.off",), "cannot tell whether its only folder 'things' is a class"),
    ],
)
def test_what_cannot_be_told_is_refused_with_the_choices(lay, paths, words):
    with pytest.raises(DataError, match=words) as error:
        open_dataset(f"folder:{lay(*paths)}", split="all")
    assert "\n" not in str(error.value)
    assert "expected" in str(error.value)


def test_what_was_assumed_is_told(lay):
    root = lay("glbs/03001627/a.off", "glbs/04379243/b.off", "glbs/04379243/c.off", "loose.off")
    (root / "glbs" / "03001627" / "d.blend").write_text("")
    (root / "train.txt").write_text("a\n")
    assert open_dataset(f"folder:{root}").notes == (
        "folders that are no classes: glbs",
        "synsets of ShapeNet by their names: 03001627 is 'chair', ...",
        "one shape alone: chair",
        "1 shape file beside the class folders, passed over: loose.off",
        "Passed over, of formats that are not read: 1 .blend. .blend: export it as GLB, for one with Blender.",
        "lists beside the folders that are not used: train.txt; use --manifest for a list",
    )


def test_folders_that_stand_for_a_split_are_told(lay):
    root = lay("train0/chair/a.off", "train_1/chair/b.off", "Testing/chair/c.off", "val/chair/d.off", "val/table/e.off")
    assert open_dataset(f"folder:{root}").notes[:3] == (
        "one shape alone: table",
        "taken for the train split: train0, train_1",
        "taken for the test split: Testing",
    )


def test_left_overs_of_programs_and_links_that_lead_back(lay, write):
    root = lay("chair/a.off", "chair/b.off", "table/c.off", "table/d.off")
    write.off(root / "__MACOSX" / "chair" / "._a.off")
    (root / ".DS_Store").write_text("")
    (root / "chair" / "up").symlink_to(root)
    (root / "sofa").symlink_to(root / "sofa")
    os.mkfifo(root / "chair" / "pipe.txt")
    dataset = open_dataset(f"folder:{root}")
    assert dataset.classes == CHAIRS
    assert len(dataset) == 4
    assert "2 hidden files and folders, passed over" in dataset.notes
    assert "links to folders that are part of it already, passed over: up" in dataset.notes


def test_a_link_to_a_class_elsewhere_is_followed(lay, write, tmp_path):
    root = lay("chair/a.off")
    write.off(tmp_path / "elsewhere" / "t.off")
    (root / "table").symlink_to(tmp_path / "elsewhere")
    assert describe(root) == (CHAIRS, {"all": ["chair", "table"]})


def test_names_that_are_not_utf8(lay):
    root = lay("chair/a.off", "chair/c.off", "table/b.off")
    (root / "chair" / "a.off").rename(root / "chair" / os.fsdecode(b"st\xfchle.off"))
    (root / "table").rename(root / os.fsdecode(b"t\xfcr"))
    dataset = open_dataset(f"folder:{root}", up="y")
    assert dataset.classes == ("chair", "tür")
    assert dataset.names[1] == "chair/st\\xfchle.off"
    assert dataset.sample(1).shape == (1024, 3)
    assert "names that are no UTF-8, read as Latin-1: t\\xfcr" in dataset.notes


def test_a_split_that_is_not_there_is_told_with_those_that_are(lay):
    root = lay("train/chair/a.off", "val/chair/b.off", "train/table/c.off")
    with pytest.raises(OptionError, match="has no split 'test': expected one of train, validation, train-minus-"):
        open_dataset(f"folder:{root}")
    assert "no shapes in validation: table" in open_dataset(f"folder:{root}", split="val").notes


WORDS = st.sampled_from(
    ("train", "Test", "val", "0", "000-001", "03001627", "chair", "table", "glbs", "bus", "data", "part1", "fold2", "x")
)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(WORDS, min_size=0, max_size=4), min_size=1, max_size=8))
def test_whatever_the_layout_no_split_or_number_becomes_a_class(tmp_path_factory, folders):
    root = tmp_path_factory.mktemp("any")
    for index, names in enumerate(folders):
        folder = root.joinpath(*names)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{index}.off").write_text("OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n")
    try:
        classes, _ = describe(root)
    except Clip2PointError:
        return
    assert classes
    assert set(classes) <= {"chair", "table", "bus", "x", "train"}
    if "train" in classes:
        assert len(classes) > 1
