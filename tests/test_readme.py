"""What the README shows must work as it stands there."""

import re
import shlex
from itertools import product
from pathlib import Path

import pytest

from clip2point.cli.main import build_parser, main
from clip2point.heads import registry
from clip2point.model.loading import load
from clip2point.model.saving import save_model
from clip2point.pretraining.pairs import PairFolder, open_source
from clip2point_shapes import generate, write_mesh

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) for line in block.splitlines()]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder with the files that the examples speak of; what one of them writes, a later one may read."""
    folder = tmp_path_factory.mktemp("readme")
    write_mesh(generate("chair"), folder / "chair.off")
    (folder / "scans").mkdir()
    write_mesh(generate("table"), folder / "scans" / "table.ply")
    (folder / "labels.txt").write_text("chair\ntable\n")
    for name in ("chair", "table", "lamp"):
        (folder / "labelled" / name).mkdir(parents=True)
        write_mesh(generate(name), folder / "labelled" / name / "1.ply")
    for name, seed in product(("chair", "table"), range(4)):
        (folder / "parts" / name).mkdir(parents=True, exist_ok=True)
        write_mesh(generate(name, seed=seed), folder / "parts" / name / f"{seed}.ply")
    return folder


@pytest.fixture(scope="module")
def small_pocket(tmp_path_factory):
    """Folder of the embedded model for pictures of 64 x 64, which are read a dozen times faster."""
    model, folder = load(dtype="fp32"), tmp_path_factory.mktemp("pocket")
    small = model.backbone.with_depth_tower(model.backbone.depth_tower(), image_size=64)
    save_model(folder, small, model.settings, {})
    return folder


@pytest.fixture(autouse=True)
def place(files, small_pocket, monkeypatch):
    monkeypatch.chdir(files)
    monkeypatch.setattr("clip2point.model.folders.POCKET", small_pocket)
    monkeypatch.setattr(registry, "_GRIDS", {**registry._GRIDS, "gdpa": ({"epochs": 5},)})
    monkeypatch.setenv("CLIP2POINT_CACHE", str(files / "cache"))


@pytest.fixture
def pairs(in_threads, monkeypatch):
    """What ``clip2point pairs labelled/ --out pairs/`` makes."""
    in_threads(monkeypatch)
    list(PairFolder(Path("pairs"), open_source("labelled")).render())


@pytest.fixture
def my_parts():
    """What ``clip2point adapt folder:parts/ --up y --out my_parts`` makes."""
    if not Path("my_parts").exists():
        assert main(["adapt", "folder:parts/", "--up", "y", "--head", "linear", "--out", "my_parts"]) == 0


@pytest.fixture
def library():
    """What ``clip2point index scans/ labelled/ --db library`` makes."""
    if not Path("library").exists():
        assert main(["index", "scans/", "labelled/", "--db", "library"]) == 0


@pytest.mark.parametrize("code", PYTHON)
def test_python_examples_run(code):
    exec(compile(code, "README.md", "exec"), {})


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_run(command, capsys, request):
    program, *arguments = shlex.split(command)
    if arguments[0] == "pretrain":
        request.getfixturevalue("pairs")
    if "my_parts" in arguments and arguments[0] == "classify":
        request.getfixturevalue("my_parts")
    if "library" in arguments and arguments[0] != "index":
        request.getfixturevalue("library")
    assert program == "clip2point"
    assert main(arguments) == 0
    assert capsys.readouterr().out


def test_commands_in_the_text_exist():
    known = build_parser().format_help()
    for name in re.findall(r"`clip2point (\w+)", README):
        assert re.search(rf"^    {name} ", known, re.MULTILINE)


def test_nothing_is_left_out():
    assert len(PYTHON) == 4
    assert len(COMMANDS) == 19
