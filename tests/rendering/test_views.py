import numpy as np
import pytest

from clip2point.core.errors import OptionError
from clip2point.rendering import view_set
from clip2point.rendering.views import look_at

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
    assert len(view_set("clip2point-10")) == 10
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
