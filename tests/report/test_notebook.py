"""What notebooks show: everything in it, nothing fetched, nothing run."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from clip2point.model import Classification, Guess
from clip2point.search import Entry, Hit
from clip2point.shapes import Shape
from clip2point.shapes.demo_shapes import demo_shapes


def picture(html: str) -> Image.Image:
    """The one picture of a piece of HTML."""
    (data,) = re.findall(r"data:image/png;base64,([A-Za-z0-9+/=]+)", html)
    return Image.open(io.BytesIO(base64.b64decode(data)))


@pytest.fixture(scope="module")
def chair() -> Shape:
    ((_, shape),) = demo_shapes(["chair"])
    return replace(shape, source="chair.obj")


def answer(**changes: object) -> Classification:
    guesses = (Guess("chair", 0.3, 0.8, (0.3, 0.3)), Guess("<b>table</b>", 0.1, 0.2, (0.1, 0.1)))
    values = {
        "source": "a.ply",
        "guesses": guesses,
        "up": "z",
        "up_from": "guessed",
        "points": 4,
        "seed": 0,
        "model": "m",
    }
    return Classification(**{**values, **changes})


def test_a_mesh_is_drawn_in_colour_and_as_depth_maps(chair: Shape) -> None:
    html = chair._repr_html_()
    cloud = Shape(chair.points, source="chair.obj")._repr_html_()
    assert picture(html).height > 1.9 * picture(cloud).height
    assert picture(html).width == picture(cloud).width
    assert f"mesh of {len(chair.mesh.vertices):,} vertices" in html
    assert f"cloud of {len(chair.points):,} points" in cloud


def test_an_up_axis_that_nobody_declared_is_named(chair: Shape) -> None:
    assert "y up" in chair._repr_html_()
    assert "up-axis unknown" in chair.with_up("auto")._repr_html_()


def test_the_declared_up_axis_decides_how_a_shape_is_drawn(chair: Shape) -> None:
    points = chair.points
    turned = np.stack([points[:, 0], -points[:, 2], points[:, 1]], axis=1)
    as_z, as_y = (Shape(p, up=up)._repr_html_() for p, up in ((turned, "z"), (turned, "y")))
    assert picture(as_z).tobytes() != picture(as_y).tobytes()


def test_a_shape_that_cannot_be_drawn_says_why() -> None:
    html = Shape(np.zeros((4, 3), np.float32))._repr_html_()
    assert "all equal" in html
    assert "<img" not in html


def test_an_answer_shows_names_confidences_and_what_the_model_saw() -> None:
    depth = np.zeros((2, 8, 8), np.float32)
    depth[1] = 1
    html = answer(depth=depth)._repr_html_()
    pixels = np.asarray(picture(html))
    assert pixels[0, 0, 0] == 0
    assert pixels[0, -1, 0] == 255
    assert "80.0%" in html
    assert "z (guessed) up" in html
    assert "<b>table</b>" not in html
    assert "&lt;b&gt;table" in html


def test_an_answer_without_pictures_or_with_an_unknown_shape_still_shows() -> None:
    html = answer(unknown=True)._repr_html_()
    assert "<img" not in html
    assert "unknown (chair?)" in html


def hit() -> Hit:
    picture = io.BytesIO()
    Image.new("RGB", (4, 4), (255, 0, 0)).save(picture, "WEBP")
    return Hit(Entry("/a/<i>.off", labels=("chair",), label_scores=(0.5,), thumbnail=picture.getvalue()), 0.25)


def test_a_hit_shows_its_thumbnail_score_and_labels() -> None:
    html = hit()._repr_html_()
    (data,) = re.findall(r"data:image/webp;base64,([A-Za-z0-9+/=]+)", html)
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (4, 4)
    assert "score 0.250; chair 50%" in html
    assert "/a/&lt;i&gt;.off" in html


def test_nothing_is_fetched_or_run(chair: Shape) -> None:
    for html in (chair._repr_html_(), answer()._repr_html_(), hit()._repr_html_()):
        assert not re.search(r"<script|https?:|<link|onerror", html)
