"""All pages: the commands that they show exist, links lead somewhere, and the reference has the public surface."""

import re
from pathlib import Path

import pytest

import clip2point
import clip2point.search
from clip2point.cli.main import build_parser
from page_runner import commands_of

ROOT = Path(__file__).parents[2]
READMES = [path for folder in ("packages", "benchmarks", "recipes") for path in (ROOT / folder).rglob("README.md")]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *READMES])
TEXTS = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in PAGES}
DOCUMENTED = set(re.findall(r"^::: clip2point\.(\S+)$", "\n".join(TEXTS.values()), re.MULTILINE))


def names_of_commands():
    """All commands of the program."""
    (commands,) = (action for action in build_parser()._actions if action.dest == "COMMAND" or action.choices)
    return set(commands.choices)


# The commands of CONTRIBUTING need the plug-ins that its own test installs.
@pytest.mark.parametrize("page", sorted(TEXTS.keys() - {"CONTRIBUTING.md"}))
def test_commands_can_be_parsed(page):
    for program, *words in commands_of(TEXTS[page]):
        if program == "clip2point":
            build_parser().parse_args(words)


@pytest.mark.parametrize("page", TEXTS)
def test_commands_in_the_text_exist(page):
    assert set(re.findall(r"`clip2point ([a-z][\w-]*)", TEXTS[page])) <= names_of_commands()


@pytest.mark.parametrize("page", TEXTS)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", TEXTS[page]):
        if "://" not in target:
            assert (ROOT / page).parent.joinpath(target).exists(), target


def test_the_site_has_every_page():
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for path in (ROOT / "docs").rglob("*.md"):
        assert path.relative_to(ROOT / "docs").as_posix() in navigation


def test_the_reference_has_the_public_surface():
    search = {name.removeprefix("search.") for name in DOCUMENTED if name.startswith("search.")}
    assert search == set(clip2point.search.__all__)
    assert {name for name in DOCUMENTED if "." not in name} == set(clip2point.__all__) - {"__version__"}
