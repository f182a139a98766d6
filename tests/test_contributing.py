"""CONTRIBUTING is true: each recipe is built from its text, installed, tested, and its commands print what it says."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import clip2point

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
_LISTING = re.compile(r"^`([\w./-]+)`:\n\n```\w+\n(.*?)^```", re.DOTALL | re.MULTILINE)
_CONSOLE = re.compile(r"^```console\n(.*?)^```", re.DOTALL | re.MULTILINE)
#: Title and text of each recipe.
RECIPES = dict(re.findall(r"^### (.*?)\n(.*?)(?=^### |\Z)", TEXT, re.DOTALL | re.MULTILINE))
#: How programs of the text are run by the Python of the tests.
PROGRAMS = {"clip2point": "-m clip2point", "python": ""}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="the commands are those of a POSIX shell"),
]


def listings(text):
    """Files of a text by their path."""
    return dict(_LISTING.findall(text))


def commands(text):
    """Commands of a text, each with the lines that it prints; three dots stand for anything."""
    found = []
    for line in "".join(_CONSOLE.findall(text)).splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
    return found


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """Environment in which all packages of the text are installed, and a folder to work in with the demo shapes."""
    folder = tmp_path_factory.mktemp("contributing")
    for path, content in listings(TEXT).items():
        (folder / "packages" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "packages" / path).write_text(content, encoding="utf-8")
    projects = sorted(path.parent for path in folder.glob("packages/*/pyproject.toml"))
    offline = ("--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check", "--quiet")
    install = [sys.executable, "-m", "pip", "install", *offline, "--target", folder / "site", *projects]
    done = subprocess.run(install, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    bin_folder = folder / "bin"
    bin_folder.mkdir()
    for name, options in PROGRAMS.items():
        (bin_folder / name).write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {options} "$@"\n')
        (bin_folder / name).chmod(0o755)
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(bin_folder), os.environ.get("PATH", "")]),
        "PYTHONPATH": os.pathsep.join([str(folder / "site"), str(Path(clip2point.__file__).parents[1])]),
        "CLIP2POINT_CACHE": str(folder / "cache"),
        "COLUMNS": "160",
    }
    work = folder / "work"
    work.mkdir()
    return environment, work


def run(command, site):
    """Run a command of the text; what it prints."""
    environment, work = site
    done = subprocess.run(command, shell=True, cwd=work, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stderr}"
    return done.stdout


def test_there_are_six_recipes_of_three_files_each():
    assert len(RECIPES) == 6
    for title, text in RECIPES.items():
        assert len(listings(text)) == 3, title
        assert sum(content.count("\n") for content in listings(text).values()) < 100
        assert all(len(line) <= 120 for content in listings(text).values() for line in content.splitlines())
        assert commands(text)


def test_the_tests_of_the_packages_pass(site):
    environment, work = site
    files = sorted((work.parent / "packages").glob("*/test_*.py"))
    command = [sys.executable, "-m", "pytest", "-q", "--import-mode=importlib", "-p", "no:cacheprovider", *files]
    done = subprocess.run(command, cwd=work.parent / "packages", env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("title", RECIPES)
def test_the_commands_print_what_the_text_says(title, site):
    if not (site[1] / "demo").exists():
        run("clip2point demo --out demo", site)
    for command, expected in commands(RECIPES[title]):
        printed = "\n".join(line.rstrip() for line in run(command, site).strip("\n").splitlines())
        wanted = re.escape("\n".join(expected)).replace(re.escape("..."), ".*")
        assert re.fullmatch(wanted, printed, re.DOTALL), f"{command}\n{printed}"
