import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clip2point.core.class_names import MODELNET40
from clip2point.core.errors import DataError, ModelError, OptionError, ShapeError
from clip2point.core.everyday import EVERYDAY
from clip2point.core.labels import name_label
from clip2point.search import embedding
from clip2point.search.embedding import embed_files
from clip2point.search.indexing import index_shapes
from clip2point.search.library import Library
from clip2point.shapes.contents import hash_content
from clip2point.shapes.demo_shapes import write_demo_shapes

pytest.importorskip("lancedb", reason="needs the extra: pip install 'clip2point[search]'")


@pytest.fixture(scope="module")
def model(plain):
    return plain.make_model()


@pytest.fixture
def write(plain):
    return plain.write_box


@pytest.fixture
def shapes(tmp_path, write):
    """Four boxes."""
    folder = tmp_path / "shapes"
    for number in range(4):
        write(folder / f"{number}.off", 1 + number, 2, 3)
    return folder


class Runs:
    """A library, and index runs that count what they embed."""

    def __init__(self, path, model):
        self.library, self.model, self.embedded = Library.create(path, model), model, []

    def __call__(self, *roots, **options):
        self.embedded = []
        return index_shapes(self.library, self.model, roots, embedder=self.embedder, **options)

    def embedder(self, jobs, labels):
        self.embedded = [Path(job.path).name for job in jobs]
        return embed_files(self.model, jobs, labels)

    def names(self):
        return sorted(Path(entry.path).name for entry in self.library.entries(columns=["path"]))

    def entry(self, path):
        return self.library.get(str(path))


@pytest.fixture
def run(tmp_path, model):
    return Runs(tmp_path / "library.lance", model)


def counts(report):
    return (report.added, report.changed, report.moved, report.removed, report.unchanged, len(report.failed))


def test_entries_say_what_the_model_says_of_each_file(run, model, shapes):
    glb = shapes / "deeper" / "cup.glb"
    write_demo_shapes(glb.parent, ["cup"])
    np.savetxt(shapes / "cloud.xyz", np.random.default_rng(0).normal(size=(80, 3)) * (1, 2, 4))
    report = index_shapes(run.library, model, [shapes])
    assert counts(report) == (6, 0, 0, 0, 0, 0)
    for entry in run.library.entries():
        answer = model.classify(entry.path, seed=0)
        np.testing.assert_allclose(entry.vector, model.embed([entry.path], up=entry.up)[0], atol=1e-5)
        assert (entry.up, entry.up_from) == (answer.up, answer.up_from)
        assert entry.labels == tuple(guess.label for guess in answer.guesses)
        assert entry.label_scores == pytest.approx([guess.confidence for guess in answer.guesses], abs=1e-4)
        assert entry.root == str(shapes)
        assert (entry.hash, entry.bytes) == (hash_content(entry.path), Path(entry.path).stat().st_size)
        with Image.open(io.BytesIO(entry.thumbnail)) as picture:
            assert (picture.format, picture.size) == ("WEBP", (288, 192))
    box, cloud = run.entry(shapes / "2.off"), run.entry(shapes / "cloud.xyz")
    assert (box.vertices, box.faces, box.points, box.extent) == (8, 6, 0, (3, 2, 3))
    assert (cloud.vertices, cloud.faces, cloud.points) == (0, 0, 80)
    assert run.entry(glb).up_from == "format"
    assert set(box.labels) <= {name_label(label) for label in EVERYDAY}


def test_only_what_is_new_or_changed_is_embedded_again(run, shapes, write):
    assert counts(run(shapes)) == (4, 0, 0, 0, 0, 0)
    assert counts(run(shapes)) == (0, 0, 0, 0, 4, 0)
    assert run.embedded == []
    before = {name: run.entry(shapes / name) for name in ("0.off", "1.off")}
    write(shapes / "0.off", 9, 9, 1)  # changed
    (shapes / "sub").mkdir()
    (shapes / "1.off").rename(shapes / "sub" / "moved.off")
    (shapes / "2.off").unlink()
    write(shapes / "new.off", 5, 1, 1)
    (shapes / "copy.off").write_bytes((shapes / "3.off").read_bytes())
    (shapes / "twin.off").write_bytes((shapes / "new.off").read_bytes())
    assert counts(run(shapes)) == (3, 1, 1, 1, 1, 0)
    assert sorted(run.embedded) == ["0.off", "new.off"]
    assert run.names() == ["0.off", "3.off", "copy.off", "moved.off", "new.off", "twin.off"]
    moved = run.entry(shapes / "sub" / "moved.off")
    np.testing.assert_array_equal(moved.vector, before["1.off"].vector)
    assert (moved.thumbnail, moved.indexed_at) == (before["1.off"].thumbnail, before["1.off"].indexed_at)
    assert np.abs(run.entry(shapes / "0.off").vector - before["0.off"].vector).max() > 0.01
    for one, other in (("copy.off", "3.off"), ("twin.off", "new.off")):
        np.testing.assert_array_equal(run.entry(shapes / one).vector, run.entry(shapes / other).vector)


