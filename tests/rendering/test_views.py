import json
import re

import numpy as np
import pytest

from clip2point.core.errors import OptionError, PluginError
from clip2point.core.registries import VIEWS
from clip2point.rendering import ViewSet, register_view_set, view_set
from clip2point.rendering.views import look_at, name_or_content

f32 = np.float32

#: Last bits of the authors' matrices at the poles, where rounding errors decide the image axes.
POLES = {
    (90, 0): [[1, 0, 0], [0, 4.371138828673793e-08, -1], [0, 1, 4.371138828673793e-08]],
    (270, 0): [[-1, 0, 0], [0, 1.1924880638503055e-08, 1], [0, 1, -1.1924880638503055e-08]],
    (-90, 180): [
        [-1, 8.742277657347586e-08, -3.82137093032941e-15],
        [0, 4.371138828673793e-08, 1],
        [8.742277657347586e-08, 1, -4.371138828673793e-08],
    ],
}


@pytest.mark.parametrize("angles", POLES)
def test_poles_to_the_last_bit(angles):
    rotation, translation = look_at(f32(1), *f32(angles))
    np.testing.assert_array_equal(rotation, np.array(POLES[angles], dtype=f32))
    np.testing.assert_array_equal(translation, f32([0, 0, 1]))


def test_published_sets_have_the_published_views():
    assert view_set("clip2point-6").angles == ((0, 0), (0, 90), (0, 180), (0, 270), (90, 0), (-90, 180))
    around = ((0, 0), (90, 0), (180, 0), (270, 0))
    corners = ((225, -45), (225, 45), (315, -45), (315, 45))
    assert view_set("clip2point-10").angles == (*around, *corners, (0, -90), (0, 90))
    assert view_set("clip2point-10") is view_set("clip2point-10")


@pytest.mark.parametrize("name", ["clip2point-10", "clip2point-6", "ring-12", "ring-5@-35", "ring-4@90"])
def test_rotations_are_right_handed_and_look_at_the_origin(name):
    views = view_set(name)
    np.testing.assert_allclose(
        views.rotations @ views.rotations.swapaxes(1, 2), np.eye(3)[None].repeat(len(views), 0), atol=1e-6
    )
    np.testing.assert_allclose(np.linalg.det(views.rotations), 1, atol=1e-6)
    elevation, azimuth = np.deg2rad(views.angles).T
    camera = np.stack(
        [np.cos(elevation) * np.sin(azimuth), np.sin(elevation), np.cos(elevation) * np.cos(azimuth)], axis=1
    )
    np.testing.assert_allclose(views.rotations[:, :, 2], -camera, atol=1e-6)


def test_up_is_up_and_left_is_left():
    front = view_set("clip2point-10").rotations[0]  # the camera is on +z, so the object's +x is on the image's right
    np.testing.assert_array_equal(f32([1, 2, 3]) @ front, f32([-1, 2, -3]))


def test_translation_is_the_distance():
    views = view_set("clip2point-10")
    cameras = views.cameras(np.full((3, 10), 1.07, dtype=f32))
    assert cameras.rotation.shape == (3, 10, 3, 3)
    np.testing.assert_allclose(cameras.translation, np.broadcast_to(f32([0, 0, 1.07]), (3, 10, 3)), atol=2e-7)


def test_ring_is_equally_spaced():
    assert view_set("ring-4@10").angles == ((10, 0), (10, 90), (10, 180), (10, 270))
    assert view_set("ring-3").angles[0] == (20, 0)


def test_sets_are_joined_in_their_order():
    joined = view_set("clip2point-6+ring-2@50")
    assert joined.angles == (*view_set("clip2point-6").angles, (50, 0), (50, 180))
    assert joined.name == "clip2point-6+ring-2@50"
    with pytest.raises(OptionError, match="has 400 views, expected at most 360"):
        view_set("ring-200+ring-200@50")


@pytest.mark.parametrize(
    "name",
    ["", "ring-3+", "ring-3+north", "clip2point", "ring-0", "ring-361", "ring-x", "ring-4@north", "Ring-4"],
)
def test_unknown_sets_are_named(name):
    with pytest.raises(OptionError, match="unknown view set .*clip2point-10.*ring-N"):
        view_set(name)


OWN = ViewSet("mine", ((10.0, 20.0), (30.0, 40.0)))


@pytest.fixture
def mine():
    register_view_set(OWN)
    yield OWN
    VIEWS.unregister("mine")


def test_a_registered_set_is_known_by_its_name(mine):
    assert view_set("mine") is OWN
    assert view_set("ring-2+mine").angles == (*view_set("ring-2").angles, *OWN.angles)
    assert view_set(OWN) is OWN


def test_a_package_adds_a_set(plugins):
    source = "from clip2point.rendering import ViewSet\nVIEWS = ViewSet('ours', ((1.0, 2.0),))\n"
    plugins.install(source, "[clip2point.views]\nours = MODULE:VIEWS\n")
    assert view_set("ours").angles == ((1, 2),)
    plugins.install("VIEWS = 3", "[clip2point.views]\nbad = MODULE:VIEWS\n", package="bad-views")
    with pytest.raises(PluginError, match="bad-views 1.2 .*: expected a clip2point.rendering.ViewSet"):
        view_set("bad")


def test_own_cameras_are_read_from_a_file(tmp_path):
    path = tmp_path / "my.json"
    path.write_text(json.dumps(OWN.to_dict()))
    assert view_set(path) == view_set(str(path)) == OWN
    path.write_text(json.dumps({**OWN.to_dict(), "cameras": OWN.to_dict()["cameras"][:1]}))
    assert len(view_set(path)) == 1


@pytest.mark.parametrize("name", ["ring-3", "ring-N", "clip2point-6", "a+b", "a.json"])
def test_names_that_own_sets_cannot_have(name, tmp_path):
    views = ViewSet(name, OWN.angles)
    with pytest.raises(OptionError, match=f"cannot be called '{re.escape(name)}'"):
        register_view_set(views)
    (tmp_path / "my.json").write_text(json.dumps(views.to_dict()))
    with pytest.raises(OptionError, match=r"my.json: a view set of your own cannot be called"):
        view_set(tmp_path / "my.json")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"cannot be read as a view set \(No such file or directory\): check the path"),
        (b"{", "is no JSON"),
        (b"\xff\xfe", "is no JSON"),
        (b"[]", "is no object"),
        (b" " * (1 << 20) + b"{}", "is too large"),
    ],
)
def test_files_that_are_broken_are_told(tmp_path, content, message):
    path = tmp_path / "my.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(OptionError, match=rf"my\.json: {message}"):
        view_set(path)


def test_built_in_sets_are_kept_by_name_and_others_by_content(mine):
    for name in ("clip2point-6", "ring-8", "ring-6@20+clip2point-10"):
        assert name_or_content(name) == name_or_content(view_set(name)) == name
    assert name_or_content("mine") == OWN
    assert name_or_content("mine+ring-2") == view_set("mine+ring-2")
    imitation = ViewSet("ring-8", OWN.angles)
    assert name_or_content(imitation) == imitation
