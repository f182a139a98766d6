"""Class names: files in every usual form, repeats told all at once, presets, synonyms."""

import pytest

from clip2point.core.errors import OptionError
from clip2point.core.everyday import EVERYDAY
from clip2point.core.labels import (
    PRESETS,
    check_labels,
    match_classes,
    name_label,
    read_labels,
    split_labels,
    split_synonyms,
)


@pytest.mark.parametrize(
    ("name", "content", "labels"),
    [
        ("a.txt", b"# mine\nchair\n\n  red lamp \n", ["chair", "red lamp"]),
        ("a.txt", b"\xef\xbb\xbfchair\r\ntable\r\n", ["chair", "table"]),
        ("a.txt", "chair\ntürkis lamp\n".encode("utf-16"), ["chair", "türkis lamp"]),
        ("a.txt", b"chair, table,lamp\n", ["chair", "table", "lamp"]),
        ("a.txt", b"chair,\ntable,\nlamp", ["chair", "table", "lamp"]),
        ("a.txt", b"chair, wooden\ntable", ["chair, wooden", "table"]),
        ("a.txt", b"mug|cup\nbowl", ["mug|cup", "bowl"]),
        ("a.json", b'["chair", ["mug", "cup"]]', ["chair", "mug|cup"]),
        ("a.txt", b'[\n "chair",\n "table"\n]', ["chair", "table"]),
        ("a.csv", b"id;label\r\n1;chair\r\n2;red lamp\r\n", ["chair", "red lamp"]),
        ("a.csv", b'name,size\n"lamp, red",3\nbowl,4\n', ["lamp, red", "bowl"]),
        ("a.csv", b"chair,table,lamp\n", ["chair", "table", "lamp"]),
        ("a.csv", b"chair\ntable\n", ["chair", "table"]),
        ("a.txt", "chair\nred lamp\n".encode("utf-16-le"), ["chair", "red lamp"]),
        ("a.txt", "chair\nred lamp\n".encode("utf-16-be"), ["chair", "red lamp"]),
        ("a.txt", "\ufeffchair\r\ufefftable\u200b\r".encode(), ["chair", "table"]),
        ("a.txt", b'"chair"\n"lamp, red"\n', ["chair", "lamp, red"]),
        ("a.txt", b'"lamp, red", chair\n', ["lamp, red", "chair"]),
        ("a.txt", b"0 chair\n1 bed\n2 desk\n", ["chair", "bed", "desk"]),
        ("a.txt", b"1. chair\n2. bed\n", ["chair", "bed"]),
        ("a.txt", b"0,chair\n1,bed\n", ["chair", "bed"]),
        ("a.txt", b"1 euro coin\n2 euro coin\n", ["1 euro coin", "2 euro coin"]),
        ("a.txt", b"2 seater\n3 seater sofa\n", ["2 seater", "3 seater sofa"]),
        ("a.txt", b"3D printer\n4K monitor\n", ["3D printer", "4K monitor"]),
        ("a.tsv", b"n\tclass\n1\tchair\n2\tbed\n", ["chair", "bed"]),
    ],
)
def test_files_of_labels_are_read_in_their_usual_forms(tmp_path, name, content, labels):
    (tmp_path / name).write_bytes(content)
    assert read_labels(tmp_path / name) == labels


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"\xff\xd8\xffchair", r"a\.txt: cannot read labels \(not UTF-8 text\); expected a text file"),
        ("a.txt", b"chair\n\x00\n", r"cannot read labels \(not UTF-8 text\)"),
        ("a.json", b'{"a": 1}', "expected a JSON list of names, or of lists of synonyms, found an object"),
        ("a.json", b'["a", 3]', "found the entry 3"),
        ("a.json", b'["a", []]', r"found the entry \[\]"),
        ("a.json", b'["a"', "expected a JSON list of names"),
        ("a.csv", b"id,label\n1,chair\n2\n3,\n", "no name in the column 'label' of line 3, 4: fill it in"),
        ("a.csv", b"1,chair\n2,bed\n", "a table of 2 columns, none of them named label or labels or class"),
    ],
)
def test_other_files_are_refused(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(OptionError, match=message):
        read_labels(tmp_path / name)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(OptionError, match=r"none\.txt: cannot read labels \(No such file.*one name per line"):
        read_labels(tmp_path / "none.txt")


def test_all_repeats_are_told_at_once_with_their_lines(tmp_path):
    (tmp_path / "a.txt").write_text("chair\n\ntable\nchair\nlamp|table\nchair\n")
    with pytest.raises(OptionError, match=r"repeated labels: chair \(lines 1, 4, 6\), table \(lines 3, 5\); expected"):
        read_labels(tmp_path / "a.txt")
    (tmp_path / "b.txt").write_text(
        "\n".join(f"a{i}" for i in range(12)) * 2 + "\n" + "\n".join(f"a{i}" for i in range(12))
    )
    with pytest.raises(OptionError, match=r"a9 \(lines .*\) and 1 more; expected|and \d more"):
        read_labels(tmp_path / "b.txt")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([], "no labels"),
        (["a", " "], "an empty label"),
        (["a", "b|"], "an empty label"),
        (["chair", "bed", "chair ", "bed"], "repeated labels: chair, bed; expected each name once"),
        (["mug|mug"], "repeated labels: mug"),
        (["a", 3], "the label 3 is no text"),
        (3, "labels 3: expected a list of class names"),
        (b"chair", "labels b'chair': expected a list of class names"),
        (["@nothing"], "the preset '@nothing' is not known: expected one of @everyday, @modelnet10"),
    ],
)
def test_invalid_lists_are_refused(labels, message):
    with pytest.raises(OptionError, match=message):
        check_labels(labels)


