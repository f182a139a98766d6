"""Modules that lie in the current folder or beside data are never imported, in no process of no command."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from clip2point.core.safe_path import spawn_safely, start_python
from clip2point.core.workers import map_in_order
from clip2point_shapes import generate, write_mesh

#: Modules of the standard library and of packages, which are imported late or by children.
PLANTED = (
    *("pickle", "socket", "subprocess", "struct", "json", "tempfile", "shutil", "random", "queue", "selectors", "bz2"),
    *("numpy", "numba", "laspy", "openvino", "PIL", "h5py", "lancedb", "pyarrow", "rich", "filelock", "sitecustomize"),
    *(
        "usercustomize",
        "tokenizers",
        "safetensors",
        "csv",
        "gzip",
        "zipfile",
        "hashlib",
        "secrets",
        "signal",
        "DracoPy",
    ),
    *("multiprocessing", "concurrent", "argparse", "jinja2", "sqlite3", "yaml", "mapbox_earcut", "clip2point_plugin"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with shapes, in which every module that somebody might want tells that it was run."""
    folder = tmp_path_factory.mktemp("planted")
    for name in PLANTED:
        (folder / f"{name}.py").write_text(
            f"open({str(folder / 'RUN')!r}, 'a').write({name + ' '!r} + repr(__import__('sys').argv) + chr(10))\n"
            f"raise SystemExit('{name} was run')\n"
        )
    for index, name in enumerate(("chair", "table", "lamp")):
        (folder / name).mkdir()
        write_mesh(generate(name, seed=index), folder / name / "0.off")
        write_mesh(generate(name, seed=index + 9), folder / name / "1.off")
    import laspy

    cloud = laspy.create(point_format=0)
    cloud.x, cloud.y, cloud.z = np.random.default_rng(0).normal(size=(3, 500))
    cloud.write(str(folder / "scan.laz"))
    return folder


COMMANDS = {
    "classify": ["classify", "scan.laz", "chair", "--labels", "chair,table"],
    "embed": ["embed", ".", "--out", "OUT/vectors.npz"],
    "render": ["render", "chair", "--out", "OUT/views", "--image-size", "32"],
    "index": ["index", ".", "--db", "OUT/db", "--workers", "2"],
    "pairs": ["pairs", ".", "--out", "OUT/pairs", "--workers", "2", "--up", "y"],
    "evaluate": ["evaluate", "folder:.", "--up", "y"],
    "adapt": ["adapt", "folder:.", "--up", "y", "--head", "nearest-mean", "--out", "OUT/model"],
    "parts": ["parts", "chair/0.off", "--labels", "chair,table"],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("way", ["module", "script"])
def test_nothing_that_lies_beside_data_is_run(folder, tmp_path, name, way):
    words = [word.replace("OUT", str(tmp_path)) for word in COMMANDS[name]]
    start = [sys.executable, "-m", "clip2point"]
    if way == "script":  # as the console script that pip writes
        script = tmp_path / "bin" / "clip2point"
        script.parent.mkdir()
        script.write_text(
            "import sys\nfrom clip2point.cli.main import main\nif __name__ == '__main__':\n    sys.exit(main())\n"
        )
        start = [sys.executable, str(script)]
    done = subprocess.run([*start, *words], cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    run = folder / "RUN"
    assert not run.exists(), run.read_text()
    assert done.returncode == 0, done.stderr


def test_workers_have_the_path_without_the_current_folder(monkeypatch):
    monkeypatch.setattr(sys, "path", ["", *(entry for entry in sys.path if entry != os.getcwd())])  # noqa: PTH109
    (path,) = map_in_order(eval, ["__import__('sys').path"], 1, lambda _: None)
    assert "" not in path
    assert os.getcwd() not in path  # noqa: PTH109
    assert set(path) >= {entry for entry in sys.path if "site-packages" in entry}


def test_processes_of_others_are_started_as_before():
    import multiprocessing
    from multiprocessing import spawn, util

    flags, prepare = util._args_from_interpreter_flags, spawn.get_preparation_data
    process = spawn_safely().Process(target=print)
    process.start()
    process.join()
    assert process.exitcode == 0
    assert (util._args_from_interpreter_flags, spawn.get_preparation_data) == (flags, prepare)
    assert multiprocessing.get_context("spawn").Process is not spawn_safely().Process


def test_commands_of_the_package_are_isolated(tmp_path):
    (tmp_path / "json.py").write_text("raise SystemExit('planted')")
    (tmp_path / "clip2point.py").write_text("raise SystemExit('planted')")
    done = subprocess.run(
        start_python("from clip2point.cli.main import main; sys.exit(main())", "--version"),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, Path(done.stdout.split()[0]).name) == (0, "clip2point")
