import copy

import numpy as np
import pytest
import torch

from clip2point.core.errors import OptionError
from clip2point.training import optimizers
from clip2point.training.optimizers import (
    Lamb,
    cosine_restarts,
    learning_rate,
    make_optimizer,
    update_average,
    warmup_cosine,
)
from clip2point.training.training_settings import OptimizerSettings, ScheduleSettings

SHAPES = [(4, 3), (3,), (2, 3, 2, 2), ()]


def weights_and_gradients(steps, seed=0):
    rng = np.random.default_rng(seed)
    weights = [np.asarray(rng.standard_normal(shape)) for shape in SHAPES]
    return weights, [[np.asarray(rng.standard_normal(shape)) for shape in SHAPES] for _ in range(steps)]


def plain_lamb(weights, gradients, lr, betas, eps, decay):
    """Algorithm 2 of the paper, one tensor at a time."""
    weights = [weight.copy() for weight in weights]
    means, squares = [np.zeros_like(w) for w in weights], [np.zeros_like(w) for w in weights]
    for step, of_step in enumerate(gradients, 1):
        for i, g in enumerate(of_step):
            means[i] = betas[0] * means[i] + (1 - betas[0]) * g
            squares[i] = betas[1] * squares[i] + (1 - betas[1]) * g**2
            r = (means[i] / (1 - betas[0] ** step)) / (np.sqrt(squares[i] / (1 - betas[1] ** step)) + eps)
            update = r + decay * weights[i]
            ratio = np.linalg.norm(weights[i]) / np.linalg.norm(update)
            weights[i] = weights[i] - lr * ratio * update
    return weights


def take_steps(optimizer, parameters, gradients):
    for of_step in gradients:
        for parameter, gradient in zip(parameters, of_step, strict=True):
            parameter.grad = torch.from_numpy(gradient).clone()
        optimizer.step()
    return parameters


def test_lamb_follows_the_paper():
    weights, gradients = weights_and_gradients(6)
    parameters = [torch.nn.Parameter(torch.from_numpy(weight).clone()) for weight in weights]
    settings = {"lr": 0.02, "betas": (0.8, 0.95), "eps": 1e-6, "weight_decay": 0.1}
    found = take_steps(Lamb(parameters, **settings), parameters, gradients)
    expected = plain_lamb(weights, gradients, 0.02, (0.8, 0.95), 1e-6, 0.1)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours.detach().numpy(), theirs, rtol=1e-10)


def test_lamb_decays_nothing_by_default():
    weights, gradients = weights_and_gradients(3)
    parameters = [torch.nn.Parameter(torch.from_numpy(weight).clone()) for weight in weights]
    found = take_steps(Lamb(parameters), parameters, gradients)
    expected = plain_lamb(weights, gradients, 1e-3, (0.9, 0.999), 1e-6, 0.0)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours.detach().numpy(), theirs, rtol=1e-10)


def test_lamb_with_ratios_of_one_is_adamw(monkeypatch):
    monkeypatch.setattr(optimizers, "trust_ratios", lambda weights, updates: [torch.ones(()).double()] * len(weights))
    weights, gradients = weights_and_gradients(5)
    settings = {"lr": 0.01, "betas": (0.9, 0.99), "eps": 1e-6, "weight_decay": 0.05}
    ours, theirs = (
        take_steps(kind(parameters, **settings), parameters, gradients)
        for kind, parameters in (
            (kind, [torch.nn.Parameter(torch.from_numpy(weight).clone()) for weight in weights])
            for kind in (Lamb, torch.optim.AdamW)
        )
    )
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)


def test_lamb_moves_a_tensor_of_zeros():
    weight = torch.nn.Parameter(torch.zeros(3))
    weight.grad = torch.ones(3)
    Lamb([weight], lr=0.1).step()
    torch.testing.assert_close(weight.detach(), torch.full((3,), -0.1), rtol=1e-4, atol=0)


def test_lamb_leaves_a_tensor_without_gradient_where_it_is():
    weight = torch.nn.Parameter(torch.ones(3))
    weight.grad = torch.zeros(3)
    Lamb([weight], lr=0.1).step()
    assert weight.tolist() == [1.0, 1.0, 1.0]


