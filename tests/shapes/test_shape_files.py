"""load_shape as users meet it: dispatch, up-axes, one clear error for every bad file."""

import gzip
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sample_files import CLOUD, FACES, SAMPLES, VERTICES, write_off, write_sample

from clip2point.core.errors import OptionError, ShapeError
from clip2point.shapes import (
    expand_folders,
    find_shapes,
    format_up,
    list_extensions,
    load_shape,
    sample_points,
    shape_from_points,
)
from clip2point.shapes import shape_files as loading


def refusal(path) -> str:
    """Load a file that must be refused; return the message after the file's name."""
    with pytest.raises(ShapeError) as caught:
        load_shape(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert message.count(str(path)) == 1
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLES)
def test_every_format_gives_a_shape_twice_the_same(tmp_path, name):
    path = write_sample(name, tmp_path)
    shape = load_shape(path)
    assert shape.source == str(path)
    points = sample_points(shape, 64)
    assert points.shape == (64, 3)
    assert format_up(path) in (shape.up, "auto")
    again = load_shape(str(path))
    np.testing.assert_array_equal(sample_points(again, 64), points)
    assert load_shape(path, up="-x").up == "-x"


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in SAMPLES if not name.endswith(".gz")])
def test_every_format_may_be_gzipped(tmp_path, name):
    path = write_sample(name, tmp_path)
    packed = tmp_path / (name.upper() + ".GZ")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    np.testing.assert_array_equal(load_shape(packed).points, load_shape(path).points)


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("kept", [0.0, 0.02, 0.5])
def test_cut_off_files_are_refused(tmp_path, name, kept):
    path = write_sample(name, tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    # What is left of a plain list of points is a list of points.
    if kept < 0.5 or path.suffix not in (".xyz", ".txt", ".csv", ".obj"):
        assert refusal(path)


@pytest.mark.parametrize("name", SAMPLES)
def test_web_pages_and_prose_are_refused(tmp_path, name):
    path = tmp_path / name
    for text, expected in (
        ("\n<!doctype HTML><html>404</html>", "is a web page, not a shape"),
        ("Dear reader,\n1 2\nthis is no shape.\n", ""),
    ):
        data = text.encode()
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        assert expected in refusal(path)


def test_files_that_cannot_be_opened(tmp_path, monkeypatch):
    assert "no such file: check the path" in refusal(tmp_path / "missing.off")
    (tmp_path / "folder.off").mkdir()
    assert "is a folder: expected one shape file" in refusal(tmp_path / "folder.off")
    os.mkfifo(tmp_path / "pipe.off")
    assert "is not a regular file" in refusal(tmp_path / "pipe.off")
    assert "cannot be opened" in refusal(tmp_path / ("x" * 5000 + ".off"))
    (tmp_path / "empty.off").touch()
    assert "the file is empty: expected a shape" in refusal(tmp_path / "empty.off")
    path = write_sample("box.off", tmp_path)

    def forbid(self):
        raise PermissionError

    monkeypatch.setattr(Path, "read_bytes", forbid)
    assert "no permission to read it" in refusal(path)


def test_large_files_are_refused_unread(tmp_path):
    path = tmp_path / "huge.stl"
    with path.open("wb") as stream:
        stream.truncate(2 * 1024**3 + 1)  # sparse: takes no space
    assert "has 2,147,483,649 bytes: expected at most 2,147,483,648" in refusal(path)


@pytest.mark.parametrize("name", ["shape.exe", "shape", ".gz", "shape.gz", "shape.exe.gz", "shape.off.exe"])
def test_unknown_extensions_list_the_known_ones(tmp_path, name):
    (tmp_path / name).write_text("x")
    assert "expected one of .off, .obj, .ply" in refusal(tmp_path / name)


def test_the_wrong_extension(tmp_path):
    path = write_sample("box.glb", tmp_path)
    for extension in list_extensions():
        if extension not in (".glb", ".gltf"):
            assert refusal(path.rename(path.with_suffix(extension)))
            path = path.with_suffix(extension)


@pytest.mark.slow
def test_a_gzip_bomb_in_a_shape(tmp_path):
    path = tmp_path / "bomb.xyz.gz"
    path.write_bytes(gzip.compress(b"0 0 0\n" * 20_000_000, 1))
    assert "gzip bomb" in refusal(path)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "it asks for more memory than there is"),
        (RecursionError(), "its parts are nested too deeply"),
        (KeyError("accessors"), "'accessors' is missing"),
        (AssertionError(), "AssertionError"),
        (ValueError("first line\nsecond"), "first line"),
    ],
)
def test_whatever_a_reader_raises_is_one_clear_error(tmp_path, monkeypatch, error, words):
    path = write_sample("box.off", tmp_path)

    def stumble(path, extension, columns):
        raise error

    monkeypatch.setattr(loading, "_read", stumble)
    message = refusal(path)
    assert (
        message == f"is damaged or no valid OFF file ({words}): expected a whole OFF file; export or download it again"
    )


