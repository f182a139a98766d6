import json
import re
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from clip2point.core.errors import OptionError
from clip2point.data.parts import Parts
from clip2point.evaluation.comparison import Comparison, Fit
from clip2point.heads.metrics import Spread, measure_predictions
from clip2point.report.comparison_page import write_comparison_page
from clip2point.report.comparison_plots import Line, plot_heads, plot_shots

pytestmark = pytest.mark.slow

CLASSES = ("<b>chair", "table $x", "椅子")
HEADS = ("linear", "gdpa")


def make_fit(head, shots, seed, strength=1.0, **changes):
    labels = np.arange(30) % 3
    rng = np.random.default_rng((seed, shots or 0, len(head)))
    scores = rng.normal(size=(30, 3)) + strength * np.eye(3)[labels]
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    values = {
        "options": {"c": 10.0 * (seed + 1), "path": "<both>"},
        "temperature": 1.5,
        "threshold": 0.6,
        "validation_accuracy": 0.9,
        "validation_cross_entropy": 0.4 if head == "gdpa" else 0.5,
        "seconds": 0.25,
        "probabilities": probabilities,
        "labels": labels,
        "metrics": measure_predictions(probabilities, labels, CLASSES),
    }
    return Fit(head, shots, seed, **{**values, **changes})


def make_comparison(shots=(1, 4), seeds=2, **changes):
    parts = {
        name: SimpleNamespace(
            name="modelnet40",
            split=name,
            classes=CLASSES,
            note="From <a friend>.",
            fingerprint=f"{name}-hash",
            notes=(),
        )
        for name in ("train", "validation", "test")
    }
    backbone = SimpleNamespace(fingerprint=lambda path: f"{path}-hash")
    values = {
        "model": SimpleNamespace(name="pocket", backbone=backbone),
        "parts": Parts(**parts, note="A fifth is held out."),
        "protocol": "few-shot",
        "zero_shot": make_fit(
            "zero-shot", 0, 0, threshold=None, validation_accuracy=None, validation_cross_entropy=None
        ),
        "fits": tuple(make_fit(head, count, seed) for count in shots for seed in range(seeds) for head in HEADS),
        "settings": {"target": 0.95, "copies": {"count": 3, "yaw": 12.0}, "templates": ["image of a {}"]},
        "failures": (("broken.off", "expected <three> numbers"),),
        "command": "clip2point evaluate modelnet40 --report 'a & b'",
    }
    return Comparison(**{**values, **changes})


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A report of two heads, two numbers of shots and two seeds, and its folder."""
    folder, found = tmp_path_factory.mktemp("report"), make_comparison((1, 16))
    assert write_comparison_page(folder, found, compare=True) == folder / "report.html"
    return folder, found


def text_of(folder):
    return re.sub(r"\s+", " ", (folder / "report.html").read_text(encoding="utf-8"))


def test_the_page_holds_everything_and_fetches_nothing(written):
    html = text_of(written[0])
    for shown in (
        "Quoted from the papers, not measured here",
        "89.79",
        "From &lt;a friend&gt;.",
        "A fifth is held out.",
        "expected &lt;three&gt; numbers",
        "clip2point evaluate modelnet40 --report &#39;a &amp; b&#39;",
        "depth-hash",
        "test-hash",
        "scikit-learn",
        "count 3, yaw 12.0",
        "c 10.0, path &lt;both&gt; (1 of 2); c 20.0, path &lt;both&gt; (1 of 2)",
        "0.25",
    ):
        assert shown in html
    for forbidden in ("<both>", "<a friend>", "http", "<script", "<link", "@import"):
        assert forbidden not in html
    sources = re.findall(r'src="([^"]{0,30})', html)
    assert len(sources) == 4
    assert all(source.startswith("data:image/png;base64,") for source in sources)


def test_every_figure_stands_in_the_tables(written):
    html, found = text_of(written[0]), written[1]
    for head in HEADS:
        for cell in found.row(head):
            spread = cell.summary.accuracy
            chosen = " chosen" if head == "gdpa" else ""
            assert f'<td class="number{chosen}">{100 * spread.mean:.1f} ± {100 * spread.deviation:.1f}</td>' in html
    assert "Best on validation at 16 shots: <b>gdpa</b>" in html


def test_the_numbers_are_there_as_json(written):
    folder, found = written
    record = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    quoted = record.pop("quoted_not_measured")
    assert record == found.to_dict()
    assert {row["system"] for row in quoted} >= {"CLIP2Point", "PointCLIP"}
    assert {row["protocol"] for row in quoted} == {"16-shot"}
    assert record["best_on_validation"] == [{"shots": 1, "head": "gdpa"}, {"shots": 16, "head": "gdpa"}]


def test_plots_are_files_too(written):
    names = {path.name for path in written[0].iterdir()}
    plots = {"accuracy.png", "coverage.png", "confusion_matrix.png", "reliability.png"}
    assert names == plots | {"report.html", "report.json"}
    for name in plots:
        with Image.open(written[0] / name) as image:
            assert min(image.size) > 200


def test_supervised_and_unquoted(tmp_path):
    found = make_comparison((None,), seeds=1, protocol="supervised")
    write_comparison_page(tmp_path, found)
    html = text_of(tmp_path)
    assert "Quoted" not in html
    assert "±" not in re.sub('<p.*?</p>|<figcaption.*?</figcaption>|alt=".*?"', "", html)
    assert "supervised" in html
    assert {row.protocol for row in found.find_published()} == {"supervised"}


def test_a_threshold_that_nothing_reaches(tmp_path):
    fits = tuple(make_fit("linear", 1, seed, threshold=1.1) for seed in range(2))
    found = make_comparison(fits=fits)
    assert found.cell("linear", 1).mean("coverage") == 0
    assert found.cell("linear", 1).mean("accuracy_at_coverage") is None
    write_comparison_page(tmp_path, found)


def test_answers_above_the_threshold():
    fit = make_fit("linear", 1, 0)
    known = fit.probabilities.max(1) >= 0.6
    assert fit.coverage == known.mean()
    assert fit.accuracy_at_coverage == (fit.probabilities.argmax(1) == fit.labels)[known].mean()
    whole = make_fit("linear", 1, 0, threshold=None)
    assert (whole.coverage, whole.accuracy_at_coverage) == (1, whole.metrics.accuracy)


def test_many_heads_are_drawn():
    heads = [f"head {number}" for number in range(15)]
    lines = [Line(head, [Spread(0.5, None), Spread(0.7, 0.1)]) for head in heads]
    for content in (plot_shots((1, 2), lines, 0.4), plot_heads(lines, 0.4)):
        assert content.startswith(b"\x89PNG")


def test_the_same_comparison_gives_the_same_files(written, tmp_path):
    write_comparison_page(tmp_path, make_comparison((1, 16)), compare=True)
    for path in written[0].iterdir():
        assert path.read_bytes() == (tmp_path / path.name).read_bytes()


def test_without_matplotlib_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(OptionError, match=r"pip install 'clip2point\[report\]'"):
        write_comparison_page(tmp_path / "report", make_comparison())
    assert not (tmp_path / "report").exists()
