"""Tiny packages with entry points, installed for one test."""

import importlib
import itertools
import shutil
import sys
from textwrap import dedent

import pytest

from clip2point.core.registries import REGISTRIES

_numbers = itertools.count()


class Plugins:
    """Installs packages of one module into a folder of ``sys.path``."""

    def __init__(self, folder):
        self.folder = folder

    def install(self, source, entry_points, package=None):
        """Write a module with its metadata; give the module's name, "MODULE" in both texts stands for it."""
        module = f"plugin_module_{next(_numbers)}"
        package = package or module.replace("_", "-")
        (self.folder / f"{module}.py").write_text(dedent(source).replace("MODULE", module))
        info = self.folder / f"{package.replace('-', '_')}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(dedent(entry_points).replace("MODULE", module))
        refresh()
        return module

    def uninstall(self):
        """Take all packages away."""
        for info in self.folder.glob("*.dist-info"):
            shutil.rmtree(info)
        refresh()


def refresh():
    """Have all registries look at the installed packages anew."""
    importlib.invalidate_caches()
    for registry in REGISTRIES.values():
        registry.refresh()


@pytest.fixture
def plugins(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("site")
    monkeypatch.syspath_prepend(str(folder))
    before = set(sys.modules)
    yield Plugins(folder)
    monkeypatch.undo()
    for name in set(sys.modules) - before:
        if name.startswith("plugin_module_"):
            del sys.modules[name]
    refresh()
