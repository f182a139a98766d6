"""The examples of the docstrings and of the README run and give what they say."""

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import clip2point_shapes

MODULES = [module.name for module in pkgutil.iter_modules(clip2point_shapes.__path__) if module.name != "__main__"]
README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples(name):
    assert doctest.testmod(importlib.import_module(f"clip2point_shapes.{name}")).failed == 0


@pytest.mark.parametrize("code", re.findall(r"```python\n(.*?)```", README, re.DOTALL))
def test_readme_examples(code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})