def test_lamb_continues_from_its_state():
    weights, gradients = weights_and_gradients(6)
    whole = [torch.nn.Parameter(torch.from_numpy(weight).clone()) for weight in weights]
    take_steps(Lamb(whole, lr=0.01), whole, gradients)
    parts = [torch.nn.Parameter(torch.from_numpy(weight).clone()) for weight in weights]
    first = Lamb(parts, lr=0.01)
    take_steps(first, parts, gradients[:3])
    second = Lamb(parts, lr=0.5)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    take_steps(second, parts, gradients[3:])
    assert all(torch.equal(a, b) for a, b in zip(whole, parts, strict=True))


def test_vectors_do_not_decay_unless_asked():
    model = torch.nn.Linear(3, 2)
    plain, whole = (make_optimizer(model, OptimizerSettings(decay_vectors=vectors)) for vectors in (False, True))
    assert [group["weight_decay"] for group in plain.param_groups] == [0.05, 0.0]
    assert [parameter.ndim for group in plain.param_groups for parameter in group["params"]] == [2, 1]
    assert [len(group["params"]) for group in whole.param_groups] == [2]
    model.weight.requires_grad_(False)
    assert [len(group["params"]) for group in make_optimizer(model, OptimizerSettings()).param_groups] == [1]


def test_restarts_equal_those_of_torch():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.006)
    reference = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=7, eta_min=1e-5)
    for step in range(30):
        assert cosine_restarts(step, 0.006, 1e-5, 7) == pytest.approx(reference.get_last_lr()[0], rel=1e-9)
        optimizer.step()
        reference.step()


def test_a_linear_warm_up_and_a_cosine_to_the_end():
    rates = [warmup_cosine(step, 1.0, 0.1, 4, 20) for step in range(21)]
    assert rates[:4] == [0.25, 0.5, 0.75, 1.0]
    assert rates[4] == 1.0
    assert rates[4:] == sorted(rates[4:], reverse=True)
    assert rates[-1] == warmup_cosine(30, 1.0, 0.1, 4, 20) == pytest.approx(0.1)
    assert rates[12] == pytest.approx(0.55)  # halfway down
    assert [warmup_cosine(step, 1.0, 0.1, 4, 4) for step in (3, 4, 5)] == pytest.approx([1.0, 1.0, 0.1])


def test_the_schedule_of_the_paper_restarts_every_two_epochs():
    schedule = ScheduleSettings(name="cosine-restarts", restart_epochs=2, min_lr=1e-5)
    rate = learning_rate(schedule, 0.006, steps_per_epoch=5, epochs=100)
    assert rate(0) == rate(10) == 0.006
    assert rate(9) < rate(8) < rate(1)


def test_epochs_of_a_schedule_are_counted_in_steps():
    rate = learning_rate(ScheduleSettings(warmup_epochs=1.5, min_lr=0.0), 0.1, steps_per_epoch=4, epochs=3)
    assert [rate(step) for step in range(13)] == [warmup_cosine(step, 0.1, 0.0, 6, 12) for step in range(13)]


def test_a_lowest_rate_above_the_highest_is_refused():
    with pytest.raises(OptionError, match=r"schedule.min_lr 0.1 is above optimizer.lr 0.01"):
        learning_rate(ScheduleSettings(min_lr=0.1), 0.01, steps_per_epoch=1, epochs=1)


def test_the_moving_average_follows_weights_and_statistics():
    model = torch.nn.BatchNorm1d(2)
    average = copy.deepcopy(model)
    with torch.no_grad():
        model.weight.fill_(3)
        model.running_mean.fill_(1)
        model.num_batches_tracked.fill_(5)
    update_average(average, model, 0.75, step=1000)
    assert average.weight.tolist() == [1.5, 1.5]
    assert average.running_mean.tolist() == [0.25, 0.25]
    assert average.num_batches_tracked == 5
    early = copy.deepcopy(model).requires_grad_(False)
    early.weight.zero_()
    update_average(early, model, 0.999, step=0)
    assert early.weight.tolist() == pytest.approx([2.7, 2.7])
