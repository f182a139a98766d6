from pathlib import Path

import pytest

from clip2point.cli.main import main
from clip2point.core.extras import EXTRAS, explain_absence

PROJECT = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")


def test_every_extra_exists():
    for extra in set(EXTRAS.values()):
        assert f"\n{extra} = [" in PROJECT


def test_what_no_extra_brings_is_a_mistake_of_ours():
    assert explain_absence("nonsense", "classify") is None
    assert explain_absence(None, "classify") is None


def test_a_command_says_in_one_line_what_it_needs(monkeypatch, capsys):
    def run(arguments):
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr("clip2point.cli.main.build_parser", lambda only: _Parser(run))
    assert main(["pretrain", "x"]) == 2
    assert capsys.readouterr().err == "error: pretrain needs torch: run pip install 'clip2point[train]'\n"


def test_other_modules_that_are_missing_are_shown_whole(monkeypatch):
    def run(arguments):
        raise ModuleNotFoundError("No module named 'nonsense'", name="nonsense")

    monkeypatch.setattr("clip2point.cli.main.build_parser", lambda only: _Parser(run))
    with pytest.raises(ModuleNotFoundError):
        main(["classify", "x"])


class _Parser:
    """Parser of a command that runs a function."""

    def __init__(self, run):
        self.run = run

    def parse_args(self, words, namespace):
        namespace.run = self.run
        return namespace
