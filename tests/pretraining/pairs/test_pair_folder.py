import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from clip2point.core.errors import DataError, OptionError
from clip2point.data.pairs import read_shard
from clip2point.pretraining.pairs import PairFolder, PairSettings, open_source, write_pairs
from clip2point_shapes import generate, write_mesh

pytestmark = pytest.mark.slow

SIZE, SHARD = 9, 2
SETTINGS = PairSettings(shard_size=SHARD)


@pytest.fixture(scope="module", autouse=True)
def threads(in_threads):
    with pytest.MonkeyPatch.context() as patch:
        in_threads(patch)
        yield


@pytest.fixture(scope="module")
def meshes(tmp_path_factory):
    """Nine models, two of them broken."""
    folder = tmp_path_factory.mktemp("meshes")
    for number in range(SIZE - 2):
        write_mesh(generate("cup", seed=number), folder / f"cup_{number}.off")
    (folder / "a_web_page.off").write_text("<html></html>")
    (folder / "cup_3b.off").write_text("OFF\n")
    return folder


def fill(path, source, workers=1):
    folder = PairFolder(path, source, SETTINGS)
    list(folder.render(workers))
    return folder


def contents(path):
    return {file.name: file.read_bytes() for file in sorted(path.iterdir())}


@pytest.fixture(scope="module")
def whole(meshes, tmp_path_factory):
    """The bytes of an uninterrupted run."""
    path = tmp_path_factory.mktemp("whole")
    fill(path, open_source(str(meshes)))
    return contents(path)


def test_every_model_is_in_one_shard_or_a_failure(whole, meshes, tmp_path):
    for name, data in whole.items():
        (tmp_path / name).write_bytes(data)
    shards = sorted(tmp_path.glob("*.tar"))
    assert [shard.name for shard in shards] == [f"pairs-{number:06d}.tar" for number in range(5)]
    found = [pair.key for shard in shards for pair in read_shard(shard)]
    index = json.loads(whole["index.json"])
    failed = [key for entry in index["shards"] for key in entry["failures"]]
    assert found == [key for entry in index["shards"] for key in entry["keys"]]
    assert sorted([*found, *failed]) == [model.key for model in open_source(str(meshes)).models]
    assert failed == ["a_web_page", "cup_3b"]
    assert str(tmp_path) not in json.dumps(index["recipe"])


def test_the_number_of_workers_changes_no_byte(whole, meshes, tmp_path):
    fill(tmp_path, open_source(str(meshes)), workers=2)
    assert contents(tmp_path) == whole


def test_a_finished_folder_is_left_as_it_is(whole, meshes, tmp_path):
    for name, data in whole.items():
        (tmp_path / name).write_bytes(data)
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    folder = fill(tmp_path, open_source(str(meshes)))
    assert folder.remaining == 0
    assert [key for key, _ in folder.failures] == ["a_web_page", "cup_3b"]
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_missing_and_shortened_shards_are_made_again(whole, meshes, tmp_path):
    for name, data in whole.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "pairs-000001.tar").unlink()
    (tmp_path / "pairs-000004.tar").write_bytes(b"short")
    (tmp_path / ".pairs-000002.tar.77.part").write_bytes(b"left over")
    folder = PairFolder(tmp_path, open_source(str(meshes)), SETTINGS)
    assert folder.remaining == 3
    assert len(list(folder.render())) == 3
    assert contents(tmp_path) == whole


def test_failed_models_are_tried_again_only_when_asked(meshes, tmp_path):
    mended = tmp_path / "meshes"
    mended.mkdir()
    for file in meshes.iterdir():
        (mended / file.name).write_bytes(file.read_bytes())
    out = tmp_path / "out"
    fill(out, open_source(str(mended)))
    write_mesh(generate("cup", seed=50), mended / "a_web_page.off")
    assert PairFolder(out, open_source(str(mended)), SETTINGS).remaining == 0
    folder = PairFolder(out, open_source(str(mended)), SETTINGS, retry_failed=True)
    assert folder.remaining == 2 * SHARD
    list(folder.render())
    assert [key for key, _ in folder.failures] == ["cup_3b"]


