import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from clip2point.core.errors import DataError, ModelError, OptionError
from clip2point.core.locks import hold_lock
from clip2point.search import library as rooms
from clip2point.search.entry import KINDS, Entry
from clip2point.search.identity import fingerprint_embedding, make_absolute
from clip2point.search.library import Library

pytest.importorskip("lancedb", reason="needs the extra: pip install 'clip2point[search]'")

DIM = 16
NAMES = ["it's.off", 'say "x".off', "back\\slash.off", "new\nline.off", "ü漢.off", "%_.off", "--.off"]


def make_entries(count, seed=0):
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(count, DIM)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return [
        Entry(
            path=f"/a/{number:04d}.off",
            root="/a",
            hash=f"{number:x}",
            bytes=number,
            vector=vectors[number],
            labels=("chair", "stool") if number % 3 else ("table",),
            label_scores=(0.5, 0.25) if number % 3 else (1.0,),
            vertices=8,
            faces=6,
            extent=(1.5, 2.0, number),
            up="y",
            up_from="guessed",
            thumbnail=b"picture %d" % number,
            indexed_at="2026-01-02T03:04:05Z",
        )
        for number in range(count)
    ]


@pytest.fixture
def library(tmp_path, plain):
    return Library.create(tmp_path / "library", plain.make_model())


@pytest.fixture(scope="module")
def full(tmp_path_factory, plain):
    """A library of 40 entries, which no test changes."""
    library = Library.create(tmp_path_factory.mktemp("full"), plain.make_model())
    library.put(make_entries(40))
    return library


def paths(library, where=None):
    return sorted(entry.path for entry in library.entries(where, ["path"]))


def test_entries_come_back_as_they_were(full):
    assert len(full) == 40
    for entry in make_entries(40):
        found = full.get(entry.path)
        assert found.to_dict() == entry.to_dict()
        assert found.thumbnail == entry.thumbnail
        np.testing.assert_array_equal(found.vector, entry.vector)
    assert full.get("/a/none.off") is None
    assert {entry.path for entry in full.entries(batch=7)} == {entry.path for entry in make_entries(40)}
    found, vectors = full.vectors()
    assert found == [entry.path for entry in make_entries(40)]
    np.testing.assert_array_equal(vectors, [entry.vector for entry in make_entries(40)])


def test_names_of_files_are_no_sql(library):
    entries = [replace(entry, path=f"/a/{name}") for name, entry in zip(NAMES, make_entries(len(NAMES)), strict=True)]
    library.put(entries)
    for entry in entries:
        assert library.get(entry.path).bytes == entry.bytes
    library.put([replace(entries[0], path="/b")], gone=[entries[0].path])
    library.remove(entry.path for entry in entries[2:])
    assert paths(library) == ['/a/say "x".off', "/b"]
    library.put_failures([(entry.path, "h", "it's broken") for entry in entries])
    library.remove_failures(entry.path for entry in entries[1:])
    assert library.failures() == [(entries[0].path, "it's broken")]


def test_conditions_are_sql_over_the_columns(full):
    assert paths(full, "array_has(labels, 'table') AND bytes < 7") == ["/a/0000.off", "/a/0003.off", "/a/0006.off"]
    assert len(paths(full, "extent_z >= 38 OR indexed_at < '2026' OR hash = 'a' OR up_from = 'format'")) == 3
    some = list(full.entries("bytes = 4", ["path", "labels", "extent_x", "extent_y", "extent_z"]))
    assert [(entry.path, entry.labels, entry.extent) for entry in some] == [
        ("/a/0004.off", ("chair", "stool"), (1.5, 2.0, 4.0))
    ]
    assert (some[0].bytes, some[0].vector.shape, some[0].thumbnail) == (0, (0,), b"")