def test_interrupts_pass_through(tmp_path, monkeypatch):
    def interrupt(path, extension, columns):
        raise KeyboardInterrupt

    monkeypatch.setattr(loading, "_read", interrupt)
    with pytest.raises(KeyboardInterrupt):
        load_shape(write_sample("box.off", tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "up"),
    [
        *(("box.glb", "y"), ("box.gltf", "y"), ("box.3mf", "z"), ("cloud.las", "z"), ("cloud.laz", "z")),
        *(("box.ac", "y"), ("box.dae", "y")),
        *(("box.off", "auto"), ("box.obj", "auto"), ("text.ply", "auto"), ("cloud.npy", "auto")),
    ],
)
def test_up_axes_of_the_formats(tmp_path, name, up):
    path = write_sample(name, tmp_path)
    assert load_shape(path).up == up
    with pytest.raises(OptionError, match="unknown up-axis 'up'"):
        load_shape(path, up="up")


def test_folders_are_expanded_and_files_stay(tmp_path):
    np.save(tmp_path / "b.npy", np.eye(3))
    np.save(tmp_path / "a.npy", np.eye(3))
    (tmp_path / "empty").mkdir()
    files = expand_folders([tmp_path / "missing.ply", tmp_path])
    assert files == [tmp_path / "missing.ply", tmp_path / "a.npy", tmp_path / "b.npy"]
    with pytest.raises(ShapeError, match=r"empty: no shape files in this folder; expected \.off"):
        expand_folders([tmp_path / "empty"])


def test_shapes_are_found_in_folders_below(tmp_path):
    for name in ("b/two.OBJ", "a.off", "b/one.off.gz", "b/c/three.txt", "b/three.mtl", ".hidden.off", "b/four.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in find_shapes(tmp_path)]
    assert found == ["a.off", "b/c/three.txt", "b/one.off.gz", "b/two.OBJ"]
    with pytest.raises(ShapeError, match="no such folder"):
        find_shapes(tmp_path / "a.off")


def test_notes_and_tables_in_folders_are_no_clouds(tmp_path):
    texts = {
        "LICENCE.txt": "Everybody may use these shapes.\n",
        "labels.csv": "file,label\n0.ply,chair\n1.ply,table\n",
        "sizes.csv": "file,x,y,z\n0.ply,1,2,3\n",
        "cloud.txt": "// x y z\n0 0 0\n1 0 0\n0 1 0\n",
        "cloud.CSV": "x;y;z\n0;0;0\n1;0;0\n0;1;0\n",
        "cut.txt": "",
        "blank.csv": "\n\n",
        "page.xyz": "<html>",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "gone.txt").symlink_to(tmp_path / "nowhere")
    assert {path.name for path in find_shapes(tmp_path)} == {
        *("cloud.txt", "cloud.CSV"),
        *("cut.txt", "blank.csv", "page.xyz", "gone.txt"),  # load_shape says what is wrong with each
    }


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int16, np.longdouble])
def test_arrays_become_shapes(dtype):
    array = np.arange(12).reshape(3, 4).astype(dtype)
    shape = shape_from_points(array, up="z", source="mine")
    np.testing.assert_array_equal(shape.points, array[:, :3].astype(np.float32))
    assert (shape.source, shape.up, shape.mesh) == ("mine", "z", None)


