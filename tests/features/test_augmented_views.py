import numpy as np
import pytest

from clip2point.core.errors import OptionError
from clip2point.data.dataset import item_seed
from clip2point.features.augmented_views import AugmentedView, AugmentedViewSettings

NAMES = ("one", "two")


@pytest.fixture
def clouds():
    return np.random.default_rng(0).normal(size=(2, 200, 3)).astype(np.float32)


def view(number=1, seed=0, **settings):
    return AugmentedView(AugmentedViewSettings(4, **settings), number, seed)


def test_the_first_view_is_the_unchanged_shape(clouds):
    first = view(0)
    assert first.change_clouds(clouds, NAMES) is clouds
    assert first.draw_distances(NAMES, 3) is None
    assert first.key == {}


def test_others_drop_points_and_move_the_cameras(clouds):
    changed = view(part=0.5).change_clouds(clouds, NAMES)
    assert changed.shape == clouds.shape
    for cloud, original in zip(changed, clouds, strict=True):
        kept = {tuple(point) for point in cloud}
        assert kept <= {tuple(point) for point in original}
        assert 100 <= len(kept) < 200
    distances = view().draw_distances(NAMES, 5)
    assert distances.shape == (2, 5)
    assert distances.dtype == np.float32
    assert np.abs(distances - 1).max() <= 0.1 + 1e-6
    assert np.ptp(distances) > 0.02


def test_distances_are_one_plus_a_tenth_of_the_draw():
    draws = [np.random.default_rng((item_seed(5, name), 1, 1)).uniform(-1, 1, 3) for name in NAMES]
    np.testing.assert_allclose(view(seed=5).draw_distances(NAMES, 3), 1 + 0.1 * np.stack(draws), atol=1e-6)


def test_two_views_are_usual():
    assert AugmentedViewSettings().count == 2


def test_changes_depend_on_number_seed_and_name_alone(clouds):
    same = np.stack([clouds[0], clouds[0]])
    one, two = view().change_clouds(same, NAMES)
    assert not np.array_equal(one, two)
    np.testing.assert_array_equal(view().change_clouds(clouds[:1], NAMES[:1])[0], one)
    for other in (view(2), view(seed=1)):
        assert not np.array_equal(other.change_clouds(same, NAMES)[0], one)
        assert not np.array_equal(other.draw_distances(NAMES, 2), view().draw_distances(NAMES, 2))


def test_strengths_reach_the_points(clouds):
    flat = view(part=1.0)
    assert np.allclose(np.sort(flat.change_clouds(clouds, NAMES), axis=1), np.sort(clouds, axis=1))
    turned = view(part=1.0, yaw=90).change_clouds(clouds, NAMES)
    np.testing.assert_allclose(np.sort(turned[..., 1]), np.sort(clouds[..., 1]), atol=1e-5)
    assert not np.allclose(np.sort(turned[..., 0]), np.sort(clouds[..., 0]), atol=1e-2)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"count": 0}, "count is 0: expected 1 to 100"),
        ({"count": 101}, "count is 101"),
        ({"part": 0.0}, "part is 0.0: expected above 0"),
        ({"part": 1.1}, "part is 1.1"),
        ({"stretch": 0.5}, "stretch is 0.5"),
        ({"yaw": 181.0}, "yaw is 181.0"),
    ],
)
def test_settings_out_of_range(values, message):
    with pytest.raises(OptionError, match=message):
        AugmentedViewSettings(**values)


def test_a_number_stands_for_the_usual_settings():
    assert AugmentedViewSettings.of(3) == AugmentedViewSettings(count=3)
    own = AugmentedViewSettings(2, yaw=10)
    assert AugmentedViewSettings.of(own) is own