@pytest.mark.parametrize("where", ["weight > 3", "bytes >", "labels", ""])
def test_a_condition_that_makes_no_sense_is_one_error_with_the_columns(full, where):
    for search in (lambda: list(full.entries(where)), lambda: full.nearest(np.ones(DIM), 3, where)):
        with pytest.raises(OptionError) as error:
            search()
        assert "\n" not in str(error.value)
        assert ", ".join(KINDS) in str(error.value)
    with pytest.raises(OptionError, match="no column 'weight'"):
        list(full.entries(columns=["weight"]))


def test_the_nearest_are_exact_and_ordered(full):
    names, vectors = full.vectors()
    query = np.random.default_rng(5).normal(size=DIM).astype(np.float32) * 3
    cosines = vectors @ query / np.linalg.norm(query)
    found = full.nearest(query, 5)
    assert [entry.path for entry, _ in found] == [names[index] for index in np.argsort(-cosines)[:5]]
    assert [score for _, score in found] == pytest.approx(sorted(cosines, reverse=True)[:5], abs=1e-6)
    assert found[0][0].to_dict() == full.get(found[0][0].path).to_dict()
    assert not len(found[0][0].vector)
    assert len(full.nearest(query, 100)) == 40
    tables = [entry.path for entry, _ in full.nearest(query, 3, "array_has(labels, 'table')")]
    assert tables == [names[index] for index in np.argsort(-cosines) if index % 3 == 0][:3]


def test_equally_near_entries_are_ordered_by_path(library):
    vector = np.eye(DIM, dtype=np.float32)[0]
    with library.writing():
        library.put([Entry(path=path, hash=path, bytes=1, vector=vector) for path in ("/c", "/a", "/d", "/b")])
    assert [entry.path for entry, _ in library.nearest(vector, 4)] == ["/a", "/b", "/c", "/d"]


@pytest.mark.parametrize(
    ("vector", "top"), [(np.ones(DIM - 1), 3), (np.zeros(DIM), 3), (np.full(DIM, np.nan), 3), (np.ones(DIM), 0)]
)
def test_a_query_that_makes_no_sense_is_refused(full, vector, top):
    with pytest.raises(OptionError, match="expected \\[16\\], a norm above 0, top from 1"):
        full.nearest(vector, top)


def test_a_large_library_is_searched_by_an_index_that_knows_new_entries(library, monkeypatch):
    monkeypatch.setattr(rooms, "EXACT", 300)
    entries = make_entries(700)
    library.put(entries[:600])
    library.tidy()
    assert sorted(index.name for index in library._shapes.list_indices()) == ["path", "vector"]
    library.put(entries[600:])
    for tidied in (False, True):
        if tidied:
            library.tidy()
        hits = [library.nearest(entry.vector, 3)[0] for entry in entries[::70] + entries[-3:]]
        assert [hit.path for hit, _ in hits] == [entry.path for entry in entries[::70] + entries[-3:]]
        assert [score for _, score in hits] == pytest.approx([1.0] * len(hits), abs=1e-5)
    query, vectors = entries[5].vector, np.stack([entry.vector for entry in entries])
    few = [entry.path for entry, _ in library.nearest(query, 4, "bytes BETWEEN 100 AND 299")]
    assert few == [entries[100 + index].path for index in np.argsort(-vectors[100:300] @ query)[:4]]
    many = [entry.bytes for entry, _ in library.nearest(query, 10, "bytes >= 200")]
    assert len(many) == 10
    assert min(many) >= 200


def test_an_index_keeps_its_partitions_and_does_not_fall_into_parts(library, monkeypatch):
    monkeypatch.setattr(rooms, "EXACT", 100)
    monkeypatch.setattr(rooms, "_PARTITION", 50)
    monkeypatch.setattr(rooms, "_PARTS", 2)
    entries = make_entries(600)
    library.put(entries[:500])
    library.tidy()
    for start in (500, 530, 560):
        library.put(entries[start : start + 30])
        library.tidy()
        stats = library._shapes.index_stats("vector")
        assert (stats.num_unindexed_rows, stats.num_indices <= 3) == (0, True)
    plan = library._shapes.search(entries[0].vector).distance_type("dot").nprobes(1).limit(3).analyze_plan()
    assert int(re.search(r"partitions_ranked=(\d+)", plan)[1]) >= 10


