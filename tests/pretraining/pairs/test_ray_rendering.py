import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from clip2point.cli.main import main
from clip2point.core.errors import DataError
from clip2point.pretraining.pairs import PairFolder, PairSettings, open_source
from clip2point.pretraining.pairs.ray_rendering import RayPairFolder
from clip2point_shapes import generate, write_mesh

pytestmark = pytest.mark.slow

SHARD = 3
SETTINGS = PairSettings(shard_size=SHARD)
PROCESSES = Path("/proc")


@pytest.fixture(scope="module", autouse=True)
def threads(in_threads):
    with pytest.MonkeyPatch.context() as patch:
        in_threads(patch)
        yield


@pytest.fixture(scope="module")
def meshes(tmp_path_factory):
    """Five models, one of them broken."""
    folder = tmp_path_factory.mktemp("meshes")
    for number in range(4):
        write_mesh(generate("cup", seed=number), folder / f"cup_{number}.off")
    (folder / "a_web_page.off").write_text("<html></html>")
    return folder


@pytest.fixture(scope="module")
def whole(meshes, tmp_path_factory):
    """The bytes of a run without Ray."""
    path = tmp_path_factory.mktemp("whole")
    list(PairFolder(path, open_source(str(meshes)), SETTINGS).render())
    return contents(path)


@pytest.fixture(scope="module")
def cluster():
    """A cluster of two workers on this machine."""
    ray = pytest.importorskip("ray", reason="needs the extra: pip install 'clip2point[ray]'")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    yield
    ray.shutdown()


def contents(path):
    return {file.name: file.read_bytes() for file in sorted(path.iterdir())}


def on_ray(path, meshes, **settings):
    reopen = partial(open_source, str(meshes))
    return RayPairFolder(path, reopen(), reopen, SETTINGS, **settings)


def test_a_cluster_writes_the_same_bytes_as_one_machine(cluster, whole, meshes, tmp_path):
    folder = on_ray(tmp_path, meshes)
    listed = []
    for key in folder.render():
        shards = json.loads((tmp_path / "index.json").read_text())["shards"]
        listed.append(key in [name for entry in shards for name in (*entry["keys"], *entry["failures"])])
    assert listed == [True] * 5
    assert [key for key, _ in folder.failures] == ["a_web_page"]
    assert contents(tmp_path) == whole


def test_a_cluster_goes_on_with_what_one_machine_began(cluster, whole, meshes, tmp_path):
    for name, data in whole.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "pairs-000000.tar").unlink()
    (tmp_path / ".pairs-000001.tar.77.part").write_bytes(b"left over")
    folder = on_ray(tmp_path, meshes)
    assert len(list(folder.render(1))) == SHARD
    assert contents(tmp_path) == whole
    assert list(on_ray(tmp_path, meshes).render()) == []


def test_a_machine_that_sees_other_models_is_refused(cluster, meshes, tmp_path):
    source = open_source(str(meshes))
    folder = RayPairFolder(tmp_path, source, partial(open_source, str(meshes), excluded=["cup_1"]), SETTINGS)
    with pytest.raises(DataError, match="differs in models, models_sha256 from the machine that started this run"):
        list(folder.render())
    missing = RayPairFolder(tmp_path, source, partial(open_source, str(meshes / "none")), SETTINGS)
    with pytest.raises(DataError, match="no such source"):
        list(missing.render())
    assert [path.name for path in tmp_path.iterdir()] == ["index.json"]


def test_a_folder_that_is_not_shared_is_found_out(meshes, tmp_path, monkeypatch):
    def elsewhere(job, missing, workers):
        entry = {"file": "pairs-000000.tar", "bytes": 5, "keys": ["cup_0"], "failures": {}}
        yield {"shard": 0, "machine": "node-7", "entry": json.dumps(entry), "error": ""}

    monkeypatch.setitem(sys.modules, "ray", FakeRay)
    monkeypatch.setitem(sys.modules, "ray.data", FakeRay)
    monkeypatch.setattr("clip2point.pretraining.pairs.ray_rendering._make_shards", elsewhere)
    monkeypatch.setattr("clip2point.pretraining.pairs.ray_rendering._PATIENCE", 0.0)
    with pytest.raises(DataError, match="node-7 wrote it, but it is not here"):
        list(on_ray(tmp_path, meshes).render())
    assert json.loads((tmp_path / "index.json").read_text())["shards"] == []


class FakeRay:
    """Stands for the library in a program that is connected to a cluster."""

    data = None

    @staticmethod
    def is_initialized():
        return True


def test_a_killed_run_goes_on_to_the_same_bytes(whole, meshes, tmp_path):
    pytest.importorskip("ray", reason="needs the extra: pip install 'clip2point[ray]'")
    if not PROCESSES.is_dir():
        pytest.skip("finds the processes of a run in /proc, which this system has not")
    command = [sys.executable, "-m", "clip2point.cli.main", "pairs", str(meshes), "--out", str(tmp_path)]
    command += ["--ray", "local", "--workers", "1", "--shard-size", str(SHARD)]
    run = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 300
    while not any(tmp_path.glob("pairs-*.tar")) and run.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    run.kill()
    run.wait()
    assert end_session(run.pid)
    assert any(tmp_path.glob("pairs-*.tar"))
    list(PairFolder(tmp_path, open_source(str(meshes)), SETTINGS).render())
    assert contents(tmp_path) == whole


def end_session(leader):
    """End what a killed run leaves behind for some seconds, and tell whether it is gone."""
    for _ in range(200):
        members = [pid for pid in running() if session_of(pid) == leader]
        if not members:
            return True
        for pid in members:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
    return False


def running():
    return [int(entry.name) for entry in PROCESSES.iterdir() if entry.name.isdecimal()]


def session_of(pid):
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None


def test_without_ray_the_extra_is_named_and_nothing_written(meshes, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ray", None)
    out = tmp_path / "out"
    assert main(["pairs", str(meshes), "--out", str(out), "--ray", "local"]) == 2
    assert capsys.readouterr().err == "error: Ray Data is not installed: run pip install 'clip2point[ray]'\n"
    assert not out.exists()


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nonsense"])
def test_an_address_where_no_cluster_is_is_one_error(address, meshes, tmp_path, capsys):
    ray = pytest.importorskip("ray", reason="needs the extra: pip install 'clip2point[ray]'")
    ray.shutdown()
    assert main(["pairs", str(meshes), "--out", str(tmp_path), "--ray", address]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: no Ray cluster at {address}")
    assert error.count("\n") == 1
