"""Pages about the design: each room has one that names its files, and the site draws the floors of the contract."""

import re
from pathlib import Path

import pytest

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10, with what pytest brings
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "clip2point"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
FLOORS = [set(floor.split(" | ")) for floor in PROJECT["tool"]["importlinter"]["contracts"][0]["layers"]]
ROOMS = sorted(set().union(*FLOORS))


def page_of(room):
    return (PACKAGE / room / "design.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("room", ROOMS)
def test_a_page_names_the_modules_of_its_room_and_no_others(room):
    modules = {path.name for path in (PACKAGE / room).rglob("*.py")} - {"__init__.py"}
    assert set(re.findall(r"`(\w+\.py)`", page_of(room))) == modules


@pytest.mark.parametrize("room", ROOMS)
def test_a_page_is_short(room):
    lines = page_of(room).splitlines()
    assert len(lines) <= 60
    assert max(len(line) for line in lines if not line.startswith("|")) <= 120


@pytest.mark.parametrize("room", ROOMS)
def test_a_page_names_rooms_and_files_that_exist(room):
    page = page_of(room)
    names = re.findall(rf"`((?:{'|'.join(ROOMS)})(?:\.[a-z]\w*)+)`", page)
    paths = [name.replace(".", "/") for name in names if not name.endswith((".json", ".py", ".safetensors"))]
    assert [path for path in paths if not any((PACKAGE / each).exists() for each in (f"{path}.py", path))] == []
    files = re.findall(r"`((?:benchmarks|clip2point|docs|recipes|tests)/[\w/.-]+)`", page)
    assert [file for file in files if not any((root / file).exists() for root in (ROOT, PACKAGE.parent))] == []


def test_the_site_draws_the_floors_of_the_contract():
    drawing = (ROOT / "docs" / "design.md").read_text(encoding="utf-8").split("```")[1]
    floors = [set(line.split("  ")[0].split(" · ")) for line in drawing.splitlines()[1:]]
    assert floors == FLOORS


def test_pages_are_left_out_of_the_wheel():
    targets = PROJECT["tool"]["hatch"]["build"]["targets"]
    assert "design.md" in targets["wheel"]["exclude"]
    assert "/src" in targets["sdist"]["include"]
