import json

import pytest

from clip2point.core.errors import OptionError
from clip2point.core.record_files import RecordFile

QUESTION = {"labels": ["chair"], "seed": 0}
COLUMNS = ("source", "label", "error")
RECORDS = [{"source": "a,\n.obj", "label": "chair"}, {"source": "b\udcff.obj", "error": "is empty"}]


@pytest.fixture(params=[".jsonl", ".csv"])
def path(request, tmp_path):
    return tmp_path / f"answers{request.param}"


def write(path, records=RECORDS, question=QUESTION, **options):
    with RecordFile(path, question, COLUMNS, **options) as file:
        for record in records:
            file.write(record)
        return file.known


def test_what_was_written_is_known_when_resumed(path):
    write(path)
    known = write(path, [], resume=True)
    assert [{key: value for key, value in record.items() if value} for record in known] == RECORDS


def test_every_record_is_in_the_file_at_once(path):
    with RecordFile(path, QUESTION, COLUMNS) as file:
        for record in RECORDS:
            before = path.stat().st_size
            file.write(record)
            assert path.stat().st_size > before


def test_half_a_last_line_is_dropped_wherever_it_ends(path):
    write(path)
    whole = path.read_bytes()
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        known = write(path, [], resume=True)
        write(path, RECORDS[len(known) :], resume=True)
        assert path.read_bytes() == whole


def test_a_file_is_not_overwritten(path):
    write(path)
    with pytest.raises(OptionError, match="exists: expected a new file; go on with it by --resume"):
        write(path)


def test_only_one_process_writes(path):
    with RecordFile(path, QUESTION, COLUMNS) as file:
        file.write(RECORDS[0])
        with pytest.raises(OptionError, match="another process is writing to it"):
            write(path, resume=True)
    assert len(write(path, RECORDS[1:], resume=True)) == 1
    assert sorted(each.name for each in path.parent.iterdir()) == [path.name, f"{path.name}.meta.json"]


def test_another_question_is_refused_by_its_difference(path):
    write(path)
    with pytest.raises(OptionError, match="answers a question with another labels, up: ask that one"):
        write(path, question={**QUESTION, "labels": ["table"], "up": "z"}, resume=True)


def test_a_file_of_unknown_origin_is_refused(path):
    path.write_text("source\na.obj\n")
    with pytest.raises(OptionError, match="has no answers.*meta.json beside it"):
        write(path, resume=True)
    path.with_name(f"{path.name}.meta.json").write_text("{")
    with pytest.raises(OptionError, match="is damaged"):
        write(path, resume=True)


def test_a_damaged_line_in_the_middle_is_refused(path):
    write(path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:-1], b"{nonsense\n", lines[-1]]))
    with pytest.raises(OptionError, match="is damaged"):
        write(path, resume=True)


def test_other_columns_are_refused(tmp_path):
    path = tmp_path / "answers.csv"
    write(path)
    path.write_bytes(path.read_bytes().replace(b"label", b"name"))
    with pytest.raises(OptionError, match="other columns"):
        write(path, resume=True)


def test_lines_are_json(tmp_path):
    write(tmp_path / "answers.jsonl")
    assert [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()] == RECORDS


def test_removal_leaves_nothing(path):
    with RecordFile(path, QUESTION, COLUMNS) as file:
        file.remove()
    assert list(path.parent.iterdir()) == []
