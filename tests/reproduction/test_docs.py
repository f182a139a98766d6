"""What docs/how-to/reproduce.md shows must work as it stands there."""

import json
import re
import shlex
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from clip2point.cli.main import main
from clip2point.reproduction.paper_recipe import paper_recipes

REPOSITORY = Path(__file__).parents[2]
DATA = REPOSITORY / "tests" / "data"
TEXT = (REPOSITORY / "docs" / "how-to" / "reproduce.md").read_text(encoding="utf-8")
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL) for line in block.splitlines()]
RECIPES = paper_recipes()


def write_tokenizer(folder, size=1000):
    """A word tokenizer whose last token ends texts, as CLIP's does."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    words = ["<unk>", "<bos>", "image", "of", "a", *(f"word{number}" for number in range(size - 6)), "<eos>"]
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A <eos>", special_tokens=[("<bos>", 1), ("<eos>", size - 1)]
    )
    folder.mkdir(parents=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 77}
    settings |= {"unk_token": "<unk>", "bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<eos>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


@pytest.fixture(scope="module")
def place(root, tmp_path_factory):
    """A folder with the files that the commands speak of; those of the authors and of OpenAI are tiny."""
    folder = tmp_path_factory.mktemp("place")
    write_tokenizer(folder / "weights" / "clip-vit-b-32")
    (folder / "data").symlink_to(root)
    (folder / "authors.pth").symlink_to(DATA / "official_pretrain_tiny.pth")
    (folder / "ViT-B-32.pt").symlink_to(DATA / "openai_clip_tiny.pth")
    return folder


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_run(command, place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    monkeypatch.setenv("CLIP2POINT_CACHE", str(place / "cache"))
    program, *words = shlex.split(command)
    assert program == "clip2point"
    if "cuda" in words:  # these run for hours: here they are planned only
        words.append("--dry-run")
    assert main(words) == 0
    assert capsys.readouterr().out


def test_every_recipe_is_documented():
    assert len(COMMANDS) == 9
    patterns = [name for line in TEXT.splitlines() if line.startswith("| `") for name in re.findall(r"`([^`]+)`", line)]
    for name in RECIPES:
        assert any(fnmatchcase(name, pattern) for pattern in patterns), name
    for pattern in patterns:
        assert any(fnmatchcase(name, pattern) for name in RECIPES), pattern


def test_the_figures_are_those_of_the_recipes():
    stated = {published.accuracy for recipe in RECIPES.values() for _, published in recipe.published}
    lines = [line.split("|")[3] for line in TEXT.splitlines() if line.startswith("| `")]
    quoted = {float(number) for line in lines for number in re.findall(r"\d+\.\d+", line)}
    assert quoted == stated - {49.5}
