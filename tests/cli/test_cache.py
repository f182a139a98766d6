import json

import pytest

from clip2point.cli.main import main
from clip2point.core.cache import load_arrays, store_arrays
from clip2point.core.cache_limit import DEFAULT, format_size, parse_size, read_limit
from clip2point.core.errors import OptionError
from clip2point.core.store import make_key, open_store

KEYS = [make_key(b"", bytes([number])) for number in range(10)]


@pytest.fixture(autouse=True)
def filled(tmp_path, monkeypatch):
    import numpy as np

    monkeypatch.setenv("CLIP2POINT_CACHE", str(tmp_path))
    monkeypatch.delenv("CLIP2POINT_CACHE_LIMIT", raising=False)
    open_store().put_many("views", {key: bytes(1000) for key in KEYS})
    store_arrays("points", {"seed": 0}, {"points": np.zeros(1000)})
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("not an entry")
    return tmp_path


def run(capsys, *words):
    assert main(["cache", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_it_says_what_there_is(filled, capsys):
    found = run(capsys)
    assert found["folder"] == str(filled)
    assert found["limit"] == DEFAULT
    kinds = {kind["kind"]: (kind["entries"], kind["bytes"]) for kind in found["kinds"]}
    assert kinds.keys() == {"points", "views"}
    assert kinds["views"] == (10, 10_000)
    assert kinds["points"][0] == 1
    assert 8000 < kinds["points"][1] < 9000
    assert main(["cache"]) == 0
    assert "views" in capsys.readouterr().out


def test_it_is_emptied_and_nothing_else_is(filled, capsys):
    assert run(capsys, "--empty")["kinds"] == []
    assert load_arrays("points", {"seed": 0}) is None
    assert open_store().get_many("views", KEYS) == {}
    assert [path.name for path in filled.rglob("*") if path.is_file()] == ["mine.txt"]
    open_store().put_many("views", {KEYS[0]: b""})
    assert open_store().get_many("views", KEYS) == {KEYS[0]: b""}


def test_a_limit_holds_from_now_on(capsys, monkeypatch):
    found = run(capsys, "--limit", "5 kB")
    assert found["limit"] == read_limit() == 5000
    assert [(kind["kind"], kind["entries"]) for kind in found["kinds"]] == [("views", 4)]
    monkeypatch.setenv("CLIP2POINT_CACHE_LIMIT", "7KB")
    assert run(capsys)["limit"] == 7000


@pytest.mark.parametrize("text", ["", "much", "-1", "1 PB", "1e3"])
def test_what_is_no_size_is_one_line(text, capsys, monkeypatch):
    assert main(["cache", f"--limit={text}"]) == 2
    assert capsys.readouterr().err == f"error: {text!r} is no size: expected one such as 500MB, 10GB or 0\n"
    monkeypatch.setenv("CLIP2POINT_CACHE_LIMIT", "much")
    with pytest.raises(OptionError, match="CLIP2POINT_CACHE_LIMIT: 'much' is no size"):
        read_limit()


@pytest.mark.parametrize(("size", "text"), [(0, "0 B"), (1000, "1.0 KB"), (2_500_000, "2.5 MB"), (10**13, "10.0 TB")])
def test_sizes_are_written_and_read(size, text):
    assert format_size(size) == text
    assert parse_size(text) == size
