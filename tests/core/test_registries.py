"""The tables: every entry is what it says, and whoever writes names down has them from here."""

import argparse
import importlib.util
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from clip2point.cli.main import build_parser
from clip2point.core.registries import BACKBONES, DATASETS, FORMATS, HEADS, REGISTRIES, STYLES, VIEWS
from clip2point.rendering import ViewSet
from clip2point.shapes import UP_AXES, load_shape

ROOT = Path(__file__).parents[2]
ENTRIES = [(table, name) for table, registry in REGISTRIES.items() for name in registry.built_in]
#: Names that texts give to extensions, where these are not the extensions themselves.
SPOKEN = {
    ".ac": "AC3D",
    ".acc": "AC3D",
    ".gltf": "glTF",
    ".stp": "STEP",
    ".igs": "IGES",
    ".drc": "Draco",
    ".usda": "USD",
    ".usdc": "USD",
    ".usdz": "USD",
    ".vtp": "VTK",
    ".vtu": "VTK",
    ".h5": "HDF5",
    ".splat": "SPLAT",
    ".dat": "pickles",
    ".pkl": "pickles",
}


@pytest.mark.parametrize(("table", "name"), ENTRIES)
def test_each_built_in_is_there(table, name):
    found = REGISTRIES[table].load(name)
    assert isinstance(found, ViewSet) or callable(found)


@pytest.mark.parametrize("table", [table for table in REGISTRIES if table != "commands"])
def test_each_built_in_says_what_it_is(table):
    for entry in REGISTRIES[table].built_in.values():
        assert 2 < len(entry.summary) < 90
        assert not entry.summary.endswith(".")


def test_groups_of_entry_points():
    assert {registry.group for registry in REGISTRIES.values()} == {f"clip2point.{table}" for table in REGISTRIES}


def test_reading_the_tables_imports_nothing_that_they_name():
    code = (
        "import sys; from clip2point.core.registries import REGISTRIES; "
        "[list(registry.built_in) for registry in REGISTRIES.values()]; "
        "print([name for name in sys.modules if name.partition('.')[0] in ('numpy', 'torch', 'numba', 'PIL') "
        "or name.startswith('clip2point.') and name.split('.')[1] != 'core'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_targets_are_modules_of_this_package():
    for registry in REGISTRIES.values():
        for entry in registry.built_in.values():
            module, colon, attribute = entry.target.partition(":")
            assert colon
            assert hasattr(import_module(module), attribute), entry.target
            assert module.startswith("clip2point.")


def test_formats_declare_axes_that_there_are():
    assert {entry.up for entry in FORMATS.built_in.values()} <= {*UP_AXES, "auto"}


@pytest.mark.parametrize("page", ["README.md", "docs/how-to/files.md", "load_shape"])
def test_texts_name_every_format(page):
    text = load_shape.__doc__ if page == "load_shape" else (ROOT / page).read_text(encoding="utf-8")
    for extension in FORMATS.built_in:
        assert re.search(rf"\b{SPOKEN.get(extension, extension[1:].upper())}\b", text), extension


def test_conventions_have_every_data_set_and_view_set():
    text = (ROOT / "docs" / "conventions.md").read_text(encoding="utf-8").replace("scanobjectnn-*", "scanobjectnn-")
    for name in DATASETS.built_in:
        assert f"`{re.sub('-(obj|pb).*', '-', name)}`" in text
    for name in ("clip2point-6", "clip2point-10", "ring-N@E"):
        assert f"`{name}`" in text
        assert name in VIEWS.built_in


@pytest.mark.parametrize(
    ("command", "registries"),
    [
        ("classify", (BACKBONES, VIEWS, STYLES)),
        ("adapt", (BACKBONES, VIEWS, STYLES, HEADS, DATASETS)),
        ("evaluate", (BACKBONES, VIEWS, STYLES, DATASETS)),
    ],
)
def test_help_lists_what_can_be_named(command, registries):
    (commands,) = (a for a in build_parser()._actions if isinstance(a, argparse._SubParsersAction))
    text = re.sub(r"-?\s+", "", commands.choices[command].format_help())
    for registry in registries:
        for name in registry.built_in:
            assert name.replace("-", "") in text.replace("-", "")


def test_the_page_of_names_has_every_table():
    spec = importlib.util.spec_from_file_location("hooks", ROOT / "docs" / "hooks.py")
    hooks = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hooks)
    page = hooks.on_page_markdown((ROOT / "docs" / "reference" / "names.md").read_text(encoding="utf-8"))
    assert "<!--" not in page
    for table, registry in REGISTRIES.items():
        assert f"`{registry.group}`" in page
        for name, entry in registry.built_in.items():
            assert table == "commands" or f"| `{name}` | {entry.summary} |" in page
