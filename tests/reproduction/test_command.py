"""``clip2point reproduce`` beyond the run of every recipe: lists, failures, tables."""

import json
from pathlib import Path

import pytest

from clip2point.cli.main import main
from clip2point.reproduction import commands
from clip2point.reproduction.commands import CommandResult
from clip2point.reproduction.paper_recipe import paper_recipes

RECIPES = paper_recipes()
ZERO_SHOT, UNTRAINED = "zero-shot-scanobjectnn-obj-bg-6-views", "pointclip-scanobjectnn-obj-bg"


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLIP2POINT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def places(root, weights, tiny_clip, tmp_path_factory):
    """Options under which the zero-shot recipes can run, with a folder for results that the tests share."""
    out = tmp_path_factory.mktemp("results")
    return ["--root", str(root), "--weights", str(weights), "--model", str(tiny_clip), "--out", str(out)]


@pytest.fixture(scope="module")
def measured(places):
    """Two recipes were run."""
    assert main(["reproduce", ZERO_SHOT, UNTRAINED, *places]) == 0


def recipes(capsys):
    return {recipe["name"]: recipe for recipe in json.loads(capsys.readouterr().out)["recipes"]}


def test_a_list_names_missing_inputs_and_fetches_nothing(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["reproduce"]) == 0
    captured = capsys.readouterr()
    assert "no model and no data" in captured.out
    assert all(name in captured.out for name in RECIPES)
    assert "Get ScanObjectNN from its official page" in captured.err
    assert captured.err.count("Get ModelNet40 from") == 1  # once for all that need it
    assert list(tmp_path.iterdir()) == []


def test_measured_figures_stand_beside_quoted_ones(measured, places, capsys):
    assert main(["reproduce", *places, "--json"]) == 0
    found = recipes(capsys)
    assert list(found) == list(RECIPES)
    recipe = found[ZERO_SHOT]
    assert recipe["state"] == "done"
    assert recipe["result"]["measurement"]["samples"] == 15
    assert recipe["result"]["measurement"]["command"].startswith("clip2point evaluate scanobjectnn-obj-bg")
    assert [row["accuracy"] for row in recipe["quoted_not_measured"]] == [35.46]
    assert recipe["quoted_not_measured"][0]["source"] == "CLIP2Point, ICCV 2023"
    assert found["few-shot-modelnet40-16-shot"]["result"] is None


@pytest.mark.parametrize("ending", ["md", "html"])
def test_tables_have_the_commands_and_sources_of_each_figure(measured, places, ending, tmp_path, tiny_clip, capsys):
    path = tmp_path / f"table.{ending}"
    assert main(["reproduce", *places, "--report", str(path)]) == 0
    text = path.read_text()
    result = json.loads((Path(places[-1]) / f"{ZERO_SHOT}.json").read_text())
    for words in (
        f"{100 * result['rows'][0]['accuracy']:.2f}",
        "35.46",
        str(tiny_clip),
        "scanobjectnn-obj-bg, test, 15",
    ):
        assert words in text
    assert "its public loader reads main_split/test_objectdataset.h5" in text  # of the source of the quoted figure
    assert "never measured here" in text
    assert "clip2point evaluate scanobjectnn-obj-bg --root" in text
    assert "clip2point evaluate modelnet10" not in text  # was not run
    assert "66.63" in text


def test_another_model_outdates_a_result(measured, places, tiny_siglip, capsys):
    other = [*places, "--model", str(tiny_siglip)]
    assert main(["reproduce", ZERO_SHOT, *other, "--dry-run", "--json"]) == 0
    assert recipes(capsys)[ZERO_SHOT]["state"] == "outdated result; ready"
    assert main(["reproduce", UNTRAINED, *other, "--dry-run", "--json"]) == 0
    assert recipes(capsys)[UNTRAINED]["state"] == "done"


def test_again_repeats_a_recipe(measured, places, capsys):
    assert main(["reproduce", UNTRAINED, *places, "--again"]) == 0
    assert "$ clip2point evaluate scanobjectnn-obj-bg" in capsys.readouterr().err


