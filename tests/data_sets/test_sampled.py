import os
from concurrent.futures.process import BrokenProcessPool

import numpy as np
import pytest

from clip2point.core.errors import DataError, OptionError
from clip2point.data import open_dataset, sample_dataset, sampled


@pytest.fixture
def root(tmp_path, write):
    for seed in range(10):
        write.off(tmp_path / "set" / f"class {'ab'[seed % 2]}" / f"{seed}.off", seed)
    return tmp_path / "set"


@pytest.fixture
def archive(tmp_path, write):
    points = np.stack([write.cloud(seed, 64) for seed in range(12)])
    np.savez(tmp_path / "set.npz", points=points, labels=np.arange(12) % 3, classes=np.array(["a", "b", "c"]))
    return f"npz:{tmp_path / 'set.npz'}"


@pytest.fixture
def draws(monkeypatch):
    """The rows that are really read, as a list that grows."""
    rows, attempt = [], sampled._attempt

    def counting(dataset, points, seed, row):
        rows.append(row)
        return attempt(dataset, points, seed, row)

    monkeypatch.setattr(sampled, "_attempt", counting)
    return rows


def sample(root, *arguments, **options):
    return sample_dataset(open_dataset(f"folder:{root}", up="z"), *arguments, **options)


def test_points_labels_and_names_are_those_of_the_data_set(root):
    dataset = open_dataset(f"folder:{root}", up="z")
    result = sample_dataset(dataset, 32, 5)
    assert (result.points.shape, result.points.dtype) == ((10, 32, 3), np.float32)
    assert isinstance(result.points, np.memmap)
    assert not result.points.flags.writeable
    assert (result.names, result.classes, result.up) == (dataset.names, dataset.classes, "z")
    assert np.array_equal(result.labels, dataset.labels)
    assert result.failures == ()
    for index, (points, label, name) in enumerate(result):
        assert np.array_equal(points, dataset.sample(index, 32, 5))
        assert (label, name) == (dataset.labels[index], dataset.names[index])


def test_the_second_time_nothing_is_read(root, draws):
    first = sample(root, 16)
    assert len(draws) == 10
    second = sample(root, 16)
    assert len(draws) == 10
    assert np.array_equal(first.points, second.points)
    assert first.fingerprint == second.fingerprint


@pytest.mark.parametrize(("points", "seed"), [(17, 0), (16, 1)])
def test_other_points_or_another_seed_are_drawn_anew(root, draws, points, seed):
    first = sample(root, 16)
    other = sample(root, points, seed)
    assert len(draws) == 20
    assert other.points.shape[1] == points
    assert not np.array_equal(first.points[:, :16], other.points[:, :16])
    assert first.fingerprint != other.fingerprint


def test_a_changed_file_is_read_anew(root, write, draws):
    before = sample(root, 16)
    file = root / "class a" / "4.off"
    write.off(file, seed=99)
    after = sample(root, 16)
    assert len(draws) == 20
    row = before.names.index("class a/4.off")
    same = [np.array_equal(before.points[index], after.points[index]) for index in range(10)]
    assert same == [index != row for index in range(10)]


def test_files_of_equal_size_and_date_that_change_places_are_read_anew(root, draws):
    before = sample(root, 16)
    one, other = root / "class a" / "4.off", root / "class b" / "3.off"
    length = max(len(one.read_bytes()), len(other.read_bytes()))
    contents = [path.read_bytes().ljust(length, b"\n") for path in (one, other)]
    for path, content in zip((one, other), contents, strict=True):
        path.write_bytes(content)
        os.utime(path, ns=(0, 0))
    middle = sample(root, 16)
    assert np.array_equal(middle.points, before.points)
    for path, content in zip((one, other), reversed(contents), strict=True):
        path.write_bytes(content)
        os.utime(path, ns=(0, 0))
    after = sample(root, 16)
    rows = [before.names.index(path.relative_to(root).as_posix()) for path in (one, other)]
    same = [np.array_equal(before.points[index], after.points[index]) for index in range(10)]
    assert same == [index not in rows for index in range(10)]


def test_shapes_in_another_class_have_its_label_and_their_points(root, draws):
    before = sample(root, 16)
    (root / "class a" / "4.off").rename(root / "class b" / "moved.off")
    after = sample(root, 16)
    assert len(after) == len(before)
    assert after.labels[after.names.index("class b/moved.off")] == 1


