"""Class names: files in every usual form, repeats told all at once, presets, synonyms."""

import pytest

from clip2point.core.errors import OptionError
from clip2point.core.everyday import EVERYDAY
from clip2point.core.labels import PRESETS, check_labels, name_label, read_labels, split_synonyms


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


def test_presets_have_no_repeats():
    for name in PRESETS:
        assert check_labels([f"@{name}"]) == list(PRESETS[name][0])
    assert {"mug", "cup"} <= {word for label in EVERYDAY for word in split_synonyms(label)}
    assert name_label("mug | cup") == "mug"