def test_a_library_knows_what_it_was_made_with(library, plain):
    library.use_labels(["b", "a"])
    again = Library.open_or_create(library.path, plain.make_model(name="other"))
    assert (again.model_name, again.dim, again.labels) == ("plain", DIM, ["b", "a"])
    assert again.fingerprint == fingerprint_embedding(plain.make_model())
    with pytest.raises(ModelError):
        Library.open_or_create(library.path, plain.make_model(radius=0.1))
    for options in ({"seed": 1}, {"views": "ring-4"}, {"radius": 0.1}, {"style": "pointclip"}):
        assert fingerprint_embedding(plain.make_model(**options)) != again.fingerprint


def test_a_model_in_a_folder_is_known_wherever_one_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "pocket").mkdir()
    assert make_absolute("mine") == str(tmp_path / "mine")
    assert [make_absolute(name) for name in ("pocket", "hf:a/b")] == ["pocket", "hf:a/b"]


def test_only_folders_that_are_libraries_are_opened(library, tmp_path, plain, monkeypatch):
    with pytest.raises(DataError, match="is no library: make one with 'clip2point index"):
        Library.open(tmp_path / "none")
    assert not (tmp_path / "none").exists()
    with pytest.raises(DataError, match="is a library already"):
        Library.create(library.path, plain.make_model())
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    with pytest.raises(DataError, match=r"other files \(thesis.tex\)"):
        Library.open_or_create(tmp_path / "mine", plain.make_model())
    monkeypatch.setattr(rooms, "_FORMAT", 2)
    with pytest.raises(DataError, match="of format 1, and this program knows 2"):
        Library.open(library.path)
    for file in (library.path / "shapes.lance" / "_versions").glob("*.manifest"):
        file.write_bytes(b"nonsense")
    with pytest.raises(DataError, match="is damaged"):
        Library.open(library.path)


def test_what_a_killed_creation_leaves_is_made_whole(tmp_path, plain):
    whole = Library.create(tmp_path / "whole", plain.make_model())
    left = tmp_path / "left"
    left.mkdir()
    (left / ".lock").touch()
    (left / "failures.lance").mkdir()
    (whole.path / "failures.lance" / "_versions").rename(left / "failures.lance" / "_versions")
    (left / "shapes.lance" / "_transactions").mkdir(parents=True)
    library = Library.open_or_create(left, plain.make_model())
    library.put(make_entries(2))
    assert len(Library.open(left)) == 2


def test_without_lancedb_the_extra_is_named(tmp_path, plain, monkeypatch):
    monkeypatch.setitem(sys.modules, "lancedb", None)
    with pytest.raises(OptionError, match=r"pip install 'clip2point\[search\]'"):
        Library.create(tmp_path / "library", plain.make_model())
    assert not (tmp_path / "library").exists()


def test_a_lock_is_held_against_others_and_goes_with_its_process(tmp_path):
    path = tmp_path / "lock"
    holder = "import os, sys; from pathlib import Path; from clip2point.core.locks import hold_lock\n"
    holder += "with hold_lock(Path(sys.argv[1])): os.kill(os.getpid(), 9)"
    with hold_lock(path):
        with pytest.raises(BlockingIOError), hold_lock(path):
            pass
        blocked = subprocess.run([sys.executable, "-c", holder, path], capture_output=True, check=False)
        assert b"BlockingIOError" in blocked.stderr
    killed = subprocess.run([sys.executable, "-c", holder, path], capture_output=True, check=False)
    assert killed.returncode != 0
    assert killed.stderr == b""
    with hold_lock(path):
        assert list(tmp_path.iterdir()) == [path]
