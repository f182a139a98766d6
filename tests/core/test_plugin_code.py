import functools
import importlib
import os
import subprocess
import sys

import pytest

from clip2point.core.plugin_code import plugin_code
from clip2point.heads import GDPA


def write(path, text):
    """Another content and another time of change, which Python goes by when it keeps compiled files."""
    path.write_text(text)
    write.time = getattr(write, "time", 10**9) + 10
    os.utime(path, (write.time, write.time))


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of two modules, of which ``sub.part`` defines what is asked about."""
    folder = tmp_path / "plugin_module_package"
    (folder / "sub").mkdir(parents=True)
    for name in ("__init__.py", "helper.py", "sub/__init__.py"):
        (folder / name).touch()
    write(folder / "sub" / "part.py", "def draw():\n    return 1\n\n\nclass Head:\n    pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield folder
    for name in [name for name in sys.modules if name.startswith(folder.name)]:
        del sys.modules[name]


def load(folder, name="draw"):
    for module in [module for module in sys.modules if module.startswith(folder.name)]:
        del sys.modules[module]
    importlib.invalidate_caches()
    return getattr(importlib.import_module(f"{folder.name}.sub.part"), name)


def test_what_belongs_to_this_package_has_none():
    assert plugin_code(plugin_code) is None
    assert plugin_code(GDPA) is None
    assert plugin_code(GDPA(2, 4)) is None


def test_all_code_of_the_package_counts(package):
    first = plugin_code(load(package))
    assert first == plugin_code(load(package)) == plugin_code(load(package, "Head"))
    assert first == plugin_code(load(package, "Head")()) == plugin_code(functools.partial(load(package), 1))
    write(package / "helper.py", "SCALE = 2\n")
    second = plugin_code(load(package))
    (package / "another.py").touch()
    assert len({first, second, plugin_code(load(package))}) == 3


def test_files_that_are_no_code_do_not_count(package):
    first = plugin_code(load(package))
    (package / "notes.txt").write_text("x")
    assert plugin_code(load(package)) == first


def test_an_edit_counts_once_the_module_is_loaded_again(package):
    draw = load(package)
    first = plugin_code(draw)
    write(package / "sub" / "part.py", "def draw():\n    return 2\n")
    assert plugin_code(draw) == first
    module = importlib.reload(sys.modules[draw.__module__])
    assert plugin_code(module.draw) != first


def test_a_module_by_itself_is_its_file(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    path = tmp_path / "plugin_module_alone.py"
    found = set()
    for text in ("def draw(): return 1", "def draw(): return 2"):
        write(path, text)
        (tmp_path / "neighbour.py").write_text(text)
        sys.modules.pop(path.stem, None)
        importlib.invalidate_caches()
        found.add(plugin_code(importlib.import_module(path.stem).draw))
    monkeypatch.delitem(sys.modules, path.stem)
    assert len(found) == 2


TYPED = """
from clip2point.core.plugin_code import plugin_code

def draw(scale={default}):
    return {{"a", "b"}} - {{scale}} or [x * {factor} for x in (1, 2)]

class Head:
    name = "{name}"
    def fit(self):
        return {factor}

print(plugin_code(draw), plugin_code(Head), plugin_code(Head()))
"""


@pytest.mark.slow
def test_what_was_typed_is_its_compiled_code():
    def run(**values):
        text = TYPED.format(**{"default": 1, "factor": 2, "name": "x", **values})
        return subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True).stdout.split()

    first = run()
    assert first == run()
    assert first[1] == first[2] != first[0]
    assert run(factor=3)[0] != first[0]
    assert run(default=3)[0] != first[0]
    assert run(factor=3)[1] != first[1]
    assert run(name="y")[1] != first[1]
