"""A model without weights to load, and small shapes, for tests of libraries."""

import importlib.util
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def plain():
    """The module with the plain model: ``make_model`` and ``write_box``."""
    spec = importlib.util.spec_from_file_location("killed_runs", Path(__file__).with_name("killed_runs.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
