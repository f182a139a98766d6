import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import clip2point
from clip2point.cli.main import main
from clip2point_shapes import generate, write_mesh


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    """A folder of nine shapes, the third of which is empty."""
    folder = tmp_path_factory.mktemp("shapes")
    for seed in range(9):
        write_mesh(generate("chair" if seed % 2 else "lamp", seed=seed), folder / f"{seed}.off")
    (folder / "2.off").write_bytes(b"")
    return folder


@pytest.fixture
def embed(shapes, tiny_clip, tmp_path, capsys):
    """Runs the command; gives the file, its exit status and what it said."""

    def run(name, *words, folder=shapes):
        status = main(["embed", str(folder), "--model", str(tiny_clip), "--out", str(tmp_path / name), *words])
        printed = capsys.readouterr()
        assert printed.out == ""
        return tmp_path / name, status, printed.err

    return run


def read_lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_vectors_are_those_of_the_library(embed, shapes, tiny_clip):
    path, status, said = embed("vectors.npz")
    assert status == 1
    assert "1 of 9 could not be read" in said
    assert "8 vectors of 24 numbers" in said
    found = np.load(path)
    files = [str(shapes / f"{number}.off") for number in range(9) if number != 2]
    assert found["paths"].tolist() == files
    assert found["names"].tolist() == [Path(file).name for file in files]
    assert found["vectors"].dtype == np.float32
    expected = clip2point.load(str(tiny_clip)).embed(files)
    np.testing.assert_allclose(found["vectors"], expected, atol=1e-6)
    assert "the up-axis is not declared: y was assumed" in found["notes"][0]
    assert found["failed_paths"].tolist() == [str(shapes / "2.off")]
    assert "empty" in str(found["errors"][0])
    assert json.loads(str(found["metadata"]))["model"] == str(tiny_clip)
    assert [each.name for each in path.parent.iterdir()] == ["vectors.npz"]


def test_all_formats_hold_the_same(embed):
    parquet = pytest.importorskip("pyarrow.parquet")
    lines = read_lines(embed("vectors.jsonl", "--up", "z")[0])
    table = parquet.read_table(embed("vectors.parquet", "--up", "z")[0])
    rows = table.to_pylist()
    assert [row["path"] for row in rows] == [line["source"] for line in lines]
    for row, line in zip(rows, lines, strict=True):
        assert row["error"] == line["error"]
        assert (row["vector"] is None) == ("vector" not in line)
        np.testing.assert_array_equal(np.float32(row["vector"] or []), np.float32(line.get("vector", [])))
        assert row["notes"] == line.get("notes", [])
        assert row["content"] == line["content"]
    vectors = np.array([line["vector"] for line in lines if "vector" in line], np.float32)
    np.testing.assert_array_equal(np.load(embed("vectors.npz", "--up", "z")[0])["vectors"], vectors)
    assert json.loads(table.schema.metadata[b"clip2point"])["up"] == "z"


@pytest.mark.parametrize("name", ["vectors.npz", "vectors.jsonl"])
def test_a_killed_run_goes_on(embed, shapes, tiny_clip, tmp_path, name):
    code = (
        "import sys, time; from clip2point.shapes import shape_files; read = shape_files._read; "
        "shape_files._read = lambda path, *more: time.sleep(1000 * (path.name == '7.off')) or read(path, *more); "
        "from clip2point.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    out = tmp_path / f"killed-{name}"
    growing = out if out.suffix == ".jsonl" else tmp_path / f"killed-{name}.part.jsonl"
    command = [sys.executable, "-c", code, "embed", str(shapes), "--model", str(tiny_clip), "--out", str(out)]
    environment = {**os.environ, "CLIP2POINT_CACHE_LIMIT": "0"}  # so that it reads
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment)
    deadline = time.monotonic() + 120
    while not growing.exists() or growing.read_bytes().count(b"\n") < 7:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.kill()
    process.wait()
    if out != growing:
        _, status, said = embed(out.name)
        assert status == 2
        assert "is left from an interrupted run: go on with it by --resume" in said
    _, status, said = embed(out.name, "--resume")
    assert status == 1
    assert "6 of 9 files are embedded" in said  # the empty one is tried again
    whole, _, _ = embed(name)
    if name == "vectors.npz":
        for key in ("vectors", "paths", "names", "ups", "notes", "contents", "failed_paths", "errors"):
            if key == "vectors":
                np.testing.assert_allclose(np.load(out)[key], np.load(whole)[key], atol=1e-6)
            else:
                assert np.load(out)[key].tolist() == np.load(whole)[key].tolist()
        assert not growing.exists()
    else:
        assert sorted(line["source"] for line in read_lines(out)) == [line["source"] for line in read_lines(whole)]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("vectors.csv",), "expected a name that ends in .jsonl or .parquet or .npz"),
        (("vectors.npz", "--resume", "--seed", "1"), "exists: expected a new file; delete it, or give another --out"),
        (("vectors.jsonl", "--resume", "--seed", "1"), "answers a question with another seed"),
        (("vectors.jsonl",), "exists: expected a new file; go on with it by --resume, or delete it"),
    ],
)
def test_mistakes_are_one_line(embed, words, message):
    if words[0] != "vectors.csv":
        embed(words[0])
    _, status, said = embed(*words)
    assert status == 2
    assert message in said
    assert said.count("\n") == 1


def test_parquet_without_its_package_is_said_before_work(embed, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setattr("clip2point.cli.options.load_model", lambda arguments: pytest.fail("loaded"))
    _, status, said = embed("vectors.parquet")
    assert status == 2
    assert "needs pyarrow: run pip install 'clip2point[search]'" in said
