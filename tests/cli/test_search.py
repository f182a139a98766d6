"""The commands that read a library: search, duplicates-report, clusters."""

import importlib.util
import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from clip2point.cli import duplicates_report
from clip2point.cli.main import main
from clip2point.core.errors import ModelError
from clip2point.search import Library, Query, index_shapes
from clip2point.search.duplicates import PROPORTIONS, THRESHOLD


@pytest.fixture(scope="module")
def plain():
    path = Path(__file__).parent.parent / "search" / "killed_runs.py"
    spec = importlib.util.spec_from_file_location("killed_runs", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def library(plain, tmp_path_factory):
    """Boxes, one of them twice and once larger."""
    folder = tmp_path_factory.mktemp("shapes")
    for number in range(6):
        plain.write_box(folder / f"box {number}.off", 1, 1 + number, 2)
    plain.write_box(folder / "larger.off", 3, 3, 6)
    shutil.copy(folder / "box 0.off", folder / "copy.off")
    model = plain.make_model()
    library = Library.create(tmp_path_factory.mktemp("library") / "db", model)
    index_shapes(library, model, [folder], up="y")
    return library


@pytest.fixture(autouse=True)
def loaded(plain, monkeypatch):
    """Names of the models that were loaded; only "plain" and "other" can be."""
    asked = []

    def load(name, **options):
        asked.append(name)
        if name not in ("plain", "other"):
            raise ModelError(f"unknown model {name!r}")
        return plain.make_model(seed=int(name == "other"), name=name)

    monkeypatch.setattr("clip2point.model.load", load)
    return asked


def first(library):
    return str(next(iter(library.entries(columns=["path"]))).path)


def test_search_prints_a_table(library, loaded, capsys):
    assert main(["search", "--db", str(library.path), "chair", "a lamp", "--not", "table", "--top", "3"]) == 0
    printed = capsys.readouterr().out
    assert printed.count(".off") == 3
    assert "score" in printed
    assert loaded == ["plain"]


@pytest.mark.parametrize(
    "words",
    [
        ["chair", "a lamp", "--not", "table", "--not", "desk"],
        ["chair", "--not", "table", "a lamp", "--not", "desk"],
        ["--not", "table", "chair", "--not", "desk", "a lamp"],
    ],
)
def test_phrases_may_stand_before_and_between_excluded_ones(library, words, monkeypatch):
    asked = []
    monkeypatch.setattr("clip2point.search.search", lambda library, model, query, **options: asked.append(query) or [])
    assert main(["search", *words, "--db", str(library.path)]) == 0
    assert asked == [Query(("chair", "a lamp"), ("table", "desk"))]


def test_search_prints_json(library, capsys):
    path = first(library)
    assert main(["search", "--db", str(library.path), "--shape", path, "--up", "y", "--json"]) == 0
    hits = json.loads(capsys.readouterr().out)["hits"]
    assert len(hits) == 8
    assert hits[0]["score"] == pytest.approx(1, abs=1e-3)
    assert {"path", "labels", "bytes", "extent"} <= hits[0].keys()


def test_search_is_limited_by_columns_and_labels(library, capsys):
    arguments = ["search", "--db", str(library.path), "chair", "--json"]
    assert main([*arguments, "--where", "path like '%box 3%' or path like '%box 4%'"]) == 0
    found = json.loads(capsys.readouterr().out)["hits"]
    assert {Path(hit["path"]).name for hit in found} == {"box 3.off", "box 4.off"}
    label = found[0]["labels"][0]
    assert main([*arguments, "--label", label.replace("_", " ")]) == 0
    labelled = json.loads(capsys.readouterr().out)["hits"]
    assert found[0]["path"] in {hit["path"] for hit in labelled}
    assert {hit["labels"][0] for hit in labelled} == {label}
    assert main([*arguments, "--label", label, "--where", "bytes < 0 or bytes < 0"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {"hits": []}
    assert "No shape of" in captured.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "error: nothing to look for"),
        (["--not", "chair"], "error: nothing to look for"),
        (["chair", "--where", "colour = 1"], "error: the condition 'colour = 1' makes no sense"),
        (["chair", "--label", "unicorn"], "no shape has the label 'unicorn': expected one of chair, armchair"),
        (["--image", "none.png"], "error: none.png: no such image file"),
        (["--shape", "none.ply"], "error: none.ply"),
        (["chair", "--model", "other"], "its vectors are of the model plain, and those of other"),
        (["chair", "--model", "nonsense"], "error: unknown model 'nonsense'"),
    ],
)
def test_invalid_queries_give_one_line_and_exit_2(library, arguments, message, capsys):
    assert main(["search", "--db", str(library.path), *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("command", ["search", "duplicates-report", "clusters"])
def test_a_missing_library_is_named(command, tmp_path, capsys):
    words = ["chair"] if command == "search" else []
    assert main([command, "--db", str(tmp_path / "none"), *words]) == 2
    assert f"error: {tmp_path / 'none'}: is no library: make one with" in capsys.readouterr().err


def test_a_missing_model_is_named_with_its_library(plain, tmp_path, capsys):
    Library.create(tmp_path / "db", plain.make_model(name="my/tower"))
    assert main(["clusters", "--db", str(tmp_path / "db")]) == 2
    assert "was made with the model my/tower, which cannot be loaded" in capsys.readouterr().err


def test_the_gallery_shows_query_and_hits(library, tmp_path, monkeypatch, capsys):
    Image.new("RGB", (32, 16), "red").save(tmp_path / "photo.png")
    monkeypatch.setattr("clip2point.search.queries.embed_photos", lambda model, photos: model.class_features(["photo"]))
    page = tmp_path / "pages" / "gallery.html"
    arguments = ["chair", "--not", "a <b>", "--image", str(tmp_path / "photo.png"), "--html", str(page)]
    assert main(["search", "--db", str(library.path), *arguments]) == 0
    html = page.read_text()
    assert "The 8 most similar of 8 shapes" in html
    assert '<span class="without">a &lt;b&gt;</span>' in html
    assert html.count("data:image/webp;base64,") == 9  # and the photo
    assert f"Page: {page}" in capsys.readouterr().err


def test_the_defaults_of_duplicates_report_are_those_of_the_library():
    assert (duplicates_report.THRESHOLD, duplicates_report.PROPORTIONS) == (THRESHOLD, PROPORTIONS)


def test_duplicates_report(library, tmp_path, capsys):
    arguments = ["duplicates-report", "--db", str(library.path), "--proportions", "0.01"]
    assert main([*arguments, "--html", str(tmp_path / "page.html")]) == 0
    captured = capsys.readouterr()
    assert "3 of 8 shapes are near-duplicates of others, in 1 group; 2 are exact copies." in captured.err
    for name in ("box 0.off", "copy.off", "larger.off"):
        assert name in captured.out
    assert "2 exact copies" in captured.out
    assert (tmp_path / "page.html").read_text().count("copies 1") == 2
    assert main([*arguments, "--threshold", "1", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["threshold"] == 1
    assert any(group["copies"] for group in record["groups"])


def test_clusters(library, tmp_path, capsys):
    arguments = ["clusters", "--db", str(library.path), "--count", "2"]
    assert main([*arguments, "--html", str(tmp_path / "page.html")]) == 0
    assert "most central" in capsys.readouterr().out
    assert "8 shapes in 2 clusters" in (tmp_path / "page.html").read_text()
    assert main([*arguments, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert sum(cluster["size"] for cluster in record["clusters"]) == 8
    assert main([*arguments[:3], "--count", "9"]) == 2
    assert "count 9: expected 1 to" in capsys.readouterr().err
