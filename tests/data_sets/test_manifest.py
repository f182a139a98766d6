import json

import pytest

from clip2point.core.errors import DataError
from clip2point.data import open_dataset


@pytest.fixture
def folder(tmp_path, write):
    """Four shapes in one folder, which says nothing about them."""
    for seed, name in enumerate("abcd"):
        write.off(tmp_path / "set" / "shapes" / f"{name}.off", seed)
    return tmp_path / "set"


LINES = ("shapes/a.off,chair,train", "shapes/b.off,table,train", "shapes/c.off,chair,val", "shapes/d.off,table,test")


def test_a_list_in_the_folder_says_what_the_files_are(folder, write):
    write.lines(folder / "labels.csv", ["file,label,split", *LINES])
    train = open_dataset(f"folder:{folder}", split="train")
    assert train.classes == ("chair", "table")
    assert train.names == ("shapes/a.off", "shapes/b.off")
    assert train.notes == ("classes and splits are those of labels.csv",)
    assert open_dataset(f"folder:{folder}", split="val").names == ("shapes/c.off",)
    assert open_dataset(f"folder:{folder}").names == ("shapes/d.off",)


@pytest.mark.parametrize(
    "text",
    [
        "\ufefffilename;class\r\nshapes/a.off;chair\r\nshapes/d.off;night stand\r\n",
        'id\tcategory\tpath\n7\tchair\tshapes/a.off\n8\t"night stand"\tshapes/d.off\n',
        "shapes/a.off,chair\nshapes/d.off,night stand\n",
        "# mine\nfile,label\nshapes\\a.off, chair\nshapes/d, night stand\n\n",
        "file,label\nshapes/a.off,Chair\nshapes/a.off,chair\nshapes/d.off,night stand\n",
        "file,label\nshapes/a.off,03001627\nshapes/d.off,night stand\n",
    ],
)
def test_lists_as_programs_write_them(folder, text):
    (folder / "mine.csv").write_text(text, newline="")
    found = open_dataset(f"manifest:{folder / 'mine.csv'}")
    assert [name.lower() for name in found.classes] == ["chair", "night stand"]
    assert found.names == ("shapes/a.off", "shapes/d.off")


def test_lists_in_json(folder):
    records = [{"file": f"shapes/{name}.off", "label": label} for name, label in (("a", "chair"), ("b", "lamp"))]
    (folder / "x.json").write_text(json.dumps(records))
    (folder / "x.jsonl").write_text("".join(f"{json.dumps(record)}\n" for record in records))
    for name in ("x.json", "x.jsonl"):
        assert open_dataset(f"manifest:{folder / name}").classes == ("chair", "lamp")


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["file,kind", "shapes/a.off,chair"], "has the columns file, kind: expected columns file,label"),
        (["file,label", "shapes/a.off,"], "line 2: has no label"),
        (["file,label", "shapes/a.off,3"], "line 2: has the label '3', a number"),
        (["file,label", "shapes/x.off,chair"], "line 2: shapes/x.off: no such file below .*, as 1 of 1"),
        (["file,label,split", "shapes/a.off,chair,half"], "line 2: has the split 'half': expected train, val or test"),
        (["file,label,split", LINES[0], "shapes/b.off,table,"], "line 3: has no split, as others have"),
        (["file,label", "shapes/a.off,chair", "shapes/a.off,bed"], "lines 2 and 3: shapes/a.off has two labels"),
        (["file,label", "shapes/a.off,chair,x,y"], "line 2: has 4 cells: expected 2, file, label"),
        (["file,label", "../outside.off,chair"], "line 2: ../outside.off lies outside of"),
        ([], "is empty"),
    ],
)
def test_wrong_lists_are_told_with_their_line(folder, write, lines, words):
    write.off(folder.parent / "outside.off")
    write.lines(folder / "labels.csv", lines)
    with pytest.raises(DataError, match=words) as error:
        open_dataset(f"folder:{folder}")
    assert "\n" not in str(error.value)


def test_files_that_are_not_listed_are_told(folder, write):
    write.lines(folder / "labels.csv", ["file,label", "shapes/a.off,chair", "shapes/b.off,bed"])
    notes = open_dataset(f"folder:{folder}").notes
    assert "shape files that labels.csv does not list, passed over: 2 (shapes/c.off, shapes/d.off)" in notes


def test_a_list_elsewhere_names_files_from_a_folder_on(folder, write, tmp_path):
    write.lines(tmp_path / "list.csv", ["file,label", "shapes/a.off,chair", "shapes/b.off,bed"])
    assert open_dataset(f"manifest:{tmp_path / 'list.csv'}", root=folder).names == ("shapes/a.off", "shapes/b.off")
    with pytest.raises(DataError, match=r"list\.csv: line 2: shapes/a\.off: no such file"):
        open_dataset(f"manifest:{tmp_path / 'list.csv'}")
