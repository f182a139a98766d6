"""Every recipe from its file to its line of the table, on tiny towers and tiny data in the true layouts."""

import json

import pytest

from clip2point.cli.main import main
from clip2point.reproduction.measured_results import read_result
from clip2point.reproduction.paper_recipe import paper_recipes

pytestmark = pytest.mark.slow

RECIPES = paper_recipes()
LEARNING = {name for name, recipe in RECIPES.items() if recipe.protocol != "zero-shot"}


@pytest.fixture(scope="module")
def reproduced(root, weights, tmp_path_factory):
    """Folder of the results of all recipes, run by one command."""
    out = tmp_path_factory.mktemp("out")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLIP2POINT_CACHE", str(tmp_path_factory.mktemp("cache")))
        # Nine trainings would spend more time on their curves than on all else.
        patch.setattr("clip2point.cli.training_console.TrainingConsole._draw", lambda console: None)
        places = ["--root", str(root), "--weights", str(weights), "--out", str(out)]
        assert main(["reproduce", "all", "--quick", *places, "--report", str(out / "table.md")]) == 0
    return out


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_runs_from_its_file_to_its_figures(name, reproduced):
    recipe, result = RECIPES[name], read_result(reproduced / "quick", name)
    assert all(0 <= row.accuracy <= 1 for row in result.rows)
    assert result.failures == 0
    assert result.commands[-1].startswith(f"clip2point evaluate {recipe.dataset.partition(':')[0]}")
    # The views, style and points that the recipe says are those that were measured with.
    settings = result.measurement.get("settings")
    words = dict(zip(recipe.words, recipe.words[1:], strict=False))
    if settings is not None:
        assert (settings["views"], settings["style"]) == (words["--views"], words["--style"])
        assert (settings["points"], settings["radius"]) == (1024, 0.02)
        assert (settings["templates"], settings["dtype"]) == (["image of a {}"], "float32")
    assert f"| {name} |" in (reproduced / "table.md").read_text()


@pytest.mark.parametrize("name", [name for name, recipe in RECIPES.items() if recipe.pretraining is not None])
def test_a_recipe_measures_the_model_that_it_trains(name, reproduced):
    recipe, result = RECIPES[name], read_result(reproduced / "quick", name)
    folder = reproduced / "quick" / name
    assert [line.split()[1] for line in result.commands] == ["pairs", "pretrain", "evaluate"]
    assert result.model == str(folder / "model")
    trained = json.loads((folder / "model" / "config.json").read_text())["recipe"]
    assert trained["backbone"].endswith(recipe.model.rpartition("/")[2])
    for section, changes in recipe.pretraining.items():
        assert {key: trained[section][key] for key in changes} == changes
    assert trained["optimizer"]["name"] == "lamb"


@pytest.mark.parametrize("name", [name for name, recipe in RECIPES.items() if recipe.model == "pretrain"])
def test_a_recipe_measures_the_model_of_the_paper(name, reproduced):
    assert read_result(reproduced / "quick", name).model == str(reproduced / "quick" / "pretrain" / "model")


@pytest.mark.parametrize("name", sorted(LEARNING))
def test_every_head_of_a_recipe_is_a_row(name, reproduced):
    words = RECIPES[name].words
    heads = words[words.index("--heads") + 1].split(",")
    measured = [row.name.partition(", ")[0] for row in read_result(reproduced / "quick", name).rows]
    assert measured == ["class names alone", *(f"{head}:epochs=3" for head in heads)]


def test_a_finished_recipe_is_not_run_again(root, weights, reproduced, monkeypatch, capsys):
    monkeypatch.chdir(root)  # from elsewhere, with relative paths
    places = ["--root", ".", "--weights", str(weights), "--out", str(reproduced)]
    assert main(["reproduce", "all", "--quick", *places, "--json"]) == 0
    captured = capsys.readouterr()
    assert [recipe["state"] for recipe in json.loads(captured.out)["recipes"]] == ["done"] * len(RECIPES)
    assert captured.err.count("done already") == len(RECIPES)
    assert "$" not in captured.err


def test_a_quick_check_is_no_result(root, weights, reproduced, capsys):
    assert main(["reproduce", "--root", str(root), "--weights", str(weights), "--out", str(reproduced)]) == 0
    assert f"0 of {len(RECIPES)} recipes have a result" in capsys.readouterr().out
    table = (reproduced / "table.md").read_text()
    assert "these figures mean nothing" in table
    assert "66.63" not in table
