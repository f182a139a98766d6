import errno
import json
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clip2point.core import cache

ARRAYS = {"points": np.arange(12.0).reshape(3, 4), "labels": np.array([1, 2, 3])}
PARTS = {"data": "abc", "points": 1024, "views": ["a", "b"], "radius": 0.02}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("CLIP2POINT_CACHE", str(tmp_path))
    return tmp_path


def test_round_trip_is_memory_mapped_and_read_only():
    assert cache.load_arrays("points", PARTS) is None
    stored = cache.store_arrays("points", PARTS, ARRAYS)
    found = cache.load_arrays("points", PARTS)
    for arrays in (stored, found):
        assert arrays.keys() == ARRAYS.keys()
        for name, array in ARRAYS.items():
            np.testing.assert_array_equal(arrays[name], array)
            assert isinstance(arrays[name], np.memmap)
            assert not arrays[name].flags.writeable


def test_arrays_are_computed_once_and_anew_for_other_parts():
    calls = []

    def compute():
        calls.append(1)
        return ARRAYS

    for _ in range(2):
        found = cache.load_or_compute("points", PARTS, compute)
        np.testing.assert_array_equal(found["points"], ARRAYS["points"])
        assert isinstance(found["points"], np.memmap)
    assert len(calls) == 1
    cache.load_or_compute("points", {**PARTS, "radius": 0.03}, compute)
    cache.load_or_compute("features", PARTS, compute)
    assert len(calls) == 3


def test_a_missing_folder_is_made_with_its_parents(folder, monkeypatch):
    monkeypatch.setenv("CLIP2POINT_CACHE", str(folder / "not" / "yet"))
    cache.store_arrays("points", PARTS, ARRAYS)
    assert (folder / "not" / "yet" / "points").is_dir()


def test_empty_arrays():
    cache.store_arrays("points", PARTS, {"points": np.empty((0, 3))})
    assert cache.load_arrays("points", PARTS)["points"].shape == (0, 3)


@pytest.mark.parametrize(
    "changed", [{"data": "abd"}, {"points": 1025}, {"views": ["b", "a"]}, {"radius": 0.021}, {"x": 1}]
)
def test_a_changed_part_is_another_entry(changed):
    cache.store_arrays("points", PARTS, ARRAYS)
    assert cache.load_arrays("points", {**PARTS, **changed}) is None
    assert cache.load_arrays("features", PARTS) is None


@pytest.mark.slow
@given(st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5) | st.booleans(), max_size=5))
def test_keys_do_not_depend_on_order_but_on_everything_else(parts):
    assert cache.key_of(parts) == cache.key_of(dict(reversed(parts.items())))
    assert cache.key_of(parts) != cache.key_of({**parts, "another": 1})


@pytest.mark.parametrize("damage", ["array", "parts", "missing"])
def test_a_damaged_entry_is_none_and_makes_way(folder, damage):
    cache.store_arrays("points", PARTS, ARRAYS)
    entry = folder / "points" / cache.key_of(PARTS)
    if damage == "array":
        (entry / "points.npy").write_bytes(b"\x93NUMPY")
    elif damage == "parts":
        (entry / "parts.json").write_text("{")
    else:
        (entry / "parts.json").unlink()
    assert cache.load_arrays("points", PARTS) is None
    cache.store_arrays("points", PARTS, ARRAYS)
    np.testing.assert_array_equal(cache.load_arrays("points", PARTS)["points"], ARRAYS["points"])


def test_an_entry_of_another_meaning_is_not_believed(folder):
    cache.store_arrays("points", PARTS, ARRAYS)
    (folder / "points" / cache.key_of(PARTS) / "parts.json").write_text(json.dumps({"other": 1}))
    assert cache.load_arrays("points", PARTS) is None


def store_without_luck(reason):
    with pytest.warns(UserWarning, match=f"the cache cannot be used .{reason}.*CLIP2POINT_CACHE"):
        found = cache.store_arrays("points", PARTS, ARRAYS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # said once
        again = cache.store_arrays("points", PARTS, ARRAYS)
    for arrays in (found, again):
        assert arrays.keys() == ARRAYS.keys()
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, ARRAYS[name])
            assert not array.flags.writeable
    assert all(array.flags.writeable for array in ARRAYS.values())


def test_a_full_disk_is_said_once_and_leaves_nothing(folder, monkeypatch):
    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    store_without_luck("No space left on device")
    assert list((folder / "points").iterdir()) == []


def test_a_failed_rename_is_said_even_over_a_whole_entry(folder, monkeypatch):
    cache.store_arrays("points", PARTS, ARRAYS)

    def fail(self, target):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Path, "rename", fail)
    store_without_luck("Input/output error")


def test_a_folder_that_cannot_be_made_is_said(folder, monkeypatch):
    (folder / "file").write_text("")
    monkeypatch.setenv("CLIP2POINT_CACHE", str(folder / "file"))
    store_without_luck("")


STORE_MANY = """
import numpy as np
from clip2point.core import cache
parts = {"data": "abc"}
for _ in range(20):
    cache.store_arrays("points", parts, {"points": np.full(50_000, 7.0)})
    found = cache.load_arrays("points", parts)
    assert found is not None and (found["points"] == 7).all()
"""


@pytest.mark.slow
def test_runs_at_the_same_time_do_not_spoil_an_entry(folder):
    runs = [subprocess.Popen([sys.executable, "-c", STORE_MANY]) for _ in range(3)]
    assert [run.wait() for run in runs] == [0, 0, 0]
    assert [path.name for path in (folder / "points").iterdir()] == [cache.key_of({"data": "abc"})]


def test_the_users_cache_folder_is_the_default(monkeypatch, tmp_path):
    monkeypatch.delenv("CLIP2POINT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("sys.platform", "linux")
    assert cache.cache_folder() == tmp_path / "clip2point"
