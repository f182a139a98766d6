import gzip

import numpy as np
import pytest

from clip2point.core.errors import OptionError, ShapeError
from clip2point.core.registries import FORMATS
from clip2point.data import open_dataset, sample_dataset
from clip2point.shapes import Parsed, find_shapes, format_up, list_extensions, load_shape, register_format
from clip2point.shapes.format_registry import file_extension, find_format, format_code

READER = """
import numpy as np

from clip2point.core.errors import ShapeError
from clip2point.shapes import Format, Parsed


def read(data, companions):
    if len(data) % 24:
        raise ShapeError("ends within a point: copy the file again")
    return Parsed(np.frombuffer(data, "<f8").reshape(-1, 3) * {scale})


FORMAT = Format(read, up="z")
"""


def offer(plugins, scale=1, package="f8-format"):
    return plugins.install(READER.format(scale=scale), "[clip2point.formats]\n.f8 = MODULE:FORMAT\n", package)


@pytest.fixture
def cloud(tmp_path):
    path = tmp_path / "cloud.f8"
    path.write_bytes(np.random.default_rng(0).random((8, 3)).tobytes())
    return path


@pytest.mark.parametrize("extension", FORMATS.built_in)
def test_each_built_in_format_has_its_reader(extension):
    assert find_format(extension).read.__module__.startswith("clip2point.shapes.formats.")
    assert find_format(extension).up == FORMATS.built_in[extension].up == format_up(f"x{extension}")
    assert format_code(extension) is None


def test_a_package_adds_a_format(plugins, cloud):
    offer(plugins)
    shape = load_shape(cloud)
    assert (shape.points.shape, shape.up) == ((8, 3), "z")
    assert load_shape(cloud, up="x").up == "x"
    assert format_up(cloud) == "z"
    assert ".f8" in list_extensions()
    packed = cloud.with_name("cloud.F8.gz")
    packed.write_bytes(gzip.compress(cloud.read_bytes()))
    assert np.array_equal(load_shape(packed).points, shape.points)
    assert find_shapes(cloud.parent) == [packed, cloud]


def test_errors_of_a_plug_in_name_the_file(plugins, cloud):
    offer(plugins)
    cloud.write_bytes(b"123")
    with pytest.raises(ShapeError, match=r"cloud.f8: ends within a point: copy the file again"):
        load_shape(cloud)


def test_a_broken_plug_in_fails_its_own_files_alone(plugins, cloud):
    plugins.install("import nothing_like_it", "[clip2point.formats]\n.f8 = MODULE:FORMAT\n", "f8-format")
    with pytest.raises(ShapeError, match=r"cloud.f8: the file format '.f8' of the package f8-format 1.2 .* cannot be"):
        load_shape(cloud)
    np.save(cloud.with_suffix(".npy"), np.eye(3))
    assert load_shape(cloud.with_suffix(".npy")).points.shape == (3, 3)


def test_an_unknown_extension_lists_those_of_plug_ins(plugins, tmp_path):
    offer(plugins)
    (tmp_path / "x.f9").touch()
    with pytest.raises(ShapeError, match=r"unknown extension '.f9': expected one of .off, .*, .laz, .f8, also"):
        load_shape(tmp_path / "x.f9")


def test_an_edited_reader_is_not_answered_with_old_points(plugins, tmp_path, monkeypatch):
    monkeypatch.setenv("CLIP2POINT_CACHE", str(tmp_path / "cache"))
    for name in ("a", "b"):
        folder = tmp_path / "set" / name
        folder.mkdir(parents=True)
        (folder / "cloud.f8").write_bytes(np.random.default_rng(0).random((8, 3)).tobytes())
    registered = []
    for scale in (1, 2):
        # Without a file to hash, the compiled function is what tells the two.
        namespace = {"__name__": "__main__"}
        exec(READER.format(scale=scale), namespace)
        register_format(".f8", namespace["read"])
        registered.append(sample_dataset(open_dataset(f"folder:{tmp_path / 'set'}"), points=4).points)
    FORMATS.unregister(".f8")
    assert np.allclose(registered[0] * 2, registered[1])


def test_a_registered_format_is_read_in_this_process(tmp_path, monkeypatch):
    monkeypatch.setenv("CLIP2POINT_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "set" / "a"
    folder.mkdir(parents=True)
    (folder / "cloud.f8").write_bytes(np.eye(3).tobytes())
    register_format(".f8", lambda data, companions: Parsed(np.frombuffer(data).reshape(-1, 3)))
    try:
        dataset = open_dataset(f"folder:{tmp_path / 'set'}")
        assert len(sample_dataset(dataset, points=4, workers=2)) == 1
    finally:
        FORMATS.unregister(".f8")


@pytest.mark.parametrize("extension", ["vox", ".VOX", ".a.b", ".gz", ".off", ""])
def test_impossible_extensions_are_refused(extension):
    with pytest.raises(OptionError, match="is no extension for a file format|is built in"):
        register_format(extension, lambda data, companions: None)


def test_an_up_axis_that_is_none():
    with pytest.raises(OptionError, match="up-axis"):
        register_format(".f8", lambda data, companions: None, up="north")


@pytest.mark.parametrize(
    ("name", "extension"),
    [("a.OFF", ".off"), ("a.off.gz", ".off"), ("a.b.Ply.GZ", ".ply"), ("a.gz", ""), ("a", ""), ("x/.off", "")],
)
def test_extensions_are_lower_case_and_without_gz(name, extension):
    assert file_extension(name) == extension
