"""Every module of the package can be imported on any system, and with the dependencies of a plain install alone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import clip2point

PACKAGE = Path(clip2point.__file__).parent
POSIX_ONLY = ("fcntl", "grp", "posix", "pty", "pwd", "readline", "resource", "syslog", "termios", "tty")
#: What extras install. All of it is imported where it is used, but for the modules that are a web server throughout.
OPTIONAL = (
    *("fastapi", "starlette", "uvicorn", "multipart", "python_multipart", "lancedb", "pyarrow", "ray", "h5py"),
    *("matplotlib", "lightning_fabric", "tensorboardX", "peft", "clip2point_shapes"),
)
SERVER = {"clip2point.app.guard": "starlette", "clip2point.app.rest": "fastapi", "clip2point.app.server": "uvicorn"}

#: Imports all modules with some names blocked: for everybody, or for the package alone, where its dependencies ask for
#: the system themselves. Prints what could not be imported, and for want of what.
SCRIPT = """
import builtins, importlib, json, sys
names, blocked, ours_only = json.loads(sys.argv[1])
whole = builtins.__import__

def guarded(name, globals=None, locals=None, fromlist=(), level=0):
    asks = (globals or {}).get("__name__", "")
    if not level and name.partition(".")[0] in blocked and (not ours_only or asks.startswith("clip2point")):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name.partition(".")[0])
    return whole(name, globals, locals, fromlist, level)

builtins.__import__ = guarded
failed = {}
for name in names:
    try:
        importlib.import_module(name)
    except ImportError as error:
        failed[name] = error.name
print(json.dumps(failed))
"""


def all_modules():
    """Names of all modules but those that run something."""
    paths = (path.relative_to(PACKAGE.parent).with_suffix("") for path in sorted(PACKAGE.rglob("*.py")))
    names = [".".join(path.parts).removesuffix(".__init__") for path in paths]
    return [name for name in names if not name.endswith("__main__")]


def run_python(code, *arguments):
    """What a fresh Python prints last."""
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.check_output(command, env=environment, text=True).splitlines()[-1]


def failed_imports(blocked, *, ours_only=False):
    """What each module that cannot be imported lacks."""
    return json.loads(run_python(SCRIPT, json.dumps([all_modules(), blocked, ours_only])))


@pytest.mark.slow
def test_nothing_needs_posix_to_be_imported():
    failed = failed_imports(POSIX_ONLY, ours_only=True)
    assert {name: lacking for name, lacking in failed.items() if lacking in POSIX_ONLY} == {}


@pytest.mark.slow
def test_nothing_but_the_server_needs_an_extra_to_be_imported():
    assert failed_imports(OPTIONAL) == SERVER


def test_the_package_itself_imports_nothing_heavy():
    code = "import sys, clip2point; print(sorted({'torch', 'numba', 'transformers', 'sklearn'} & set(sys.modules)))"
    assert run_python(code) == "[]"
