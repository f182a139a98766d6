"""The files around the code agree with each other and with it."""

import ast
import re
import sys
from importlib.metadata import packages_distributions
from itertools import chain
from pathlib import Path

import pytest
import yaml

from clip2point import __version__

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10, with what pytest brings
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
PROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
WORKFLOW = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))


def test_one_version_everywhere():
    assert 'path = "src/clip2point/core/version.py"' in PROJECT  # hatchling reads it there
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["version"] == __version__
    assert f"## [{__version__}]" in CHANGELOG or f"To be released as {__version__}." in CHANGELOG


def test_the_changelog_has_the_headings_of_its_form():
    headings = set(re.findall(r"^### (.*)$", CHANGELOG, re.MULTILINE))
    assert headings <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    versions = re.findall(r"^## \[(.*?)\]", CHANGELOG, re.MULTILINE)
    assert versions[0] == "Unreleased"
    assert versions[-1] == "0.1.0"


def test_the_citation_has_what_its_schema_requires():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert all({"type", "title", "authors"} <= set(reference) for reference in citation["references"])


def test_every_stated_python_is_tested():
    stated = re.findall(r"Python :: (3\.\d+)", PROJECT)
    assert stated == ["3.10", "3.11", "3.12", "3.13", "3.14"]
    assert WORKFLOW["jobs"]["test"]["strategy"]["matrix"]["python"] == stated


def test_the_workflow_calls_targets_that_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    steps = [step.get("run", "") for job in WORKFLOW["jobs"].values() for step in job["steps"]]
    targets = [target for step in steps for target in re.findall(r"^make ([\w-]+)", step)]
    assert {"lint", "coverage", "docs"} <= set(targets)
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)


#: Parts of a framework that come with it.
PARTS = {"starlette": "fastapi", "pydantic": "fastapi", "lightning-utilities": "lightning-fabric"}


def canonical(name):
    """The name of a distribution as registries compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def imported(folder):
    """Names of the distributions that the modules of a folder import, lazily or not."""
    owners, names = packages_distributions(), set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add(node.module.partition(".")[0])
    foreign = names - set(sys.stdlib_module_names) - {folder.name}
    found = {canonical(owners.get(name, [name])[0]) for name in foreign}
    return {PARTS.get(name, name) for name in found}


@pytest.mark.slow
def test_everything_that_is_imported_is_declared():
    project = tomllib.loads(PROJECT)["project"]
    extras = (entries for extra, entries in project["optional-dependencies"].items() if extra not in ("test", "docs"))
    entries = [*project["dependencies"], *chain.from_iterable(extras)]
    declared = {canonical(re.split(r"[\[<>=]", entry)[0]) for entry in entries}
    needed = imported(ROOT / "src" / "clip2point") - {"clip2point-shapes"}
    assert needed <= declared, needed - declared
