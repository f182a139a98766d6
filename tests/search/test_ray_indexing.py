import os
import sys
from pathlib import Path

import numpy as np
import pytest

from clip2point.cli.main import main
from clip2point.core.errors import DataError, OptionError
from clip2point.model import load
from clip2point.search import ray_indexing as ray_pipeline
from clip2point.search.embedding import Job, Unreadable, embed_files
from clip2point.search.ray_indexing import RayEmbedder
from clip2point.shapes.contents import hash_content

pytestmark = pytest.mark.slow

pytest.importorskip("lancedb", reason="needs the extra: pip install 'clip2point[search]'")

LABELS = ["box", "crate"]


@pytest.fixture(scope="module")
def cluster():
    """A cluster of two workers on this machine."""
    ray = pytest.importorskip("ray", reason="needs the extra: pip install 'clip2point[ray]'")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112 - by default 15, and all other tests go first
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    yield
    ray.shutdown()


@pytest.fixture(scope="module")
def jobs(plain, tmp_path_factory):
    """Three boxes, and a file that is none."""
    folder = tmp_path_factory.mktemp("boxes")
    for number in range(3):
        plain.write_box(folder / f"{number}.off", 1 + number, 2, 3)
    (folder / "bad.off").write_text("<html></html>")
    return [Job(str(path), hash_content(str(path)), "y", 4) for path in sorted(folder.iterdir())]


@pytest.fixture(scope="module")
def model():
    return load("pocket", dtype="fp32")


def test_a_cluster_gives_the_entries_that_one_machine_gives(cluster, jobs, model):
    outcomes = {outcome.path: outcome for outcome in RayEmbedder(model, "pocket", dtype="fp32")(jobs, LABELS)}
    assert len(outcomes) == 4
    for alone in embed_files(model, jobs, LABELS):
        found = outcomes[alone.path]
        if isinstance(alone, Unreadable):
            assert found == alone
        else:
            np.testing.assert_allclose(found.vector, alone.vector, atol=1e-5)
            assert (found.labels, found.hash, found.extent, found.up) == (
                alone.labels,
                alone.hash,
                alone.extent,
                alone.up,
            )


def test_a_machine_with_another_model_is_refused(cluster, jobs, model):
    embedder = RayEmbedder(model, "pocket", dtype="fp32")
    embedder._fingerprint = "that of another"
    with pytest.raises(DataError, match="has another model pocket than the machine that started this run"):
        list(embedder(jobs[:1], LABELS))
    with pytest.raises(DataError, match="unknown model 'no-such-model'"):
        list(RayEmbedder(model, "no-such-model")(jobs[:1], LABELS))


def test_without_work_no_cluster_is_called(model):
    assert list(RayEmbedder(model, "pocket", address="127.0.0.1:1")([], LABELS)) == []


def test_without_ray_the_extra_is_named(jobs, model, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(OptionError, match=r"pip install 'clip2point\[ray\]'"):
        list(RayEmbedder(model, "pocket")(jobs, LABELS))


def test_the_command_takes_a_cluster(jobs, tmp_path, plain, monkeypatch, capsys):
    asked = {}

    class Embedder:
        def __init__(self, model, name, **options):
            asked.update(options, name=name)
            self.model = model

        def __call__(self, jobs, labels):
            return embed_files(self.model, jobs, labels)

    monkeypatch.setattr(ray_pipeline, "RayEmbedder", Embedder)
    monkeypatch.setattr("clip2point.cli.options.load_model", lambda arguments: plain.make_model())
    folder = str(Path(jobs[0].path).parent)
    command = ["index", folder, "--db", str(tmp_path / "lib"), "--ray", "head:6379", "--workers", "5"]
    assert main([*command, "--dtype", "bf16"]) == 1
    assert asked == {"name": "pocket", "address": "head:6379", "device": "cpu", "dtype": "bf16", "workers": 5}
    assert "3 shapes" in capsys.readouterr().out
