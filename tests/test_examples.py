"""The examples in docstrings run and print what they say."""

import doctest
import importlib
from pathlib import Path

import numpy as np
import pytest

REPOSITORY = Path(__file__).parents[1]
SOURCES = ("src", "packages/clip2point-shapes/src", "recipes/pocket/src", "benchmarks/baselines/src")
OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def find_modules():
    """Names of all modules with an example."""
    for source in SOURCES:
        for path in sorted((REPOSITORY / source).rglob("*.py")):
            if ">>> " in path.read_text(encoding="utf-8"):
                yield ".".join(path.relative_to(REPOSITORY / source).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("name", sorted(find_modules()))
@pytest.mark.slow
def test_examples_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLIP2POINT_CACHE", str(tmp_path / "cache"))
    with np.printoptions(legacy=False):
        failed, tried = doctest.testmod(importlib.import_module(name), optionflags=OPTIONS)
    assert tried
    assert not failed