def test_the_same_bytes_in_another_format_are_another_shape(run, tmp_path):
    folder = tmp_path / "shapes"
    folder.mkdir()
    (folder / "a.xyz").write_text("0 0 0\n1 2 3\n4 1 0\n")
    assert run(folder).added == 1
    (folder / "a.off").write_bytes((folder / "a.xyz").read_bytes())
    (folder / "b.txt").write_bytes((folder / "a.xyz").read_bytes())
    report = run(folder)
    assert counts(report) == (1, 0, 0, 0, 1, 1)
    assert [Path(path).name for path, _ in report.failed] == ["a.off"]


def test_files_that_changed_places_keep_their_own_vectors(run, shapes, monkeypatch):
    monkeypatch.setattr("clip2point.search.indexing._ROWS", 1)  # so that one is overwritten before it is read
    run(shapes)
    vectors = [run.entry(shapes / f"{number}.off").vector for number in (0, 1)]
    (shapes / "0.off").rename(shapes / "x")
    (shapes / "1.off").rename(shapes / "0.off")
    (shapes / "x").rename(shapes / "1.off")
    assert counts(run(shapes)) == (0, 2, 0, 0, 2, 0)
    for number in (0, 1):
        np.testing.assert_allclose(run.entry(shapes / f"{number}.off").vector, vectors[1 - number], atol=1e-5)


def test_failures_are_kept_and_tried_again_only_when_that_may_help(run, shapes, write):
    (shapes / "bad.off").write_text("OFF\n3 1 0\n0 0")
    (shapes / "bad_too.off").write_text("OFF\n3 1 0\n0 0")
    report = run(shapes)
    assert counts(report) == (4, 0, 0, 0, 0, 2)
    for path, error in report.failed:
        assert error.startswith(f"{path}: the header declares 3 vertices")
    assert run.library.failures() == report.failed
    assert counts(run(shapes)) == (0, 0, 0, 0, 4, 2)
    assert run.embedded == []
    assert counts(run(shapes, retry_failed=True)) == (0, 0, 0, 0, 4, 2)
    assert run.embedded == ["bad.off"]  # of both, which have the same content
    write(shapes / "bad.off", 1, 1, 7)
    (shapes / "bad_too.off").unlink()
    (shapes / "0.off").write_text("<html></html>")  # its entry is no longer true
    report = run(shapes)
    assert counts(report) == (1, 0, 0, 0, 3, 1)
    assert run.names() == ["1.off", "2.off", "3.off", "bad.off"]
    assert [Path(path).name for path, _ in run.library.failures()] == ["0.off"]
    assert json.loads(json.dumps(report.to_dict())) == report.to_dict()
    assert report.to_dict()["failed"][0]["path"] == str(shapes / "0.off")


def test_entries_of_other_folders_stay(run, shapes, tmp_path, write):
    other, (first, *_) = tmp_path / "other", sorted(shapes.iterdir())
    write(other / "a.off", 1, 1, 9)
    run(other)
    assert run(shapes).added == 4
    for path in list(other.iterdir()):
        path.unlink()
    assert counts(run(shapes)) == (0, 0, 0, 0, 4, 0)
    assert len(run.library) == 5
    write(shapes / "same.off", 1, 1, 9)  # as a.off, which may be on a disk that is away: a copy, and not moved
    assert counts(run(shapes)) == (1, 0, 0, 0, 4, 0)
    assert run.embedded == []
    assert len(run.library) == 6
    first.unlink()
    assert counts(run(other, shapes)) == (0, 0, 0, 2, 4, 0)


def test_a_folder_in_a_folder_is_brought_up_to_date_alone(run, shapes, write):
    write(shapes / "sub" / "a.off", 1, 1, 9)
    write(shapes / "subway.off", 1, 1, 8)
    run(shapes)
    (shapes / "sub" / "a.off").unlink()
    (shapes / "subway.off").unlink()
    write(shapes / "sub" / "b.off", 1, 1, 7)
    assert counts(run(shapes / "sub")) == (1, 0, 0, 1, 0, 0)
    assert run.names() == ["0.off", "1.off", "2.off", "3.off", "b.off", "subway.off"]
    assert counts(run(shapes / "sub", shapes)) == (0, 0, 0, 1, 5, 0)


def test_a_missing_folder_drops_nothing(run, shapes, tmp_path):
    run(shapes)
    shapes.rename(tmp_path / "elsewhere")
    with pytest.raises(ShapeError, match="no such folder"):
        run(tmp_path / "elsewhere", shapes)
    assert len(run.library) == 4
    (tmp_path / "elsewhere").rename(shapes)
    assert counts(run(shapes)) == (0, 0, 0, 0, 4, 0)


def test_an_up_axis_that_is_declared_otherwise_embeds_again(run, shapes):
    run(shapes)
    assert {entry.up_from for entry in run.library.entries()} == {"guessed"}
    assert counts(run(shapes, up="x")) == (0, 4, 0, 0, 0, 0)
    assert {(entry.up, entry.up_from) for entry in run.library.entries()} == {("x", "declared")}
    assert counts(run(shapes)) == (0, 0, 0, 0, 4, 0)
    assert counts(run(shapes, up="x")) == (0, 0, 0, 0, 4, 0)
    (shapes / "0.off").rename(shapes / "moved.off")
    assert counts(run(shapes, up="z")) == (1, 3, 0, 1, 0, 0)
    with pytest.raises(OptionError):
        run(shapes, up="upwards")


