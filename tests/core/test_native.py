"""Functions in a child process."""

import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from clip2point.core import native, safe_path
from clip2point.core.errors import ShapeError
from clip2point.core.native import Limits, require_package, run_native

HERE = "native_targets"


@pytest.fixture(autouse=True)
def targets(tmp_path, monkeypatch):
    """A module of functions, beside the current directory, which holds a trap."""
    path = tmp_path / "targets"
    path.mkdir()
    (path / f"{HERE}.py").write_text("""
import os, time
import numpy as np
from clip2point.core.errors import ShapeError

def double(payload, times): return {"values": np.frombuffer(payload, "u1") * times}
def chat(payload): os.write(1, b"hello"); print("hello"); return {"values": np.arange(3)}
def refuse(payload): raise ShapeError("is not to my taste: send another")
def crash(payload): os.abort()
def several(payload):
    return {"a": np.zeros((0, 3)), "b": np.asfortranarray(np.arange(6).reshape(2, 3)), "c": np.array(7.5)}
def sleep(payload): time.sleep(60)
def eat(payload): return {"values": np.ones(1 << 33)}
def count(payload):
    import resource
    now = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    left = resource.getrlimit(resource.RLIMIT_AS)[0] - now
    return {"left": np.array(left), "threads": np.array(os.environ["OMP_NUM_THREADS"])}
def fail(payload): raise RuntimeError("secret")
def pickled(payload): return {"values": np.array([print], dtype=object)}
def trap(payload): import colorsys; return {"values": np.array(colorsys.__file__)}
""")
    monkeypatch.syspath_prepend(path)
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "colorsys.py").write_text("raise SystemExit(9)")
    (tmp_path / "here" / "numpy.py").write_text("raise SystemExit(9)")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.syspath_prepend("")
    monkeypatch.syspath_prepend(os.getcwd())  # noqa: PTH109


def test_arrays_come_back():
    assert run_native(f"{HERE}:double", b"\1\2", Limits(), times=3)["values"].tolist() == [3, 6]


def test_what_native_code_prints_does_no_harm():
    assert run_native(f"{HERE}:chat", b"", Limits())["values"].tolist() == [0, 1, 2]


def test_modules_of_the_current_directory_are_not_imported():
    found = str(run_native(f"{HERE}:trap", b"", Limits())["values"])
    assert "here" not in Path(found).parts


def test_nor_those_beside_a_script(monkeypatch, tmp_path):
    monkeypatch.setattr(sys.modules["__main__"], "__file__", str(tmp_path / "targets" / "script.py"), raising=False)
    assert str(tmp_path / "targets") not in safe_path.list_safe_path()


@pytest.mark.parametrize(
    ("name", "limits", "message"),
    [
        ("refuse", Limits(), "is not to my taste: send another"),
        ("crash", Limits(), "cannot be decoded: the file is cut off or damaged"),
        ("fail", Limits(), "cannot be decoded"),
        ("pickled", Limits(), "cannot be decoded"),
        ("sleep", Limits(seconds=2), "takes more than 2 s to decode"),
        pytest.param(
            "eat",
            Limits(memory=2 * 1024**3),
            "takes more than 2 GiB to decode",
            marks=pytest.mark.skipif(sys.platform != "linux", reason="memory is bounded by Linux alone"),
        ),
    ],
)
def test_whatever_goes_wrong_is_one_error(name, limits, message):
    begin = time.monotonic()
    with pytest.raises(ShapeError, match=message):
        run_native(f"{HERE}:{name}", b"", limits)
    assert time.monotonic() - begin < 20


@pytest.mark.skipif(sys.platform != "linux", reason="memory is bounded by Linux alone")
def test_memory_is_counted_from_what_the_interpreter_has():
    found = run_native(f"{HERE}:count", b"", Limits(memory=1024**3))
    assert 0.9 * 1024**3 < found["left"] < 1.1 * 1024**3
    assert found["threads"] == "1"


def test_a_package_that_is_missing_is_named():
    require_package("numpy", "counting")
    with pytest.raises(ShapeError, match="reading dreams needs nothing_like_it: install it"):
        require_package("nothing_like_it", "reading dreams")


def test_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(native, "find_spec", lambda module: None)
    with pytest.raises(ShapeError, match=r"reading Draco needs DracoPy: run pip install 'clip2point\[formats\]'"):
        require_package("DracoPy", "reading Draco")


def test_arrays_keep_their_shapes_and_types():
    found = run_native(f"{HERE}:several", b"", Limits())
    assert {name: array.tolist() for name, array in found.items()} == {"a": [], "b": [[0, 1, 2], [3, 4, 5]], "c": 7.5}
    assert [array.dtype for array in found.values()] == [np.float64, np.int64, np.float64]
    assert found["a"].shape == (0, 3)
