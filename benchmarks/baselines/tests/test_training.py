from dataclasses import replace

import numpy as np
import pytest
import torch

from clip2point.core.errors import DataError, OptionError, ShapeError
from clip2point.shapes import to_y_up
from clip2point_baselines.training import (
    POINT_TRAINING,
    PointTrainingSettings,
    augment_clouds,
    train_point_network,
)

pytestmark = pytest.mark.slow

QUICK = PointTrainingSettings(epochs=2, batch_size=6, points=32, k=5)


@pytest.mark.parametrize("name", sorted(POINT_TRAINING))
def test_a_network_learns_and_recognises_shapes_whatever_their_frame(name, sampled, clouds):
    # Enough steps for the running statistics of batch norm to forget where they began.
    settings = replace(QUICK, epochs=11, lr=3e-4, stretch=1.2)
    trained = train_point_network(name, sampled(24), None, settings)
    points, labels = clouds(30, seed=7)
    found = trained.probabilities(points, "z")
    assert found.shape == (30, 3)
    assert found.dtype == np.float64
    assert np.allclose(found.sum(1), 1)
    assert (found.argmax(1) == labels).mean() > 0.6
    turned = to_y_up(points, "z")
    assert np.allclose(trained.probabilities(turned * 4, "y"), found, atol=1e-3)
    assert trained.probabilities(points[:0], "z").shape == (0, 3)
    assert [entry["epoch"] for entry in trained.history] == [*range(1, 12)]
    assert trained.history[-1]["loss"] < trained.history[0]["loss"]
    assert trained.history[-1]["lr"] < 0.2 * 3e-4
    assert trained.finished
    assert trained.epoch == 11
    assert trained.classes == ("ball", "disc", "pole")


@pytest.mark.parametrize("name", sorted(POINT_TRAINING))
def test_the_same_seed_gives_the_same_network_and_leaves_the_generator_alone(name, sampled, clouds):
    quick = replace(QUICK, epochs=1)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, again, other = (train_point_network(name, sampled(), None, quick, seed) for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), before)
    assert first.history == again.history
    assert all(map(torch.equal, first.network.state_dict().values(), again.network.state_dict().values()))
    points, _ = clouds(6, seed=9)
    assert np.array_equal(first.probabilities(points, "z"), again.probabilities(points, "z"))
    assert first.history != other.history


def test_the_best_epoch_on_validation_is_kept(sampled):
    settings = replace(QUICK, epochs=4)
    validation = sampled(9, seed=2)
    trained = train_point_network("dgcnn", sampled(18), validation, settings)
    merits = [(entry["validation_accuracy"], -entry["validation_cross_entropy"]) for entry in trained.history]
    assert trained.epoch == 1 + merits.index(max(merits))
    found = trained.probabilities(validation.points, "z")
    assert (found.argmax(1) == validation.labels).mean() == max(merits)[0]
    entropy = -np.log(found[np.arange(9), validation.labels]).mean()
    assert entropy == pytest.approx(-max(merits)[1], rel=1e-4)
    plain = train_point_network("dgcnn", sampled(18), None, settings)
    assert [entry["loss"] for entry in plain.history] == [entry["loss"] for entry in trained.history]


def test_a_progress_that_ends_early_ends_the_training_between_two_steps(sampled, clouds):
    told = []

    def stop_after_three(steps, total):
        told.append(total)
        return (step for step in steps if step < 3)

    trained = train_point_network("dgcnn", sampled(), None, QUICK, progress=stop_after_three)
    assert told == [4]
    assert not trained.finished
    assert trained.epoch == len(trained.history) == 1
    assert not trained.network.training
    assert np.isfinite(trained.probabilities(*(clouds(3)[0], "z"))).all()


def test_batches_never_hold_one_shape_only(sampled):
    for count in (2, 3, 5, 7):
        trained = train_point_network("dgcnn", sampled(count), None, replace(QUICK, batch_size=2, epochs=1))
        assert trained.finished


def test_changes_keep_to_their_limits_and_repeat_what_is_left():
    points = np.random.default_rng(0).normal(size=(40, 50, 3)).astype(np.float32)
    plain = PointTrainingSettings(points=50, stretch=1, shift=0)
    rng = np.random.default_rng
    for cloud, drawn in zip(points, augment_clouds(points, plain, rng(0)), strict=True):
        assert {point.tobytes() for point in cloud} == {point.tobytes() for point in drawn}
    dropped = augment_clouds(points, replace(plain, points=32, drop=0.75), rng(0))
    assert dropped.shape == (40, 32, 3)
    kinds = [len({point.tobytes() for point in cloud}) for cloud in dropped]
    assert 8 <= min(kinds) < 14
    assert 26 < max(kinds) <= 32
    ones = np.ones((200, 4, 3), np.float32)
    stretched, moved = (
        augment_clouds(ones, replace(plain, **{key: value}), rng(1))
        for key, value in (("stretch", 1.5), ("shift", 0.2))
    )
    assert 2 / 3 <= stretched.min() < 0.7
    assert 1.45 < stretched.max() <= 1.5
    assert 0.8 <= moved.min() < 0.82
    assert (stretched == stretched[:, :1]).all()
    assert stretched.dtype == moved.dtype == np.float32
    assert augment_clouds(ones, replace(plain, points=900), rng(1)).shape == (200, 4, 3)


def test_what_cannot_be_trained_is_refused(sampled):
    with pytest.raises(OptionError, match="unknown point network 'mlp': expected one of pointnet, dgcnn"):
        train_point_network("mlp", sampled())
    with pytest.raises(OptionError, match="does not say which axis points up"):
        train_point_network("pointnet", sampled(up="auto"))
    with pytest.raises(DataError, match="has 1 shape in train: expected at least 2"):
        train_point_network("pointnet", sampled(1))
    with pytest.raises(DataError, match="its classes are not those of solids"):
        train_point_network("pointnet", sampled(), sampled(classes=("disc", "ball", "pole")))
    flat = sampled()
    flat.points[4] = 1
    with pytest.raises(ShapeError, match="all equal"):
        train_point_network("pointnet", flat, None, QUICK)


def test_a_loss_that_is_not_finite_stops_the_training(sampled):
    with pytest.raises(OptionError, match="the loss is not finite; lower lr"):
        train_point_network("pointnet", sampled(), None, replace(QUICK, optimizer="sgd", lr=10, epochs=100))


@pytest.mark.parametrize(
    "wrong",
    [{"epochs": 0}, {"batch_size": 1}, {"lr": 0}, {"drop": 1}, {"stretch": 0.5}, {"k": 0}, {"optimizer": "lamb"}],
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(OptionError, match=f"{next(iter(wrong))} is .*: expected"):
        PointTrainingSettings(**wrong)
