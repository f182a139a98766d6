"""The site is built without a warning and has what the program says of itself."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from clip2point.cli.main import build_parser

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_it_is_built_strictly(tmp_path):
    for needed in ("mkdocs", "material", "mkdocstrings"):
        pytest.importorskip(needed)
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    commands = (tmp_path / "reference" / "commands" / "index.html").read_text(encoding="utf-8")
    (known,) = (action.choices for action in build_parser()._actions if isinstance(action.choices, dict))
    assert all(f"usage: clip2point {name}" in commands for name in known)
    assert "fonts.googleapis.com" not in (tmp_path / "index.html").read_text(encoding="utf-8")
