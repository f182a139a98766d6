import json

import numpy as np
import pytest

from clip2point.core.errors import OptionError
from clip2point.rendering import ViewSet, render_depth, view_set
from clip2point.rendering.cameras import MAX_VIEWS

FRONT = [[-1, 0, 0], [0, 1, 0], [0, 0, -1]]
OWN = {
    "name": "mine",
    "cameras": [
        {"elevation": 0, "azimuth": 0},
        {"elevation": 30, "azimuth": 45, "distance": 1.5},
        {"rotation": FRONT},
        {"rotation": [[0, 0, 1], [0, 1, 0], [-1, 0, 0]], "distance": 2},
    ],
}


@pytest.fixture
def points():
    return np.random.default_rng(0).uniform(-0.5, 0.5, (2, 200, 3)).astype(np.float32)


def test_the_dict_of_a_set_is_read_back():
    for views in (ViewSet.from_dict(OWN), view_set("clip2point-10"), view_set("ring-3@-10")):
        written = json.loads(json.dumps(views.to_dict()))
        assert ViewSet.from_dict(written) == views
        assert ViewSet.from_dict(written).to_dict() == written


def test_the_axes_of_a_camera_are_its_rotation():
    views = ViewSet.from_dict(OWN)
    np.testing.assert_allclose(views.rotations[2], views.rotations[0], atol=1e-6)
    np.testing.assert_array_equal(views.rotations[2], np.array(FRONT, np.float32).T)
    cameras = views.cameras(np.full((3, 4), 1.1, np.float32))
    np.testing.assert_allclose(cameras.translation, np.broadcast_to([0, 0, 1.1], (3, 4, 3)), atol=2e-7)


def test_where_a_camera_with_axes_is_told_as_angles():
    views = ViewSet.from_dict(OWN)
    np.testing.assert_allclose(views.angles[2:], [(0, 0), (0, 90)], atol=1e-6)
    assert views.angles[:2] == ((0, 0), (30, 45))


def test_a_distance_is_a_zoom_and_factors_come_on_top(points):
    near, far = (
        ViewSet.from_dict({"name": "one", "cameras": [{"elevation": 10, "azimuth": 20, "distance": distance}]})
        for distance in (1, 2)
    )
    twice = np.full((2, 1), 2, np.float32)
    images = render_depth(points, near, image_size=64), render_depth(points, far, image_size=64)
    np.testing.assert_array_equal(images[1], render_depth(points, near, twice, image_size=64))
    np.testing.assert_array_equal(
        render_depth(points, far, twice, image_size=64), render_depth(points, near, 2 * twice, image_size=64)
    )
    wide, narrow = ((image < 1).any((0, 1, 2)).sum() for image in images)
    assert wide / 2 - 2 <= narrow <= wide / 2 + 2


def test_views_with_axes_are_drawn_by_both_backends(points):
    views = ViewSet.from_dict(OWN)
    images = [render_depth(points, views, image_size=32, backend=backend) for backend in ("numba", "torch")]
    np.testing.assert_array_equal(*images)
    np.testing.assert_array_equal(images[0][:, 2], images[0][:, 0])


def test_taken_and_joined_views_keep_all_that_they_are(points):
    views = ViewSet.from_dict(OWN)
    images = render_depth(points, views, image_size=32)
    np.testing.assert_array_equal(render_depth(points, views.take([3, 1]), image_size=32), images[:, [3, 1]])
    joined = ViewSet.join("both", [view_set("ring-2"), views])
    np.testing.assert_array_equal(render_depth(points, joined, image_size=32)[:, 2:], images)
    assert views.take([2]).name == "mine[2]"
    assert view_set("ring-3").take([1]) == ViewSet("ring-3[1]", (view_set("ring-3").angles[1],))


def test_joined_sets_have_at_most_the_views_of_the_largest():
    one = ViewSet("one", ((0, 0),))
    assert len(ViewSet.join("most", [one] * MAX_VIEWS)) == MAX_VIEWS
    with pytest.raises(OptionError, match=f"has {MAX_VIEWS + 1} views, expected at most {MAX_VIEWS}"):
        ViewSet.join("more", [one] * (MAX_VIEWS + 1))


def test_keys_of_plain_sets_are_their_angles_and_those_of_others_hold_all():
    assert view_set("clip2point-6").key == [[0, 0], [0, 90], [0, 180], [0, 270], [90, 0], [-90, 180]]
    assert ViewSet.from_dict(OWN).key == ViewSet.from_dict(OWN).to_dict()["cameras"]
    keys = []
    for camera in ({"elevation": 0, "azimuth": 0}, {"elevation": 0, "azimuth": 0, "distance": 2}, {"rotation": FRONT}):
        keys.append(json.dumps(ViewSet.from_dict({"name": "x", "cameras": [camera]}).key))
    assert len(set(keys)) == 3


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "is no object: expected one with name, cameras"),
        ({"name": "x"}, "lacks 'cameras'"),
        ({"name": "x", "cameras": [], "note": ""}, "has the unknown key 'note'"),
        ({"name": "", "cameras": [{}]}, 'as "name": expected a short text'),
        ({"name": 3, "cameras": [{}]}, 'has 3 as "name"'),
        ({"name": "x", "cameras": []}, "a list of 1 to 360 cameras"),
        ({"name": "x", "cameras": [{}] * 361}, "a list of 1 to 360 cameras"),
        ({"name": "x", "cameras": [[0, 0]]}, "camera 1: is no object"),
        ({"name": "x", "cameras": [{"elevation": 0}]}, "camera 1: lacks 'azimuth'"),
        ({"name": "x", "cameras": [{"elevation": 0, "azimuth": 0, "roll": 1}]}, "unknown key 'roll'"),
        ({"name": "x", "cameras": [{"elevation": 0, "azimuth": "0"}]}, "has '0' as \"azimuth\": expected a number"),
        ({"name": "x", "cameras": [{"elevation": True, "azimuth": 0}]}, 'has True as "elevation"'),
        ({"name": "x", "cameras": [{"elevation": float("nan"), "azimuth": 0}]}, "expected a number"),
        ({"name": "x", "cameras": [{"elevation": 0, "azimuth": 361}]}, "expected -360 to 360 degrees"),
        ({"name": "x", "cameras": [{"elevation": 0, "azimuth": 0, "distance": 0}]}, "expected above 0"),
        ({"name": "x", "cameras": [{"elevation": 0, "azimuth": 0, "distance": 101}]}, "at most 100"),
        ({"name": "x", "cameras": [{"rotation": FRONT, "azimuth": 0}]}, "unknown key 'azimuth'"),
        ({"name": "x", "cameras": [{"rotation": FRONT[:2]}]}, "three rows of three numbers"),
        ({"name": "x", "cameras": [{"rotation": np.eye(3).tolist()[::-1]}]}, "are no rotation"),
        ({"name": "x", "cameras": [{"rotation": (np.eye(3) * 2).tolist()}]}, "are no rotation"),
    ],
)
def test_what_is_no_set_is_told(values, message):
    with pytest.raises(OptionError, match=message) as raised:
        ViewSet.from_dict(values, "my.json")
    assert str(raised.value).startswith("my.json")
