"""The scripts among the recipes, which are no part of the package."""

import importlib.util
from pathlib import Path

import pytest

RECIPES = Path(__file__).parent.parent.parent / "recipes"


@pytest.fixture(scope="session")
def load_script():
    """Gives a script of the recipes as a module, by its name."""

    def load(name):
        spec = importlib.util.spec_from_file_location(name, RECIPES / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load
