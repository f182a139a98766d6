"""The files around the code agree with each other and with it."""

import re
from pathlib import Path

import yaml

from clip2point import __version__

ROOT = Path(__file__).parents[1]
PROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
WORKFLOW = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))


def test_one_version_everywhere():
    assert f'version = "{__version__}"' in PROJECT
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
