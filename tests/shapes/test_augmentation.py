import numpy as np
import pytest

from clip2point.core.errors import OptionError
from clip2point.shapes.augmentation import AugmentationSettings, augment, augment_subset, scan_one_side


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
    rotated = augment(cloud, AugmentationSettings(yaw=180), 8192, rng(1))
    assert np.abs(rotated[:, 1]).max() <= np.abs(cloud[:, 1]).max() + 1e-6
    assert np.abs(rotated[:, 0]).max() != pytest.approx(np.abs(cloud[:, 0]).max(), abs=1e-3)
    assert np.allclose(np.sort(np.linalg.norm(rotated, axis=1)), np.sort(np.linalg.norm(cloud, axis=1)), atol=1e-5)
    assert len(plain) == 256


def find_rotation(settings, seed):
    """Recover the rotation of a draw from three points at different distances: rows are where x, y and z went."""
    points = np.diag([1, 0.5, 0.25]).astype(np.float32)
    rotated = augment(points, settings, 3, rng(seed))
    lengths = np.linalg.norm(rotated, axis=1, keepdims=True)
    return (rotated / lengths)[np.argsort(-lengths[:, 0])]


def test_yaw_and_tilt_are_rotations_and_no_mirror():
    for seed in range(20):
        matrix = find_rotation(AugmentationSettings(yaw=180, tilt=90), seed)
        np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-6)
        assert np.linalg.det(matrix) == pytest.approx(1, abs=1e-6)


def test_yaw_goes_both_ways_up_to_its_limit():
    matrices = [find_rotation(AugmentationSettings(yaw=40), seed) for seed in range(200)]
    angles = np.degrees([np.arctan2(matrix[0, 2], matrix[0, 0]) for matrix in matrices])
    np.testing.assert_allclose([matrix[1] for matrix in matrices], np.tile([0, 1, 0], (200, 1)), atol=1e-6)
    assert -40 <= angles.min() < -35
    assert 35 < angles.max() <= 40
    assert abs(angles.mean()) < 5


def test_tilt_goes_in_all_directions():
    tops = np.array([find_rotation(AugmentationSettings(tilt=30), seed)[1] for seed in range(200)])
    headings = np.degrees(np.arctan2(tops[:, 2], tops[:, 0])) % 360
    assert np.histogram(headings, bins=4, range=(0, 360))[0].min() > 30


def test_stretching_stays_within_its_limit_and_goes_both_ways():
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], dtype=np.float32) / 3**0.5
    ratios = []
    for seed in range(200):
        extents = np.ptp(augment(corners, AugmentationSettings(stretch=1.5), 8, rng(seed)), axis=0)
        ratios.append(extents[0] / extents[1])
    assert 1 / 1.5**2 <= min(ratios) < 0.55
    assert 1.8 < max(ratios) <= 1.5**2
    assert abs(np.mean(np.log(ratios))) < 0.1


def test_noise_has_the_standard_deviation_that_is_asked_for():
    still = np.zeros((20_000, 3), np.float32)
    noise = augment(still, AugmentationSettings(noise=0.02), 20_000, rng())
    assert noise.std() == pytest.approx(0.02, rel=0.02)


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


def test_a_scan_has_what_is_near_the_front_of_each_cell():
    points = rng().uniform(-0.57, 0.57, (400, 3)).astype(np.float32)
    draws = rng(5)
    azimuth, elevation = draws.uniform(0, 2 * np.pi), draws.uniform(0, np.pi / 3)
    towards = [np.cos(elevation) * np.sin(azimuth), np.sin(elevation), np.cos(elevation) * np.cos(azimuth)]
    aside = [np.cos(azimuth), 0, -np.sin(azimuth)]
    above = np.cross(towards, aside)
    seen = []
    for point in points:
        cell = np.floor((points @ np.transpose([aside, above]) + 1) * 16)
        own = np.floor((point @ np.transpose([aside, above]) + 1) * 16)
        nearest = (points @ towards)[(cell == own).all(axis=1)].max()
        seen.append(point @ towards >= nearest - 0.1)
    np.testing.assert_array_equal(scan_one_side(points, rng(5)), points[seen])


def test_a_subset_repeats_a_random_fraction_of_the_points(cloud):
    counts = []
    for seed in range(30):
        changed = augment_subset(cloud[:100], AugmentationSettings(), 0.6, rng(seed))
        assert changed.shape == (100, 3)
        counts.append(len(np.unique(changed, axis=0)))
        np.testing.assert_array_equal(changed[counts[-1] :], changed[: 100 - counts[-1]])
    assert 60 <= min(counts) < 65
    assert 95 < max(counts) <= 100
    assert len(augment_subset(cloud[:1], AugmentationSettings(), 0.1, rng())) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("yaw", 181),
        ("tilt", -1),
        ("stretch", 0.5),
        ("stretch", 4.5),
        ("noise", 1),
        ("scans", 1.5),
        ("scans", float("nan")),
    ],
)
def test_settings_out_of_range_are_refused(name, value):
    with pytest.raises(OptionError, match=f"{name} is .*: expected"):
        AugmentationSettings(**{name: value})


def test_a_small_stretch_changes_proportions(cloud):
    plain = augment(cloud, AugmentationSettings(), 4096, rng())
    stretched = augment(cloud, AugmentationSettings(stretch=1.5), 4096, rng())
    proportions = [np.ptp(points, axis=0) / np.ptp(points, axis=0).max() for points in (plain, stretched)]
    assert np.abs(proportions[0] - proportions[1]).max() > 0.02