def test_a_text_is_one_label_and_presets_unfold():
    assert check_labels("sofa") == ["sofa"]
    assert check_labels("@modelnet10")[:2] == ["bathtub", "bed"]
    assert check_labels(["hovercraft", "@ScanObjectNN"]) == ["hovercraft", *PRESETS["scanobjectnn"][0]]


def test_presets_are_joined_with_own_names_and_with_each_other():
    both = check_labels(["@modelnet10", "@scanobjectnn", "Night Stand Lamp", "Chair"])
    assert len(both) == len({name.lower() for name in both})
    assert [name for name in both if name.lower() == "chair"] == ["Chair"]
    assert {"bathtub", "bag", "Night Stand Lamp"} <= set(both)
    assert "cup|mug" not in check_labels(["mug", "@everyday"])


def test_a_path_is_a_file_of_labels(tmp_path):
    (tmp_path / "own.txt").write_bytes(b"\xef\xbb\xbf@modelnet10\r\nhovercraft\r\n")
    assert check_labels(tmp_path / "own.txt") == [*PRESETS["modelnet10"][0], "hovercraft"]


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("chair, bed", ["chair", "bed"]),
        ("chair\nbed\n", ["chair", "bed"]),
        ('"lamp, red",19" monitor', ["lamp, red", '19" monitor']),
        ('["chair", ["mug", "cup"]]', ["chair", "mug|cup"]),
    ],
)
def test_one_text_is_a_list(text, labels):
    assert check_labels(split_labels(text)) == labels


def test_what_is_no_list_of_names_is_refused():
    with pytest.raises(OptionError, match="expected a JSON list of names"):
        split_labels("[chair, bed]")
    with pytest.raises(OptionError, match=r"own\.txt: a file of labels\? Give it as --labels-file"):
        split_labels("own.txt")


def test_words_for_classes_are_found_by_their_names():
    labels = ["couch|sofa", "Night Stand|bedside table", "bed"]
    assert match_classes(labels, ["bed", "night_stand", "sofa"]) == ("bed", "Night Stand|bedside table", "couch|sofa")
    with pytest.raises(OptionError, match="no label for the classes lamp: expected each among the synonyms"):
        match_classes(labels, ["bed", "night_stand", "sofa", "lamp"])
    with pytest.raises(OptionError, match=r"labels of no class .* bed; expected one of night_stand, sofa"):
        match_classes(labels, ["night_stand", "sofa"])
    with pytest.raises(OptionError, match=r"labels of no class of the data set, or of several: couch\|sofa"):
        match_classes(["couch|sofa"], ["couch", "sofa"])


def test_presets_have_no_repeats():
    for name in PRESETS:
        assert check_labels([f"@{name}"]) == list(PRESETS[name][0])
    assert {"mug", "cup"} <= {word for label in EVERYDAY for word in split_synonyms(label)}
    assert name_label("mug | cup") == "mug"