def test_a_file_that_changes_while_it_is_read_is_an_error_and_nothing_is_kept(root, write, monkeypatch, cache):
    draw = sampled._draw_all

    def change(*arguments):
        drawn = draw(*arguments)
        write.off(root / "class a" / "2.off", seed=99)
        return drawn

    with monkeypatch.context() as patch:
        patch.setattr(sampled, "_draw_all", change)
        with pytest.raises(DataError, match=r"class a/2\.off: changed while the data set was read"):
            sample(root, 16)
    assert not list(cache.glob("points/*/points.npy"))
    assert len(sample(root, 16)) == 10


def test_another_version_of_the_sampling_is_drawn_anew(root, draws, monkeypatch):
    sample(root, 16)
    monkeypatch.setattr(sampled, "_VERSION", sampled._VERSION + 1)
    sample(root, 16)
    assert len(draws) == 20


@pytest.mark.slow
def test_files_give_the_same_points_with_one_and_two_processes(root, cache, monkeypatch):
    (root / "class b" / "3.off").write_text("OFF\nbroken\n")
    one = sample(root, 16, workers=1)
    monkeypatch.setenv("CLIP2POINT_CACHE", str(cache / "other"))
    two = sample(root, 16, workers=2)
    assert np.array_equal(one.points, two.points)
    assert one.names == two.names
    assert one.failures == two.failures
    assert one.fingerprint == two.fingerprint


@pytest.mark.slow
def test_arrays_give_the_same_points_with_one_and_two_threads(archive, cache, monkeypatch):
    one = sample_dataset(open_dataset(archive), 16, workers=1)
    monkeypatch.setenv("CLIP2POINT_CACHE", str(cache / "other"))
    two = sample_dataset(open_dataset(archive), 16, workers=2)
    assert np.array_equal(one.points, two.points)


def test_broken_files_are_listed_and_the_others_go_through(root, draws):
    (root / "class b" / "3.off").write_text("OFF\nbroken\n")
    (root / "class a" / "8.off").write_bytes(b"")
    for _ in range(2):  # drawn, and from the cache
        result = sample(root, 16)
        assert len(result) == len(result.names) == len(result.points) == 8
        assert [name for name, _ in result.failures] == ["class a/8.off", "class b/3.off"]
        assert "8.off: the file is empty" in result.failures[0][1]
        assert result.labels.tolist() == [0] * 4 + [1] * 4
    assert len(draws) == 10 + 2


def test_a_file_that_can_be_read_again_is_back(root, monkeypatch, draws):
    read = sampled.Dataset.sample

    def refuse(dataset, index, points, seed):
        if dataset.names[index] == "class a/4.off":
            raise sampled.ShapeError("no permission to read it")
        return read(dataset, index, points, seed)

    with monkeypatch.context() as patch:
        patch.setattr(sampled.Dataset, "sample", refuse)
        without = sample(root, 16)
    assert without.failures == (("class a/4.off", "no permission to read it"),)
    whole = sample(root, 16)
    assert whole.failures == ()
    assert whole.names == open_dataset(f"folder:{root}").names
    assert np.array_equal(whole.points[2], open_dataset(f"folder:{root}").sample(2, 16))
    assert np.array_equal(np.delete(whole.points, 2, axis=0), without.points)
    assert whole.fingerprint != without.fingerprint
    assert len(draws) == 11


def test_a_data_set_without_a_readable_shape_is_refused(root):
    for file in root.rglob("*.off"):
        file.write_text("broken")
    with pytest.raises(DataError, match=r"none of its 10 shapes can be read; the first: .*0\.off"):
        sample(root)


@pytest.mark.parametrize("workers", [1, 2])
def test_progress_sees_every_shape(archive, workers):
    seen, totals = [], []

    def progress(items, total):
        totals.append(total)
        for item in items:
            seen.append(item)
            yield item

    sample_dataset(open_dataset(archive), 8, workers=workers, progress=progress)
    assert totals == [12]
    assert len(seen) == 12


def test_the_up_axis_needs_no_new_points(root, draws):
    first = sample(root, 16)
    second = sample_dataset(open_dataset(f"folder:{root}", up="y"), 16)
    assert len(draws) == 10
    assert second.up == "y"
    assert first.fingerprint == second.fingerprint


def test_a_process_that_dies_is_explained(root, monkeypatch):
    def break_pool(*arguments, **options):
        raise BrokenProcessPool

    monkeypatch.setattr(sampled.ProcessPoolExecutor, "map", break_pool)
    with pytest.raises(DataError, match="a process that read its files died, .* give fewer workers, or workers=1"):
        sample(root, workers=2)


@pytest.mark.parametrize("arguments", [{"points": 0}, {"seed": -1}, {"workers": 0}])
def test_arguments_out_of_range_are_refused(root, arguments):
    with pytest.raises(OptionError, match="expected at least 1, 0 and 1"):
        sample(root, **arguments)
