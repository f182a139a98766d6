import numpy as np
import pytest
from PIL import Image

from clip2point.core.errors import OptionError
from clip2point.search import photos
from clip2point.search.photos import read_photo


def test_pictures_become_square_and_keep_all_that_they_show(tmp_path):
    pixels = np.full((20, 40, 3), (10, 200, 30), np.uint8)
    pixels[8:12, 18:22] = 255
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    found = np.asarray(read_photo(tmp_path / "wide.png"))
    assert found.shape == (40, 40, 3)
    np.testing.assert_array_equal(found[10:30], pixels)
    assert (found[:10] == (10, 200, 30)).all()
    np.testing.assert_array_equal(read_photo(Image.fromarray(pixels)), found)


def test_what_is_transparent_becomes_white(tmp_path):
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[2:6, 2:6] = (200, 0, 0, 255)
    Image.fromarray(pixels).save(tmp_path / "cut-out.png")
    found = np.asarray(read_photo(tmp_path / "cut-out.png"))
    assert (found[0] == 255).all()
    assert (found[3, 3] == (200, 0, 0)).all()


def test_the_side_that_the_camera_noted_is_turned_up(tmp_path):
    pixels = np.zeros((16, 16, 3), np.uint8)
    pixels[:8] = 255  # white above, as it was stored
    exif = Image.Exif()
    exif[0x0112] = 3  # stored upside down
    Image.fromarray(pixels).save(tmp_path / "photo.png", exif=exif)
    found = np.asarray(read_photo(tmp_path / "photo.png"))
    assert (found[:8] == 0).all()
    assert (found[8:] == 255).all()


def test_large_pictures_are_reduced(tmp_path):
    Image.new("L", (3000, 200)).save(tmp_path / "large.jpg")
    assert read_photo(tmp_path / "large.jpg").size == (1024, 1024)


def test_pictures_that_are_not_what_they_should_be_are_named(tmp_path, monkeypatch):
    whole = tmp_path / "whole.png"
    Image.effect_noise((64, 64), 50).save(whole)
    damaged, text, other = tmp_path / "damaged.png", tmp_path / "text.jpg", tmp_path / "drawing.eps"
    damaged.write_bytes(whole.read_bytes()[:1000])
    text.write_text("no picture")
    other.write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n")
    for path in (damaged, text, other):
        with pytest.raises(OptionError, match=rf"{path.name}: cannot be read as an image \(.*expected a whole file"):
            read_photo(path)
    for path in (tmp_path, tmp_path / "none.png"):
        with pytest.raises(OptionError, match=f"{path.name}: no such image file"):
            read_photo(path)
    monkeypatch.setattr(photos, "MAX_PIXELS", 64 * 63)
    with pytest.raises(OptionError, match=r"whole.png: the image has 64 x 64 pixels; expected at most 4,032"):
        read_photo(whole)
    monkeypatch.setattr(photos, "MAX_BYTES", 100)
    with pytest.raises(OptionError, match=r"whole.png: has more than 100 bytes"):
        read_photo(whole)