def test_missing_inputs_and_failures_stop_no_other_recipe(places, tmp_path, capsys, monkeypatch):
    def fail(words):
        if "modelnet10" in words:
            raise MemoryError("no room on the device")
        if "modelnet40" in words:
            return CommandResult("clip2point evaluate modelnet40", -9, messages=("reading", "weights"))
        return run(words)

    run = commands.run_process
    monkeypatch.setattr(commands, "run_process", fail)
    names = ["pointclip-modelnet10", "pointclip-modelnet40", "supervised-modelnet40", UNTRAINED]
    words = [*places, "--out", str(tmp_path / "out"), "--model", str(tmp_path / "none")]
    assert main(["reproduce", *names, *words, "--json"]) == 1
    found = recipes(capsys)
    assert found["pointclip-modelnet10"]["error"] == "MemoryError: no room on the device"
    killed = "'clip2point evaluate modelnet40' failed by signal 9: reading / weights"
    assert found["pointclip-modelnet40"]["error"] == killed
    assert [missing["kind"] for missing in found["supervised-modelnet40"]["missing"]] == ["model"]
    assert found[UNTRAINED]["state"] == "done"
    assert [path.name for path in (tmp_path / "out").iterdir()] == [f"{UNTRAINED}.json"]


@pytest.mark.slow
def test_an_interrupted_run_is_reported_and_continues(places, tmp_path, capsys, monkeypatch):
    def interrupt(words):
        return CommandResult("", 130) if "modelnet10" in words else run(words)

    run = commands.run_process
    names = ["untrained-*32", "pointclip-modelnet10", "pointclip-modelnet40"]
    words = ["reproduce", *names, *places, "--out", str(tmp_path / "out")]
    with monkeypatch.context() as patch:
        patch.setattr(commands, "run_process", interrupt)
        assert main([*words, "--json"]) == 130
    captured = capsys.readouterr()
    states = [recipe["state"] for recipe in json.loads(captured.out)["recipes"]]
    assert states == ["done", "interrupted", "ready"]
    assert captured.err.endswith("Interrupted; the same command continues.\n")
    assert main(words) == 0
    messages = capsys.readouterr().err
    assert "untrained-laion-vit-b-32: done already" in messages
    assert messages.count("$ clip2point") == 2


def test_shapes_that_cannot_be_read_are_counted(places, root, tmp_path, capsys):
    data = tmp_path / "data"
    for name in ("armchair", "teapot"):
        (data / "objaverse-lvis" / name).mkdir(parents=True)
        (source,) = (root / "objaverse-lvis" / name).iterdir()
        (data / "objaverse-lvis" / name / "good.glb").write_bytes(source.read_bytes())
    (data / "objaverse-lvis" / "teapot" / "bad.glb").write_bytes(b"nonsense")
    words = [*places, "--root", str(data), "--out", str(tmp_path / "out")]
    assert main(["reproduce", "zero-shot-objaverse-lvis", *words]) == 1
    captured = capsys.readouterr()
    assert "done, 1 shapes left out" in captured.out
    assert "bad.glb" in captured.err


def test_a_damaged_result_is_named_and_replaced(places, tmp_path, capsys):
    path = tmp_path / "out" / f"{UNTRAINED}.json"
    path.parent.mkdir()
    path.write_text("{")
    words = [*places, "--out", str(path.parent)]
    assert main(["reproduce", *words]) == 0
    assert f"{path}: is no result of clip2point reproduce" in capsys.readouterr().err
    assert main(["reproduce", UNTRAINED, *words]) == 0


def test_a_dry_run_describes_recipes_and_runs_nothing(places, tmp_path, capsys):
    words = [*places, "--out", str(tmp_path / "out")]
    assert main(["reproduce", "pretrain", "ablation-loss-cross-only", *words, "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert "$ clip2point pairs" in printed
    assert 'trains as paper-vit-b-32.yaml, changed by {"loss": {"intra": false}}, from clip-vit-b-32' in printed
    assert "quoted    49.38 % for CLIP2Point: CLIP ViT-B/32; CLIP2Point, ICCV 2023" in printed
    assert "three hours on one H100" in printed
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["zero-shut-modelnet40"],
            "error: no recipe 'zero-shut-modelnet40': expected all, or some of pretrain, zero-shot",
        ),
        (["--report", "table.pdf"], "error: --report table.pdf: expected a file that ends in .html or .md"),
    ],
)
def test_invalid_options_are_refused(words, message, capsys):
    assert main(["reproduce", *words]) == 2
    assert capsys.readouterr().err.startswith(message)