def test_a_run_killed_at_any_moment_goes_on_to_the_same_bytes(whole, meshes, tmp_path):
    command = [sys.executable, "-m", "clip2point.cli.main", "pairs", str(meshes)]
    command += ["--out", str(tmp_path), "--workers", "1", "--shard-size", str(SHARD)]
    chance = random.Random(0)
    for _ in range(2):
        run = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True)
        deadline = time.monotonic() + 30
        shards = len(list(tmp_path.glob("pairs-*.tar")))
        while len(list(tmp_path.glob("pairs-*.tar"))) <= shards and run.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(chance.uniform(0, 0.05))
        run.kill()
        run.wait()
        assert wait_for_no_member_of(run.pid)
    source = open_source(str(meshes))
    assert PairFolder(tmp_path, source, SETTINGS).remaining < SIZE
    fill(tmp_path, source)
    assert contents(tmp_path) == whole


def wait_for_no_member_of(group):
    """Whether the processes of a group, orphaned workers among them, are gone within some seconds."""
    for _ in range(200):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    os.killpg(group, signal.SIGKILL)
    return False


def test_a_generator_closed_early_leaves_nothing_unfinished(meshes, tmp_path):
    steps = PairFolder(tmp_path, open_source(str(meshes)), PairSettings(shard_size=SIZE)).render()
    next(steps)
    steps.close()
    assert [path.name for path in tmp_path.iterdir()] == ["index.json"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"seed": 1}, r"seed 0 \(now 1\)"),
        ({"shard_size": 3}, r"shard_size 2 \(now 3\)"),
    ],
)
def test_other_settings_are_refused(whole, meshes, tmp_path, settings, message):
    (tmp_path / "index.json").write_bytes(whole["index.json"])
    with pytest.raises(OptionError, match=message):
        PairFolder(tmp_path, open_source(str(meshes)), PairSettings(**{"shard_size": SHARD, **settings}))


def test_other_models_are_refused(whole, meshes, tmp_path):
    (tmp_path / "index.json").write_bytes(whole["index.json"])
    for source in (open_source(str(meshes), excluded=["cup_1"]), open_source(str(meshes), up="z")):
        with pytest.raises(OptionError, match="models 9|up auto"):
            PairFolder(tmp_path, source, SETTINGS)


def test_a_folder_that_another_revision_began_is_refused(whole, meshes, tmp_path):
    """Release 0.1.0 wrote no revision: it rendered as revision 1 does."""
    index = json.loads(whole["index.json"])
    del index["recipe"]["revision"]
    index["recipe"]["version"] = "0.1.0"
    for name, data in whole.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "index.json").write_text(json.dumps(index))
    assert PairFolder(tmp_path, open_source(str(meshes)), SETTINGS).remaining == 0
    index["recipe"]["revision"] = 2
    (tmp_path / "index.json").write_text(json.dumps(index))
    with pytest.raises(OptionError, match=r"revision 2 \(now 1\)"):
        PairFolder(tmp_path, open_source(str(meshes)), SETTINGS)


def test_damaged_and_foreign_folders_are_refused(meshes, tmp_path):
    source = open_source(str(meshes))
    (tmp_path / "index.json").write_text("{")
    with pytest.raises(DataError, match="damaged"):
        PairFolder(tmp_path, source)
    (tmp_path / "index.json").unlink()
    (tmp_path / "pairs-000000.tar").write_bytes(b"")
    with pytest.raises(OptionError, match=r"no index\.json"):
        PairFolder(tmp_path, source)


@pytest.mark.parametrize("settings", [{"shard_size": 0}, {"seed": -1}])
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(OptionError, match=r"expected shard_size >= 1 and seed >= 0"):
        PairSettings(**settings)


def test_pairs_are_written_with_one_call_that_goes_on(whole, meshes, tmp_path):
    steps = []

    def progress(items, total):
        for item in items:
            steps.append((item, total))
            yield item

    for name, data in whole.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "pairs-000001.tar").unlink()
    folder = write_pairs(open_source(str(meshes)), tmp_path, SETTINGS, workers=1, progress=progress)
    assert [total for _, total in steps] == [SHARD] * SHARD
    assert [key for key, _ in folder.failures] == ["a_web_page", "cup_3b"]
    assert contents(tmp_path) == whole