def test_lists_become_shapes_and_other_arrays_are_refused():
    assert len(shape_from_points([[0, 0, 0], [1, 2, 3]]).points) == 2
    with pytest.raises(ShapeError, match=r"^mine: has an array \[3\]: expected points"):
        shape_from_points([1, 2, 3], source="mine")
    with pytest.raises(ShapeError, match="^array: has NaN"):
        shape_from_points([[0, 0, 0], [np.nan, 2, 3]])
    with pytest.raises(ShapeError, match="^array: has an array of type <U1"):
        shape_from_points([["a", "b", "c"]])
    with pytest.raises(ShapeError, match="^array: "):
        shape_from_points([[1, 2, 3], [1, 2]])
    with pytest.raises(OptionError, match="unknown up-axis"):
        shape_from_points([[0, 0, 0], [1, 2, 3]], up="w")


def test_reading_needs_nothing_heavy(tmp_path):
    write_off(tmp_path / "box.off")
    code = """if True:
        import sys
        import clip2point.shapes as shapes
        heavy = {"torch", "numba", "trimesh", "laspy", "PIL", "scipy", "collada", "lxml"}
        assert not heavy & set(sys.modules), heavy & set(sys.modules)
        shapes.sample_points(shapes.load_shape(sys.argv[1]), 10)
        assert not heavy & set(sys.modules), heavy & set(sys.modules)
    """
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "box.off")], check=True)


@pytest.mark.slow
def test_reading_is_silent(tmp_path, capfd):
    path = write_sample("box.obj", tmp_path)
    (tmp_path / "box.mtl").write_bytes(b"newmtl painted\nmap_Kd skin.png\n\xff\xfe")
    (tmp_path / "skin.png").write_bytes((tmp_path / "skin.png").read_bytes()[:50])
    load_shape(path)
    refusal(tmp_path / "none.laz")
    laz = write_sample("cloud.laz", tmp_path)
    laz.write_bytes(laz.read_bytes()[:-300])
    refusal(laz)
    assert capfd.readouterr() == ("", "")


def test_samples_are_what_they_seem(tmp_path):
    np.testing.assert_array_equal(load_shape(write_sample("cloud.npy", tmp_path)).points, CLOUD)
    mesh = load_shape(write_sample("box.off", tmp_path)).mesh
    np.testing.assert_array_equal(mesh.vertices, VERTICES)
    np.testing.assert_array_equal(mesh.faces, FACES)


def test_a_missing_path_without_extension_is_missing_first(tmp_path):
    with pytest.raises(ShapeError, match="no such file: check the path"):
        load_shape(tmp_path / "nowhere")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this system")
def test_pipes_devices_and_files_of_the_kernel_are_passed_over(tmp_path):
    (tmp_path / "a.xyz").write_text("0 0 0\n1 0 0\n0 1 0\n")
    for name in ("pipe.txt", "pipe.off", "pipe.h5"):
        os.mkfifo(tmp_path / name)
    (tmp_path / "zero.csv").symlink_to("/dev/zero")
    (tmp_path / "environ.txt").symlink_to("/proc/self/environ")
    (tmp_path / "lost.off").symlink_to(tmp_path / "nowhere.off")
    (tmp_path / "link.xyz").symlink_to(tmp_path / "a.xyz")
    assert [path.name for path in find_shapes(tmp_path)] == ["a.xyz", "link.xyz", "lost.off"]
