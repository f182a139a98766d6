import re
import shutil

import pytest

from clip2point.cli.main import build_parser
from clip2point.core.errors import OptionError
from clip2point.reproduction import paper_recipe as module
from clip2point.reproduction.paper_recipe import PLACEHOLDERS, paper_recipes, read_paper_recipe, recipe_folder

RECIPES = paper_recipes()
FILLED = {name: f"some-{name}" for name in PLACEHOLDERS}

#: Section by section what the paper and those who tested it state, as the notes of this project have it.
STATED = {
    "zero-shot-modelnet10-6-views": ("CLIP2Point", 66.63),
    "zero-shot-modelnet40-6-views": ("CLIP2Point", 49.38),
    "zero-shot-scanobjectnn-obj-bg-6-views": ("CLIP2Point", 35.46),
    "zero-shot-scanobjectnn-obj-only-6-views": ("CLIP2Point", 25.5),
    "zero-shot-shapenet55": ("CLIP2Point", 42.83),
    "zero-shot-objaverse-lvis": ("CLIP2Point", 2.7),
    "few-shot-modelnet40-16-shot": ("CLIP2Point", 89.79),
    "few-shot-modelnet40-1-to-16-shots": ("CLIP2Point", 89.79),
    "supervised-modelnet40": ("CLIP2Point", 94.2),
    "pretrain": ("CLIP2Point", 49.38),
    "pointclip-modelnet10": ("PointCLIP", 30.23),
    "pointclip-modelnet40": ("PointCLIP", 20.18),
    "pointclip-scanobjectnn-obj-bg": ("PointCLIP", 15.38),
    "pointclip-16-shot": ("PointCLIP", 87.20),
    "pointclip-objaverse-lvis": ("PointCLIP", 1.9),
}
GOOD = """\
title: A result
model: clip-vit-b-32
command: evaluate modelnet40 --root {root} --model {model} --device {device}
data: ModelNet40
time: a minute on a machine
"""


def write(folder, text, name="zero-shot-mine.yaml"):
    path = folder / name
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", STATED)
def test_every_stated_result_has_a_recipe(name):
    system, accuracy = STATED[name]
    figures = {(published.system, published.accuracy) for _, published in RECIPES[name].published}
    assert (system, accuracy) in figures


def test_each_variant_of_the_paper_has_a_recipe():
    data = ("modelnet10", "modelnet40", "scanobjectnn-obj-only", "scanobjectnn-obj-bg", "scanobjectnn-pb-t50-rs")
    assert {f"zero-shot-{name}-{views}-views" for name in data for views in (6, 10)} < set(RECIPES)
    assert [recipe.pretraining for recipe in RECIPES.values() if recipe.name.startswith("ablation-loss")] == [
        {"loss": {"intra": False}},
        {"loss": {"cross": False}},
    ]
    trained = {recipe.model for recipe in RECIPES.values() if recipe.pretraining == {}}
    larger = {"clip-vit-b-16", "clip-vit-l-14", "siglip-b-16", "hf:laion/CLIP-ViT-B-32-laion2B-s34B-b79K"}
    assert trained == {"clip-vit-b-32", *larger}


@pytest.mark.parametrize("name", RECIPES)
def test_the_command_exists_and_the_figures_have_a_row(name):
    recipe = RECIPES[name]
    arguments = build_parser().parse_args(recipe.fill(FILLED))
    assert arguments.model == "some-model"
    assert arguments.device == "some-device"
    assert arguments.dtype == "fp32"
    heads = (arguments.heads or "").split(",")
    rows = {
        "zero-shot": {""},
        "few-shot": {f"{head}, {shots} shots" for head in heads for shots in (arguments.shots or "").split(",")},
        "supervised": set(heads),
    }[recipe.protocol]
    assert {row for row, _ in recipe.published} <= rows
    assert recipe.time
    assert "estimate" in recipe.time


def test_recipes_of_models_come_first():
    names = list(RECIPES)
    assert names[0] == "pretrain"
    for name, recipe in RECIPES.items():
        assert recipe.model not in RECIPES or names.index(recipe.model) < names.index(name)


def test_a_checkout_and_an_installed_package_have_the_recipes(tmp_path, monkeypatch):
    assert (recipe_folder() / "paper-vit-b-32.yaml").is_file()
    package = tmp_path / "clip2point"
    shutil.copytree(recipe_folder() / "paper", package / "recipes" / "paper")
    monkeypatch.setattr(module, "_PACKAGE", package)
    assert paper_recipes() == RECIPES
    shutil.rmtree(package / "recipes" / "paper")
    with pytest.raises(OptionError, match="holds no recipes; install clip2point again"):
        paper_recipes()


def test_a_valid_recipe_is_read(tmp_path):
    recipe = read_paper_recipe(write(tmp_path, GOOD))
    assert (recipe.name, recipe.dataset, recipe.protocol, recipe.pretraining) == (
        *("zero-shot-mine", "modelnet40", "zero-shot"),
        None,
    )
    assert recipe.fill({"root": "a b", "model": "m", "device": "cpu"})[2:4] == ["--root", "a b"]
    assert read_paper_recipe(write(tmp_path, GOOD + "pretraining: {}\n")).pretraining == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a", "the recipe is a list of 1: expected keys and values"),
        ("", "the recipe is empty"),
        (GOOD.replace("title", "titel"), "unexpected key titel: .*the nearest is title"),
        (GOOD.replace("data: ModelNet40\n", ""), "data is missing: expected a value"),
        (GOOD.replace("A result", "[1]"), "title is a list of 1: expected text"),
        (GOOD + "pretraining: [1]", "pretraining is a list of 1: expected sections"),
        (GOOD.replace("evaluate modelnet40", "adapt modelnet40"), "command is 'adapt modelnet40.*expected 'evaluate"),
        (GOOD.replace("{root}", "{home}"), r"command has {home}: expected device, model, root in braces"),
        (GOOD.replace("{root}", "'{root}"), r"command cannot be split into words \(No closing quotation\)"),
        (GOOD + "quoted: [{accuracy: 99.9}]", "quotes 99.9 % for CLIP2Point, zero-shot on modelnet40, which the list"),
        (GOOD + "quoted: [{accuracy: high}]", r"quoted\[0\].accuracy is 'high': expected a number"),
        (GOOD + "a: &x [1]\nb: *x", "references"),
    ],
)
def test_an_invalid_recipe_is_one_clear_sentence(tmp_path, text, message):
    path = write(tmp_path, text)
    with pytest.raises(OptionError, match=message) as caught:
        read_paper_recipe(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_the_name_begins_with_the_kind(tmp_path):
    with pytest.raises(OptionError, match="a recipe's name begins with pretrain, .* or pointclip; rename the file"):
        read_paper_recipe(write(tmp_path, GOOD, "mine.yaml"))


def test_no_figure_is_claimed_as_measured():
    # What papers state stands under "quoted" alone.
    for path in (module.recipe_folder() / "paper").glob("*.yaml"):
        text = re.sub(r"quoted:\n(  - .*\n)+", "", path.read_text())
        recipe = RECIPES[path.stem]
        for _, published in recipe.published:
            assert f"{published.accuracy} %" not in text
