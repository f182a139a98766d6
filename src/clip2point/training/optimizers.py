"""Optimisers, and learning rates as plain functions of the step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from clip2point.core.errors import OptionError
from clip2point.training.training_settings import OptimizerSettings, ScheduleSettings


class Lamb(Optimizer):
    """LAMB (You et al., "Large Batch Optimization for Deep Learning", 2020), Algorithm 2.

    The step of Adam, with bias correction and decoupled weight decay, is scaled for each tensor by the norm of the
    tensor over the norm of the step, so that no layer moves much further than another in proportion to its size. The
    ratio is 1 where either norm is 0. No tensor is left out.

    Args:
        params: Parameters or groups of them, as for any optimiser of torch.
        lr: Learning rate.
        betas: Decay rates of the running means of gradients and of their squares.
        eps: Constant that keeps the denominator of the step above 0.
        weight_decay: Decoupled weight decay: fraction of the weights that is added to the step before it is scaled.

    Examples:
        >>> weight = torch.tensor([3.0, 4.0], requires_grad=True)
        >>> optimizer = Lamb([weight], lr=0.1)
        >>> (2 * weight.sum()).backward()
        >>> optimizer.step()
        >>> weight.detach()  # the first step has the norm lr * |weight|
        tensor([2.6464, 3.6464])
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-6,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Take one step along the gradients; tensors without one stay as they are."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            if weights:
                self._step(group, weights)
        return loss

    def _step(self, group: dict[str, Any], weights: list[Tensor]) -> None:
        # The foreach functions go through all tensors in a few calls; on a GPU that is most of the time of a step.
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        means, squares = self._moments(weights)
        beta1, beta2 = group["betas"]
        group["step"] = group.get("step", 0) + 1
        torch._foreach_lerp_(means, gradients, 1 - beta1)
        torch._foreach_mul_(squares, beta2)
        torch._foreach_addcmul_(squares, gradients, gradients, 1 - beta2)
        roots = torch._foreach_sqrt(squares)
        torch._foreach_div_(roots, math.sqrt(1 - beta2 ** group["step"]))
        torch._foreach_add_(roots, group["eps"])
        updates = torch._foreach_div(means, roots)
        torch._foreach_div_(updates, 1 - beta1 ** group["step"])
        if group["weight_decay"]:
            torch._foreach_add_(updates, weights, alpha=group["weight_decay"])
        torch._foreach_mul_(updates, trust_ratios(weights, updates))
        torch._foreach_add_(weights, updates, alpha=-group["lr"])

    def _moments(self, weights: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Return the running means of the gradients and of their squares."""
        for weight in weights:
            if not self.state[weight]:
                self.state[weight] = {"mean": torch.zeros_like(weight), "square": torch.zeros_like(weight)}
        return [self.state[weight]["mean"] for weight in weights], [self.state[weight]["square"] for weight in weights]


def trust_ratios(weights: list[Tensor], updates: tuple[Tensor, ...] | list[Tensor]) -> list[Tensor]:
    """Return the norm of each tensor over that of its update; 1 where one of them is 0.

    Examples:
        >>> trust_ratios([torch.tensor([3.0, 4.0]), torch.zeros(2)], [torch.ones(1), torch.ones(1)])
        [tensor(5.), tensor(1.)]
    """
    norms = zip(torch._foreach_norm(weights), torch._foreach_norm(updates), strict=True)
    one = torch.ones((), device=weights[0].device, dtype=weights[0].dtype)
    return [torch.where((weight > 0) & (update > 0), weight / update, one) for weight, update in norms]


def make_optimizer(model: nn.Module, settings: OptimizerSettings) -> Optimizer:
    """Return the optimiser of a recipe for the parameters of a model that require gradients.

    Examples:
        >>> make_optimizer(nn.Linear(2, 3), OptimizerSettings(name="lamb", lr=0.01)).defaults["lr"]
        0.01
    """
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    groups: list[dict[str, Any]] = [{"params": trained}]
    if not settings.decay_vectors:
        groups = [
            {"params": [weight for weight in trained if weight.ndim > 1]},
            {"params": [weight for weight in trained if weight.ndim <= 1], "weight_decay": 0.0},
        ]
    groups = [group for group in groups if group["params"]]
    kind = {"lamb": Lamb, "adamw": AdamW}[settings.name]
    return kind(groups, lr=settings.lr, betas=settings.betas, eps=settings.eps, weight_decay=settings.weight_decay)


def set_lr(optimizer: Optimizer, lr: float) -> None:
    """Set the learning rate of all groups of parameters.

    Examples:
        >>> optimizer = AdamW(nn.Linear(2, 2).parameters(), lr=0.1)
        >>> set_lr(optimizer, 0.05)
        >>> optimizer.param_groups[0]["lr"]
        0.05
    """
    for group in optimizer.param_groups:
        group["lr"] = lr


def learning_rate(
    schedule: ScheduleSettings, lr: float, *, steps_per_epoch: int, epochs: float
) -> Callable[[int], float]:
    """Return the learning rate of a recipe as a function of the step, which counts from 0.

    Args:
        schedule: Schedule of the recipe.
        lr: Highest rate.
        steps_per_epoch: Steps of the optimiser in an epoch.
        epochs: Epochs of the whole training.

    Raises:
        OptionError: If the lowest rate is above the highest.

    Examples:
        >>> rate = learning_rate(ScheduleSettings(warmup_epochs=1, min_lr=0), 0.1, steps_per_epoch=4, epochs=2)
        >>> [round(rate(step), 4) for step in range(9)]
        [0.025, 0.05, 0.075, 0.1, 0.1, 0.0854, 0.05, 0.0146, 0.0]
    """
    if schedule.min_lr > lr:
        raise OptionError(f"schedule.min_lr {schedule.min_lr:g} is above optimizer.lr {lr:g}: expected at most that")
    if schedule.name == "cosine-restarts":
        period = max(1, round(schedule.restart_epochs * steps_per_epoch))
        return lambda step: cosine_restarts(step, lr, schedule.min_lr, period)
    total = max(1, round(epochs * steps_per_epoch))
    warmup = round(schedule.warmup_epochs * steps_per_epoch)
    return lambda step: warmup_cosine(step, lr, schedule.min_lr, warmup, total)


def cosine_restarts(step: int, lr: float, min_lr: float, period: int) -> float:
    """Return a rate that falls from ``lr`` towards ``min_lr`` along half a cosine in each period of steps.

    Examples:
        >>> [round(cosine_restarts(step, 1.0, 0.0, period=4), 4) for step in range(6)]
        [1.0, 0.8536, 0.5, 0.1464, 1.0, 0.8536]
    """
    return min_lr + (lr - min_lr) * (1 + math.cos(math.pi * (step % period) / period)) / 2


def warmup_cosine(step: int, lr: float, min_lr: float, warmup: int, total: int) -> float:
    """Return a rate that rises linearly to ``lr`` in ``warmup`` steps and falls to ``min_lr`` at step ``total``.

    It falls along half a cosine.

    Examples:
        >>> [round(warmup_cosine(step, 1.0, 0.0, warmup=2, total=6), 4) for step in range(7)]
        [0.5, 1.0, 1.0, 0.8536, 0.5, 0.1464, 0.0]
    """
    if step < warmup:
        return lr * (step + 1) / warmup
    progress = min(1.0, (step - warmup) / max(1, total - warmup))
    return min_lr + (lr - min_lr) * (1 + math.cos(math.pi * progress)) / 2


def update_average(average: nn.Module, model: nn.Module, decay: float, step: int) -> None:
    """Move an exponential moving average of a model's weights, and of its running statistics, towards the model.

    Args:
        average: Copy of the model, changed in place.
        model: Model after a step.
        decay: Fraction of the average that stays (< 1); less in the first steps, (step + 1) / (step + 10), so that the
            weights at the start are soon forgotten.
        step: Number of the steps before this one.

    Examples:
        >>> average, model = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
        >>> _, _ = average.weight.data.fill_(0.0), model.weight.data.fill_(1.0)
        >>> update_average(average, model, decay=0.99, step=0)
        >>> round(average.weight.item(), 4)  # a tenth stays
        0.9
    """
    weight = 1 - min(decay, (step + 1) / (step + 10))
    with torch.no_grad():
        old, new = ([*_tensors(module)] for module in (average, model))
        floating = [index for index, tensor in enumerate(old) if tensor.is_floating_point()]
        torch._foreach_lerp_([old[index] for index in floating], [new[index] for index in floating], weight)
        for index in set(range(len(old))) - set(floating):
            old[index].copy_(new[index])


def _tensors(module: nn.Module) -> Iterable[Tensor]:
    yield from module.parameters()
    yield from module.buffers()
