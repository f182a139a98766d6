import json
import re
import shutil
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from clip2point.core.errors import OptionError
from clip2point.core.version import software_versions
from clip2point.evaluation.published import find_published
from clip2point.heads.metrics import measure_predictions, summarise
from clip2point.report.evaluation_page import EvaluationReport, write_evaluation_page

pytestmark = pytest.mark.slow

CLASSES = ["<b>chair", "table $x", "椅子", "never"]


def views(indices):
    return [[np.full((8, 8), 40 * (view + 1), np.uint8) for view in range(2)] for _ in indices]


def make_report(seeds=(0,), perfect=False, samples=30):
    labels = np.arange(samples) % 3
    runs = []
    for seed in seeds:
        scores = np.random.default_rng(seed).normal(size=(samples, 4)) + (20 if perfect else 1) * np.eye(4)[labels]
        runs.append(np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True))
    metrics = [measure_predictions(run, labels, CLASSES) for run in runs]
    return EvaluationReport(
        title="pocket on <i>modelnet40",
        model="pocket",
        dataset="modelnet40",
        split="test",
        protocol="zero-shot",
        command="clip2point evaluate modelnet40 --report 'a & b'",
        settings={"points": 1024, "templates": ["image of a {}"]},
        versions=software_versions(),
        hashes={"weights": "0123abcd"},
        seeds=list(seeds),
        metrics=metrics,
        summary=summarise(metrics),
        probabilities=runs[0],
        labels=labels,
        names=[f"folder/<{index}>.off" for index in range(samples)],
        classes=CLASSES,
        failures=[("broken.off", "expected <three> numbers")],
        remarks=["First & foremost."],
        published=find_published("modelnet40", "zero-shot"),
        view_names=["front", "side"],
        pictures=views,
    )


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A report of three seeds, and its folder."""
    folder = tmp_path_factory.mktemp("report")
    report = make_report((0, 1, 2))
    assert write_evaluation_page(folder, report) == folder / "report.html"
    return folder, report


def test_the_page_holds_everything_and_fetches_nothing(written):
    html = (written[0] / "report.html").read_text(encoding="utf-8")
    assert "Quoted from the papers, not measured here" in html
    assert "49.38" in html
    assert "0123abcd" in html
    assert "First &amp; foremost." in html
    assert "&lt;b&gt;chair" in html
    assert "expected &lt;three&gt; numbers" in html
    assert "clip2point evaluate modelnet40 --report &#39;a &amp; b&#39;" in html
    for forbidden in ("<b>chair", "<i>modelnet40", "http", "<script", "<link", "@import"):
        assert forbidden not in html
    sources = re.findall(r'src="([^"]{0,30})', html)
    assert len(sources) == 4 + html.count("→")
    assert all(source.startswith("data:image/png;base64,") for source in sources)


def test_the_figures_stand_on_the_page(written):
    html = re.sub(r"\s+", " ", (written[0] / "report.html").read_text(encoding="utf-8"))
    summary, first = written[1].summary, written[1].metrics[0]
    assert f"{100 * summary.accuracy.mean:.1f} <small>% ± {100 * summary.accuracy.deviation:.1f}" in html
    low, high = first.accuracy_interval
    assert f"{100 * first.accuracy:.1f} % [{100 * low:.1f}, {100 * high:.1f}]" in html


def test_the_numbers_are_there_as_json(written):
    folder, report = written
    record = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert record == report.to_dict()
    assert record["metrics"] == [metrics.to_dict() for metrics in report.metrics]
    assert record["summary"]["accuracy"]["mean"] == report.summary.accuracy.mean
    assert record["seeds"] == [0, 1, 2]
    assert record["failures"] == [{"source": "broken.off", "error": "expected <three> numbers"}]
    assert {row["system"] for row in record["quoted_not_measured"]} >= {"CLIP2Point"}


def test_pictures_are_files_too(written):
    names = {path.name for path in written[0].iterdir()}
    plots = {"confusion_matrix.png", "class_accuracy.png", "reliability.png", "seeds.png"}
    assert names > plots | {"report.html", "report.json", "worst_confusion_1.png"}
    for name in names:
        if name.endswith(".png"):
            with Image.open(written[0] / name) as image:
                assert min(image.size) > 100


def test_the_worst_confusions_come_first_and_are_true(written):
    report = written[1]
    confusions = report.to_dict()["confusions"]
    counts = [confusion["count"] for confusion in confusions]
    assert counts == sorted(counts, reverse=True)
    matrix = np.array(report.metrics[0].confusion)
    assert counts[0] == (matrix - np.diag(np.diag(matrix))).max()
    answers = report.probabilities.argmax(axis=1)
    for confusion in confusions:
        assert confusion["truth"] != confusion["answer"]
        for name in confusion["examples"]:
            index = report.names.index(name)
            assert CLASSES[report.labels[index]] == confusion["truth"]
            assert CLASSES[answers[index]] == confusion["answer"]


def test_only_shown_shapes_are_rendered(tmp_path):
    asked = []

    def pictures(indices):
        asked.append(list(indices))
        return views(indices)

    report = replace(make_report(samples=300), pictures=pictures)
    write_evaluation_page(tmp_path, report)
    assert len(asked) == 1
    assert len(asked[0]) <= 8 * 3
    wrong = report.probabilities.argmax(axis=1) != report.labels
    assert wrong[asked[0]].all()


def test_a_later_report_leaves_nothing_of_an_earlier_one(written, tmp_path):
    shutil.copytree(written[0], tmp_path, dirs_exist_ok=True)
    (tmp_path / "notes.txt").write_text("mine")
    write_evaluation_page(tmp_path, replace(make_report(perfect=True), failures=[], published=()))
    assert {path.name for path in tmp_path.iterdir()} == {
        *("report.html", "report.json", "notes.txt"),
        *("confusion_matrix.png", "class_accuracy.png", "reliability.png"),
    }
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Worst confusions" not in html
    assert "Quoted" not in html
    assert "seed 0" in html


def test_the_same_report_gives_the_same_files(written, tmp_path):
    write_evaluation_page(tmp_path, make_report((0, 1, 2)))
    for path in written[0].iterdir():
        assert path.read_bytes() == (tmp_path / path.name).read_bytes()


def test_hundreds_of_classes_are_drawn(tmp_path):
    classes = [f"a rather long name of class {index}" for index in range(130)]
    probabilities = np.random.default_rng(0).dirichlet(np.full(130, 0.1), size=200)
    labels = np.arange(200) % 130
    metrics = measure_predictions(probabilities, labels, classes)
    report = replace(
        make_report(),
        classes=classes,
        metrics=[metrics],
        summary=summarise([metrics]),
        probabilities=probabilities,
        labels=labels,
        names=[str(index) for index in range(200)],
    )
    write_evaluation_page(tmp_path, report)
    with Image.open(tmp_path / "confusion_matrix.png") as image:
        assert max(image.size) < 4000


def test_without_matplotlib_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(OptionError, match=r"pip install 'clip2point\[report\]'"):
        write_evaluation_page(tmp_path / "report", make_report())
    assert not (tmp_path / "report").exists()


def test_reports_that_do_not_fit_together_are_refused():
    report = make_report()
    with pytest.raises(OptionError, match="1 metrics of 2 seeds"):
        replace(report, seeds=[0, 1])
    with pytest.raises(OptionError, match="not of the same samples"):
        replace(report, names=report.names[1:])


def test_versions_name_what_numbers_depend_on():
    assert set(software_versions()) == {"clip2point", "python", "torch", "numpy", "numba", "platform"}
