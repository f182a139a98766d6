import json
from pathlib import Path

import pytest

from clip2point.core.errors import OptionError
from clip2point.core.strict_config import find_changed_key
from clip2point.pretraining.recipe import Recipe, read_recipe, recipe_from_dict, recipe_schema

FOLDER = Path(__file__).parents[2] / "recipes"
RECIPES = [path for path in sorted(FOLDER.rglob("*.yaml")) if "\ntraining:" in path.read_text()]


def write(tmp_path, text):
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_can_be_read_and_written(path):
    recipe = read_recipe(path)
    assert recipe_from_dict(json.loads(json.dumps(recipe.to_dict())), "again") == recipe


def test_the_schema_for_editors_is_that_of_the_settings():
    expected = json.dumps(recipe_schema(), indent=1) + "\n"
    path = FOLDER / "schema.json"
    assert path.read_text() == expected, f"{path}: differs from the settings; run tools/write_schema.py"


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_names_the_schema(path):
    first = path.read_text().splitlines()[0]
    assert first.startswith("# yaml-language-server: $schema=")
    assert (path.parent / first.partition("=")[2]).resolve() == FOLDER / "schema.json"


def test_cameras_of_a_recipe_are_read_and_written(tmp_path):
    cameras = tmp_path / "cameras.json"
    cameras.write_text(json.dumps({"name": "mine", "cameras": [{"elevation": 10, "azimuth": 20}]}))
    recipe = read_recipe(write(tmp_path, f"recognition: {{views: {cameras}}}"))
    assert recipe.recognition.views.angles == ((10, 20),)
    assert recipe_from_dict(json.loads(json.dumps(recipe.to_dict())), "again") == recipe
    with pytest.raises(OptionError, match="recipe.yaml: recognition.views: "):
        read_recipe(write(tmp_path, "recognition: {views: {cameras: 3}}"))


def test_a_key_of_release_0_1_0_is_read(tmp_path):
    path = write(tmp_path, "captions: {name_share: 0.4}")
    with pytest.warns(UserWarning, match="recipe.yaml: captions.name_share is now captions.name_probability"):
        assert read_recipe(path).captions.name_probability == 0.4


def test_missing_keys_have_their_defaults(tmp_path):
    assert read_recipe(write(tmp_path, "")) == Recipe()
    changed = read_recipe(
        write(tmp_path, "optimizer: {lr: 1e-2, betas: [0.9, 0.98]}\nvalidation: {dataset: npz:a.npz}")
    )
    assert changed.optimizer.lr == 0.01
    assert changed.optimizer.betas == (0.9, 0.98)
    assert changed.validation.dataset == "npz:a.npz"
    assert recipe_from_dict(changed.to_dict(), "again") == changed


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("optimiser: {}", "unexpected key optimiser: .*the nearest is optimizer"),
        ("training: {epoch: 3}", r"unexpected key training.epoch: .*the nearest is epochs"),
        ("training: {epochs: yes}", r"training.epochs is True: expected an integer"),
        ("training: {epochs: 1.5}", r"training.epochs is 1.5: expected an integer"),
        ("training: {epochs: 0}", r"training.epochs is 0: expected 1 to"),
        ("training: {precision: fp8}", r"training.precision is 'fp8': expected one of 32-true, bf16-mixed"),
        ("optimizer: {lr: fast}", r"optimizer.lr is 'fast': expected a number"),
        ("optimizer: {lr: .nan}", r"optimizer.lr is nan: expected a number"),
        ("optimizer: {lr: -1}", r"optimizer.lr is -1.0: expected above 0"),
        (f"optimizer: {{lr: 1{'0' * 400}}}", r"optimizer.lr is 1.*expected a number"),
        ("loss: {cross: no, intra: no}", r"loss: no loss is asked for"),
        ("rendering: {views: sideways}", r"rendering: unknown view set 'sideways'"),
        ("optimizer: {betas: [0.9]}", r"optimizer.betas is a list of 1: expected a list of 2"),
        ("optimizer: {betas: [0.9, no]}", r"optimizer.betas\[1\] is False: expected a number"),
        ("data: {pairs: a}", r"data.pairs is 'a': expected a list"),
        ("data: [a]", r"data is a list of 1: expected keys and values"),
        ("- a", r"the recipe is a list of 1: expected keys and values"),
        ("validation: {}", r"validation.dataset is missing"),
        ("backbone: 3", r"backbone is 3: expected text"),
        ("backbone: a\nbackbone: b", r"line 2: .*comes twice"),
        ("a: &x [1]\nb: *x", r"line 2: .*references"),
        ("a: [1", r"is not YAML"),
        ("a: !!python/object/apply:os.system [ls]", r"is not YAML that a recipe can be read from"),
        ("[" * 2000, r"is not YAML"),
    ],
)
def test_errors_name_the_file_and_the_key(tmp_path, text, message):
    path = write(tmp_path, text)
    with pytest.raises(OptionError, match=message) as caught:
        read_recipe(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_missing_and_huge_files(tmp_path):
    with pytest.raises(OptionError, match="cannot be read"):
        read_recipe(tmp_path / "none.yaml")
    with pytest.raises(OptionError, match="bytes: expected a recipe"):
        read_recipe(write(tmp_path, "#" * (1 << 21)))


def test_the_first_changed_key_is_named():
    before = Recipe().to_dict()
    now = Recipe().to_dict()
    assert find_changed_key(before, now) is None
    now["optimizer"]["lr"] = 0.5
    assert find_changed_key(before, now) == "optimizer.lr was 0.0003 and is now 0.5"
    del now["optimizer"]["lr"]
    assert find_changed_key(before, now) == "optimizer.lr was 0.0003 and is now 'not set'"