def test_links_hidden_files_and_names_that_are_no_text_do_no_harm(run, shapes):
    (shapes / ".hidden.off").write_text("no shape")
    (shapes / "sub").mkdir()
    (shapes / "sub" / "up").symlink_to(shapes)
    (shapes / "loop.off").symlink_to(shapes / "loop.off")
    (shapes / "link.off").symlink_to(shapes / "0.off")
    os.mkfifo(shapes / "pipe.off")
    odd = os.fsencode(shapes) + b"/\xff.off"
    try:
        Path(os.fsdecode(odd)).write_bytes((shapes / "0.off").read_bytes())
    except OSError:
        odd = None  # the file system takes no such names
    for added, unchanged in ((5, 0), (0, 5)):
        report = run(shapes)
        assert counts(report)[:5] == (added, 0, 0, 0, unchanged)
        errors = {Path(path).name: error for path, error in report.failed}
        assert "loop.off" in errors
        if odd:
            assert "its name is not UTF-8" in errors.pop("\\udcff.off")
        assert len(errors) == 1
    (shapes / "loop.off").unlink()
    (shapes / "pipe.off").unlink()
    if odd:
        Path(os.fsdecode(odd)).unlink()
    assert run(shapes).failed == []
    assert run.library.failures() == []


def test_of_two_runs_at_once_the_second_is_refused(run, shapes):
    def second(jobs, labels):
        with pytest.raises(DataError, match="another run is writing to this library"):
            index_shapes(Library.open(run.library.path), run.model, [shapes])
        yield from embed_files(run.model, jobs, labels)

    index_shapes(run.library, run.model, [shapes], embedder=second)
    assert counts(run(shapes)) == (0, 0, 0, 0, 4, 0)


def test_readers_see_what_a_run_has_written_so_far(run, shapes, monkeypatch):
    monkeypatch.setattr("clip2point.search.indexing._ENTRIES", 2)
    reader, seen = Library.open(run.library.path), []

    def watched(jobs, labels):
        for outcome in embed_files(run.model, jobs, labels):
            seen.append(len(reader))
            yield outcome

    index_shapes(run.library, run.model, [shapes], embedder=watched)
    assert seen == [0, 0, 2, 2]
    assert len(reader) == 4


def test_a_model_of_another_embedding_is_refused_with_both_names(run, shapes, plain):
    other = plain.make_model(seed=1, name="my_tower")
    with pytest.raises(ModelError, match="of the model plain, and those of my_tower"):
        index_shapes(run.library, other, [shapes])
    with pytest.raises(ModelError, match="with these settings cannot be compared"):
        Library.open_or_create(run.library.path, plain.make_model(points=65))
    prompts = plain.make_model(templates=("a {}",))
    assert counts(index_shapes(run.library, prompts, [shapes])) == (4, 0, 0, 0, 0, 0)


def test_the_vocabulary_is_that_of_the_first_run(run, shapes):
    words = ["box", "crate", "brick"]
    run(shapes, labels=words)
    assert run.library.labels == Library.open(run.library.path).labels == words
    assert sorted(run.entry(shapes / "0.off").labels) == sorted(words)
    run(shapes, labels=words)
    with pytest.raises(OptionError, match="labels from another vocabulary, of 3 names that begin with 'box'"):
        run(shapes, labels=["box"])


class Killer(str):
    """A path that ends the process which takes it from its parent."""

    __slots__ = ()

    def __reduce__(self):
        return os._exit, (3,)


@pytest.mark.slow
def test_a_file_that_kills_its_reader_is_a_failure_and_harms_no_other(model, shapes):
    good = embedding.Job(str(shapes / "0.off"), hash_content(str(shapes / "0.off")))
    jobs = [good, embedding.Job(Killer(shapes / "1.off"), "hash")]
    entry, failure = embed_files(model, jobs, MODELNET40, workers=1)
    assert entry.path == good.path
    np.testing.assert_allclose(entry.vector, model.embed([good.path], up=entry.up)[0], atol=1e-5)
    assert (failure.path, failure.hash) == (str(shapes / "1.off"), "hash")
    assert "ended the process that read it" in failure.error


def test_a_file_that_changes_while_it_is_read_is_not_blamed(model, shapes):
    job = embedding.Job(str(shapes / "0.off"), "hash of what it was before")
    (failure,) = embed_files(model, [job], MODELNET40)
    assert failure.hash == ""
    assert "changed while it was read" in failure.error


def test_an_error_that_nobody_expected_is_the_failure_of_its_file(model, shapes, monkeypatch):
    monkeypatch.setattr(embedding, "load_shape", lambda path, up: 1 / 0)
    path = str(shapes / "0.off")
    (failure,) = embed_files(model, [embedding.Job(path, hash_content(path))], MODELNET40)
    assert failure.error == f"{path}: ZeroDivisionError (division by zero) while it was read"
