import numpy as np
import pytest

from clip2point.core.errors import OptionError
from clip2point.shapes.augmentation import AugmentationSettings, augment, scan_one_side


def rng(seed=0):
    return np.random.default_rng(seed)


def test_without_augmentation_points_are_drawn_and_nothing_else(cloud):
    drawn = augment(cloud, AugmentationSettings(), 1024, rng())
    assert drawn.shape == (1024, 3)
    assert drawn.dtype == np.float32
    known = {point.tobytes() for point in cloud}
    assert len({point.tobytes() for point in drawn}) == 1024
    assert all(point.tobytes() in known for point in drawn)


def test_the_same_generator_gives_the_same_points(cloud):
    settings = AugmentationSettings(yaw=180, tilt=30, stretch=1.3, noise=0.02, scans=0.5)
    assert np.array_equal(augment(cloud, settings, 512, rng(3)), augment(cloud, settings, 512, rng(3)))
    assert not np.array_equal(augment(cloud, settings, 512, rng(3)), augment(cloud, settings, 512, rng(4)))


def test_yaw_keeps_heights_and_distances(cloud):
    plain = augment(cloud, AugmentationSettings(yaw=0, tilt=1e-9), 256, rng(1))
    turned = augment(cloud, AugmentationSettings(yaw=180), 8192, rng(1))
    assert np.abs(turned[:, 1]).max() <= np.abs(cloud[:, 1]).max() + 1e-6
    assert np.abs(turned[:, 0]).max() != pytest.approx(np.abs(cloud[:, 0]).max(), abs=1e-3)
    assert np.allclose(np.sort(np.linalg.norm(turned, axis=1)), np.sort(np.linalg.norm(cloud, axis=1)), atol=1e-5)
    assert len(plain) == 256


def test_tilt_stays_within_its_limit():
    upright = np.tile(np.array([[0, 1, 0]], np.float32), (10, 1))
    settings = AugmentationSettings(yaw=180, tilt=20)
    angles = [np.degrees(np.arccos(augment(upright, settings, 4, rng(seed))[0, 1].clip(-1, 1))) for seed in range(60)]
    assert max(angles) <= 20 + 1e-3
    assert max(angles) > 10


def test_stretching_and_scans_come_back_to_the_unit_sphere(cloud):
    for settings in (AugmentationSettings(stretch=1.5), AugmentationSettings(scans=1)):
        points = augment(cloud, settings, 1024, rng())
        assert np.linalg.norm(points, axis=1).max() == pytest.approx(1, abs=1e-5)
        assert np.abs(points.mean(0)).max() < 1e-5


def test_a_scan_sees_one_side_of_a_sphere_and_a_cloud_of_few_points_is_repeated():
    points = rng().normal(size=(8192, 3)).astype(np.float32)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    seen = scan_one_side(points, rng(5))
    assert 0.3 * len(points) < len(seen) < 0.7 * len(points)
    towards = seen.mean(0) / np.linalg.norm(seen.mean(0))
    # Cells are wide enough that hardly any is empty in front and shows what lies behind.
    assert np.quantile(seen @ towards, 0.02) > -0.35
    assert len(scan_one_side(points[:1], rng())) == 1
    assert augment(points[:5], AugmentationSettings(), 16, rng()).shape == (16, 3)


@pytest.mark.parametrize(
    ("name", "value"),
    [("yaw", 181), ("tilt", -1), ("stretch", 0.5), ("noise", 1), ("scans", 1.5), ("scans", float("nan"))],
)
def test_settings_out_of_range_are_refused(name, value):
    with pytest.raises(OptionError, match=f"{name} is .*: expected"):
        AugmentationSettings(**{name: value})
