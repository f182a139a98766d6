import os
import subprocess
import sys
from pathlib import Path

import pytest

import clip2point
from clip2point.core import numba_cache


@pytest.fixture
def read_only(monkeypatch, tmp_path):
    """A package folder that cannot be written to, and a cache folder that can."""
    package, cache = tmp_path / "package", tmp_path / "cache"
    package.mkdir()
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("CLIP2POINT_CACHE", str(cache))
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != package and access(path, mode))
    yield package
    os.environ.pop("NUMBA_CACHE_DIR", None)


def test_kernels_lie_beside_their_sources_where_they_can(monkeypatch, tmp_path):
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    numba_cache.place_numba_cache(tmp_path)
    assert "NUMBA_CACHE_DIR" not in os.environ


def test_kernels_of_a_read_only_installation_lie_in_the_cache_folder(read_only, tmp_path, monkeypatch):
    numba_cache.place_numba_cache(read_only)
    assert os.environ["NUMBA_CACHE_DIR"] == str(tmp_path / "cache" / "numba")
    monkeypatch.setenv("NUMBA_CACHE_DIR", "elsewhere")
    numba_cache.place_numba_cache(read_only)
    assert os.environ["NUMBA_CACHE_DIR"] == "elsewhere"


def test_without_any_place_they_are_compiled_each_time(read_only, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CLIP2POINT_CACHE", str(tmp_path / "file"))
    numba_cache.place_numba_cache(read_only)
    folder = Path(os.environ["NUMBA_CACHE_DIR"])
    assert folder.is_dir()
    assert folder.stat().st_mode & 0o77 == 0


def test_a_kernel_runs_from_there(tmp_path):
    code = (
        "import numpy as np; from clip2point.shapes.sampling import farthest_points as f; "
        "print(len(f(np.eye(3, dtype=np.float32), 2, 0)))"
    )
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(clip2point.__file__).parents[1]),
        "NUMBA_CACHE_DIR": str(tmp_path),
    }
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True)
    assert list(tmp_path.rglob("*.nbc"))
