"""Neighbours of a shape file: what is read, and above all what is not."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clip2point.shapes import companions
from clip2point.shapes.companions import Companions


def png(width=3, height=2, color=(1, 2, 3)) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (width, height), color).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def home(tmp_path):
    """top/secret.png, top/model/images/a.png, top/model/notes.txt, top/model/obj/shape.obj, .../obj/sub/b.png"""
    obj = tmp_path / "top/model/obj"
    (obj / "sub").mkdir(parents=True)
    (tmp_path / "top/model/images").mkdir()
    for name in ("top/secret.png", "top/model/images/a.png", "top/model/obj/sub/b c.png"):
        (tmp_path / name).write_bytes(png())
    (tmp_path / "top/model/notes.txt").write_text("no image")
    (tmp_path / "top/model/obj/broken.png").write_bytes(png()[:40])
    return obj


@pytest.mark.parametrize("name", ["sub/b c.png", "sub/b%20c.png", "sub\\b c.png", "./sub/b c.png", "../images/a.png"])
def test_neighbours_are_read(home, name):
    neighbours = Companions(home / "shape.obj")
    assert neighbours.read(name) == png()
    texture = neighbours.read_texture(name)
    assert texture.shape == (2, 3, 3)
    assert texture.dtype == np.uint8
    assert texture[0, 0].tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    "name",
    [
        "../../secret.png",
        "../images/../../secret.png",
        "sub/../../../secret.png",
        "../notes.txt",
        "http://example.org/a.png",
        "file:///etc/passwd",
        "C:\\a.png",
        "/etc/passwd",
        "missing.png",
        "sub",
        "",
        "..",
        "a\0b.png",
        "x" * 5000 + ".png",
    ],
)
def test_all_else_is_refused(home, name):
    assert Companions(home / "shape.obj").read(name) is None
    assert Companions(home / "shape.obj").read_texture(name) is None


def test_absolute_paths_are_refused_even_to_neighbours(home):
    assert Companions(home / "shape.obj").read(str(home / "sub/b c.png")) is None


def test_links_that_lead_out_are_refused(home):
    (home / "link.png").symlink_to(home.parents[1] / "secret.png")
    (home / "up").symlink_to(home.parents[1])
    (home / "loop.png").symlink_to(home / "loop.png")
    neighbours = Companions(home / "shape.obj")
    for name in ("link.png", "up/secret.png", "loop.png"):
        assert neighbours.read(name) is None


def test_a_relative_path_knows_its_parent_folder(home, monkeypatch):
    monkeypatch.chdir(home)
    assert Companions(Path("shape.obj")).read("../images/a.png") == png()


def test_textures_are_decoded_once_and_damaged_ones_left_out(home):
    neighbours = Companions(home / "shape.obj")
    assert neighbours.read_texture("../images/a.png") is neighbours.read_texture("../images/a.png")
    assert neighbours.read_texture("broken.png") is None
    assert neighbours.decode_texture(0, b"%!PS-Adobe EPSF-3.0") is None


def test_large_textures_are_left_out_before_they_are_decoded(home, monkeypatch):
    monkeypatch.setattr(companions, "MAX_TEXTURE_PIXELS", 100)
    monkeypatch.setattr(companions, "MAX_TOTAL_PIXELS", 150)
    neighbours = Companions(home / "shape.obj")
    assert neighbours.decode_texture(0, png(101, 1)) is None
    assert neighbours.decode_texture(1, png(10, 10)) is not None
    assert neighbours.decode_texture(2, png(10, 10)) is None  # the shape's budget is spent
    assert neighbours.decode_texture(3, png(5, 10)) is not None


def test_what_is_read_in_all_is_bounded(home, monkeypatch):
    monkeypatch.setattr(companions, "MAX_BYTES", 2 * len(png()))
    neighbours = Companions(home / "shape.obj")
    names = ["sub/b c.png", "./sub/b c.png", "././sub/b c.png"]
    assert [neighbours.read(name) for name in names] == [png(), png(), None]
