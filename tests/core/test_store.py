"""The store of single results: hits, several processes, limits, and disks that are full or read-only."""

import subprocess
import sys
import warnings

import pytest

from clip2point.core import store as store_module
from clip2point.core.store import Store, make_base, make_key, open_store

KEYS = [make_key(make_base({}), str(number).encode()) for number in range(2000)]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CLIP2POINT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("CLIP2POINT_CACHE_LIMIT", raising=False)


def test_what_was_put_is_found_by_kind_and_key():
    store = open_store()
    assert store.get_many("a", KEYS) == {}
    entries = {key: key * 3 for key in KEYS}
    store.put_many("a", entries)
    store.close()
    assert open_store().get_many("a", KEYS) == entries
    assert open_store().get_many("b", KEYS) == {}
    assert open_store().count() == {"a": (2000, 2000 * 48)}


def test_asking_an_empty_store_makes_no_file(tmp_path):
    open_store().get_many("a", KEYS)
    assert not (tmp_path / "cache").exists()


def test_the_last_of_two_writers_wins():
    store = open_store()
    store.put_many("a", {KEYS[0]: b"one"})
    store.put_many("a", {KEYS[0]: b"two"})
    assert store.get_many("a", KEYS[:1]) == {KEYS[0]: b"two"}


def test_what_was_not_used_for_longest_goes_first(monkeypatch):
    store, now = open_store(), [1_000_000]
    monkeypatch.setattr(store_module.time, "time", lambda: now[0])
    for key in KEYS[:10]:
        now[0] += 10_000
        store.put_many("a", {key: bytes(1000)})
    now[0] += 10_000
    store.get_many("a", [KEYS[0]])
    store.shrink(5000)
    assert store.get_many("a", KEYS).keys() == {KEYS[0], *KEYS[7:10]}


def test_writing_keeps_to_the_limit(monkeypatch, tmp_path):
    monkeypatch.setenv("CLIP2POINT_CACHE_LIMIT", "1MB")
    monkeypatch.setattr(store_module, "_LOOK", 100_000)
    store = Store(tmp_path / "small.sqlite")
    for key in KEYS[:500]:
        store.put_many("a", {key: bytes(10_000)})
    ((_, size),) = store.count().values()
    assert size <= 1_150_000
    store.close()
    assert (tmp_path / "small.sqlite").stat().st_size < 3_000_000


def test_what_is_deleted_is_given_back_to_the_disk(tmp_path):
    store = Store(tmp_path / "large.sqlite")
    store.put_many("a", {key: bytes(9000) for key in KEYS})
    store.shrink(1_000_000)
    store.close()
    assert store.path.stat().st_size < 1_200_000


def test_a_limit_of_nothing_keeps_nothing(monkeypatch, tmp_path):
    monkeypatch.setenv("CLIP2POINT_CACHE_LIMIT", "0")
    store = Store(tmp_path / "off.sqlite")
    store.put_many("a", {KEYS[0]: b""})
    assert not store.is_on
    assert not store.path.exists()


def test_two_processes_at_once(tmp_path):
    code = (
        "import sys; from clip2point.core.store import *; store = open_store(); own = sys.argv[1].encode()\n"
        "for number in range(300):\n"
        "    keys = [make_key(b'', str(number).encode()), make_key(own, str(number).encode())]\n"
        "    store.put_many('a', {key: key * 100 for key in keys})\n"
        "    assert all(value == key * 100 for key, value in store.get_many('a', keys).items()), number\n"
        "    assert len(store.get_many('a', keys)) == 2\n"
    )
    processes = [
        subprocess.Popen([sys.executable, "-W", "error", "-c", code, name], stderr=subprocess.PIPE) for name in "xyz"
    ]
    for process in processes:
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said
    assert open_store().count()["a"][0] == 300 * 4


def test_a_killed_writer_leaves_whole_entries(tmp_path):
    code = (
        "import itertools; from clip2point.core.store import *; store = open_store()\n"
        "for number in itertools.count():\n"
        "    key = make_key(b'', str(number).encode()); store.put_many('a', {key: key * 1000})\n"
        "    print(number, flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    while int(process.stdout.readline()) < 200:
        pass
    process.kill()
    process.communicate()
    keys = [make_key(b"", str(number).encode()) for number in range(201)]
    assert open_store().get_many("a", keys) == {key: key * 1000 for key in keys}


@pytest.mark.parametrize("fault", ["folder", "damage"])
def test_a_cache_that_cannot_be_used_is_off_with_one_line(tmp_path, fault):
    cache = tmp_path / "cache"
    if fault == "folder":
        cache.write_text("")  # no folder can be made here
    else:
        cache.mkdir()
        (cache / store_module.FILE).write_bytes(b"no database" * 1000)
    store = open_store()
    with pytest.warns(UserWarning, match="the cache cannot be used .*free some space"):
        store.put_many("a", {KEYS[0]: b""})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        store.put_many("a", {KEYS[1]: b""})
        assert store.get_many("a", KEYS[:2]) == {}


def test_a_full_disk_turns_it_off_with_one_line(tmp_path):
    store = Store(tmp_path / "full.sqlite")
    store.put_many("a", {KEYS[0]: b"small"})
    pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
    store._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.warns(UserWarning, match="full.*nothing new is kept"):
        store.put_many("a", {KEYS[1]: bytes(10**6)})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        store.put_many("a", {KEYS[2]: b""})
        assert store.get_many("a", KEYS[:3]) == {}


def test_a_python_without_sqlite_does_without_the_store(tmp_path):
    code = (
        "import sys; sys.modules['sqlite3'] = None\n"
        "from clip2point.core.store import open_store\n"
        "for _ in range(2): open_store().put_many('a', {b'k': b''}); assert open_store().get_many('a', [b'k']) == {}"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.count("built without sqlite3") == 1
