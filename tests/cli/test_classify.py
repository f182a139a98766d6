"""Answers as they come: real processes that are killed, resumed, and read by nobody."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from clip2point.cli.main import main
from clip2point.shapes import load_shape, sample_points
from clip2point.shapes.demo_shapes import demo_files
from clip2point_shapes import generate, write_mesh

LABELS = ("--labels", "chair,lamp")


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    """A folder of twelve shapes, the third of which is empty."""
    folder = tmp_path_factory.mktemp("shapes")
    for seed in range(12):
        write_mesh(generate("chair" if seed % 2 else "lamp", seed=seed), folder / f"{seed:02d}.off")
    (folder / "02.off").write_bytes(b"")
    return folder


@pytest.fixture
def classify(shapes, tiny_clip, capsys):
    """Runs the command here; gives its exit status, stdout and stderr."""

    def run(*words, folder=shapes):
        status = main(["classify", str(folder), *LABELS, "--model", str(tiny_clip), *words])
        return (status, *capsys.readouterr())

    return run


def start(shapes, tiny_clip, *words, **options):
    """A process of its own whose reader stops for good at the eighth file."""
    code = (
        "import sys, time; from clip2point.shapes import shape_files; read = shape_files._read; "
        "shape_files._read = lambda path, *more: time.sleep(1000 * (path.name == '07.off')) or read(path, *more); "
        "from clip2point.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, "classify", str(shapes), *LABELS, "--model", str(tiny_clip), *words]
    environment = {**os.environ, "CLIP2POINT_CACHE_LIMIT": "0"}  # so that it reads
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment, **options)


def wait_for(condition):
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_lines_and_rows_say_what_the_document_says(classify, shapes):
    status, document, _ = classify("--json")
    assert status == 1
    document = json.loads(document)
    lines = [json.loads(line) for line in classify("--jsonl")[1].splitlines()]
    rows = list(csv.DictReader(io.StringIO(classify("--csv")[1])))
    paths = [str(path) for path in sorted(shapes.iterdir())]
    assert [line["source"] for line in lines] == [row["source"] for row in rows] == paths
    assert [line["error"] for line in lines if line["error"]] == [document["failures"][0]["error"]]
    answers = [{key: line[key] for key in line if key not in ("content", "error")} for line in lines]
    for answer, expected in zip([each for each in answers if "label" in each], document["results"], strict=True):
        assert answer["label"] == expected["label"]
        assert answer["confidence"] == pytest.approx(expected["confidence"], abs=1e-5)
        assert answer.keys() == expected.keys()
    assert [row["label"] for row in rows] == [line.get("label", "") for line in lines]


def test_first_rows_come_before_the_last_file_is_read_and_survive_a_kill(classify, shapes, tiny_clip, tmp_path):
    out = tmp_path / "answers.jsonl"
    process = start(shapes, tiny_clip, "--out", str(out))
    wait_for(lambda: out.exists() and out.read_bytes().count(b"\n") == 7)
    process.kill()
    process.communicate()
    with out.open("a") as file:
        file.write('{"source": "')
    status, printed, said = classify("--out", str(out), "--resume")
    assert status == 1
    assert not printed
    assert "6 of 12 files are answered" in said  # the empty one is tried again
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert sorted(line["source"] for line in lines) == [str(path) for path in sorted(shapes.iterdir())]
    whole = {line["source"]: line.get("label") for line in map(json.loads, classify("--jsonl")[1].splitlines())}
    assert {line["source"]: line.get("label") for line in lines} == whole


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interruption_leaves_what_was_answered(shapes, tiny_clip, tmp_path, number, status):
    process = start(shapes, tiny_clip, "--csv", stdout=subprocess.PIPE)
    rows = [process.stdout.readline() for _ in range(8)]  # the header, too
    process.send_signal(number)
    rest, said = process.communicate(timeout=60)
    assert process.returncode == status
    assert rest == ""
    assert rows[7].startswith(str(shapes / "06.off"))
    assert "Traceback" not in said


def test_a_reader_that_has_gone_is_no_error(shapes, tiny_clip):
    command = [sys.executable, "-m", "clip2point", "classify", *[str(shapes)] * 40, *LABELS, "--model", str(tiny_clip)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "\n"
    process.stdout.close()
    assert "Traceback" not in process.stderr.read()
    assert process.wait(timeout=60) != 0


def test_a_finished_file_is_left_alone_and_a_changed_input_is_asked_again(classify, shapes, tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    for name in ("01.off", "03.off"):
        (own / name).write_bytes((shapes / name).read_bytes())
    out = tmp_path / "answers.csv"
    assert classify("--out", str(out), folder=own)[0] == 0
    former = out.read_text()
    assert "2 of 2" in classify("--out", str(out), "--resume", folder=own)[2]
    assert out.read_text() == former
    status = (own / "01.off").stat()
    (own / "01.off").write_bytes((shapes / "05.off").read_bytes())
    os.utime(own / "01.off", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert "1 of 2" in classify("--out", str(out), "--resume", folder=own)[2]
    rows = list(csv.DictReader(io.StringIO(out.read_text())))
    assert [row["source"] for row in rows] == [str(own / "03.off"), str(own / "01.off")]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--resume",), "error: --resume: expected the file to go on with; give it by --out FILE\n"),
        (("--out", "answers.txt"), "error: --out answers.txt: expected a name that ends in .jsonl or .csv\n"),
    ],
)
def test_options_that_make_no_sense_are_one_line(classify, words, message):
    assert classify(*words) == (2, "", message)


def test_another_question_is_refused(classify, tmp_path):
    out = str(tmp_path / "answers.jsonl")
    classify("--out", out)
    status, printed, said = classify("--out", out, "--resume", "--seed", "1")
    assert (status, printed) == (2, "")
    assert "answers a question with another seed" in said
    assert said.count("\n") == 1


def test_columns_of_tables_can_be_chosen(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CLIP2POINT_COLUMNS", "")  # is put back
    chair = load_shape(demo_files()["chair"])
    points = sample_points(chair, 1024, seed=0)
    table = np.column_stack([np.random.default_rng(0).random(1024), points])
    np.savetxt(tmp_path / "scan.xyz", table, fmt="%.5f")
    arguments = ["classify", str(tmp_path / "scan.xyz"), "--labels", "chair,bottle,airplane", "--up", "y", "--json"]
    assert main([*arguments, "--columns", "x=2,y=3,z=4"]) == 0
    assert json.loads(capsys.readouterr().out)["results"][0]["label"] == "chair"
    assert main([*arguments, "--columns", "x=2,y=3,z=9"]) == 1
    assert "has no column '9': expected 1 to 4" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([*arguments, "--columns", "2,3,4"])
    assert "expected x=NUMBER,y=NUMBER,z=NUMBER" in capsys.readouterr().err
