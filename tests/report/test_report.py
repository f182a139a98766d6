import numpy as np
import pytest
from PIL import Image

from clip2point.model import Classification, Guess
from clip2point.rendering import view_set
from clip2point.rendering.image_files import to_pixels, write_image
from clip2point.report.contact_sheet import Row, contact_sheet, view_headings
from clip2point.report.demo_page import DemoEntry, write_page
from clip2point.report.view_folder import ViewFolder


def test_images_round_trip(tmp_path):
    depth = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
    write_image(tmp_path / "depth.png", to_pixels(depth))
    read = np.asarray(Image.open(tmp_path / "depth.png")) / 255
    np.testing.assert_allclose(read, depth, atol=0.5 / 255 + 1e-6)


def test_the_sheet_holds_every_picture_in_its_place():
    greys = np.arange(6).reshape(2, 3) * 40
    rows = [Row(f"row {i}", "remark", [np.full((20, 20), grey, np.uint8) for grey in greys[i]]) for i in range(2)]
    sheet = np.asarray(contact_sheet(rows, ["a", "b", "c"]))
    for i in range(2):
        for j in range(3):
            assert (sheet[22 + i * 124 + 60, 190 + j * 124 + 60] == greys[i, j]).all()


def test_long_names_stay_in_their_column():
    name = "x" * 300
    sheet = np.asarray(contact_sheet([Row(name, name, [np.zeros((5, 5), np.uint8)])], ["0"]))
    assert (sheet[30:140, 186:189] == 255).all()


def test_headings_are_angles():
    assert view_headings([(0, 0), (22.5, -45)]) == ["0°, 0°", "22.5°, -45°"]


@pytest.mark.slow
def test_view_folder(tmp_path):
    views = view_set("ring-2")
    folder = ViewFolder(tmp_path, views)
    depth = np.random.default_rng(0).random((2, 16, 16), dtype=np.float32)
    color = np.zeros((2, 16, 16, 3), np.uint8)
    for index in range(40):
        folder.add(tmp_path / f"dir{index}" / "chair.off.gz", depth, "remark", color if index == 0 else None)
    assert folder.finish() == tmp_path / "contact_sheet.png"
    np.testing.assert_array_equal(np.load(tmp_path / "chair" / "depth.npy"), depth)
    names = {path.name for path in tmp_path.iterdir()}
    assert {"chair", "chair-2", "chair-40", "contact_sheet.png", "contact_sheet_2.png"} <= names
    files = {path.name for path in (tmp_path / "chair").iterdir()}
    assert files == {"depth.npy", "depth_00.png", "depth_01.png", "color_00.png", "color_01.png"}


def test_the_page_holds_everything_and_fetches_nothing(tmp_path):
    guesses = (Guess("chair", 0.2, 0.7, (0.2,)), Guess("<b>table", 0.1, 0.3, (0.1,)))
    depth = np.full((1, 8, 8), 0.5, np.float32)
    result = Classification("dir/a<b>.off", guesses, "y", "declared", 1024, 0, "pocket", depth)
    write_page(
        tmp_path / "page.html", [DemoEntry(result, "chair", "mesh")], title="T", remarks=["R & S"], command="demo"
    )
    html = (tmp_path / "page.html").read_text()
    assert "1 of 1 correct." in html
    assert "R &amp; S" in html
    assert "&lt;b&gt;table" in html
    assert "<b>table" not in html
    assert "data:image/png;base64," in html
    assert "http" not in html
