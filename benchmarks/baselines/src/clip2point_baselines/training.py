"""Training of point networks from scratch, on the very points that everything else is given."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.optim import SGD, AdamW, Optimizer

from clip2point.core.errors import DataError, OptionError
from clip2point.core.progress import Progress
from clip2point.data import SampledDataset
from clip2point.shapes import place_points
from clip2point_baselines.dgcnn import DGCNN
from clip2point_baselines.layers import PointNetwork
from clip2point_baselines.pointnet import PointNet

Float32 = NDArray[np.float32]

_MOMENTUM = 0.9
_LEAST_LR = 0.01  # at the end, as a fraction of the highest
_CHUNK = 16  # shapes that are classified at once


@dataclass(frozen=True)
class PointTrainingSettings:
    """Settings of the training of a point network; those of each network are in ``POINT_TRAINING``.

    Attributes:
        epochs: Epochs.
        batch_size: Largest number of shapes in a step.
        optimizer: "sgd", with momentum 0.9, or "adamw".
        lr: Learning rate at the start; it falls along a cosine to a hundredth.
        weight_decay: Weight decay of the optimiser.
        points: Points of a shape that a network sees; all of them if there are fewer.
        k: Neighbours in DGCNN's graphs.
        label_smoothing: Fraction of the target that is spread over all classes.
        stretch: Largest factor along each axis, and its inverse the least.
        shift: Largest shift along each axis, in radii of the unit sphere.
        drop: Largest fraction of the points that is left out and replaced by others of the shape.
    """

    epochs: int = 20
    batch_size: int = 32
    optimizer: Literal["sgd", "adamw"] = "adamw"
    lr: float = 1e-3
    weight_decay: float = 1e-4
    points: int = 1024
    k: int = 20
    label_smoothing: float = 0.2
    stretch: float = 1.5
    shift: float = 0.2
    drop: float = 0.0

    def __post_init__(self) -> None:
        if self.optimizer not in ("sgd", "adamw"):
            raise OptionError(f"optimizer is {self.optimizer!r}: expected 'sgd' or 'adamw'")
        for name, low, high in (
            ("epochs", 1, 100_000),
            ("batch_size", 2, 100_000),
            ("lr", 1e-8, 10),
            ("weight_decay", 0, 1),
            ("points", 1, 1_000_000),
            ("k", 1, 1000),
            ("label_smoothing", 0, 0.99),
            ("stretch", 1, 4),
            ("shift", 0, 10),
            ("drop", 0, 0.99),
        ):
            if not low <= getattr(self, name) <= high:
                raise OptionError(f"{name} is {getattr(self, name)}: expected {low} to {high}")


#: Settings by network. The papers train for 200 epochs and more; these trainings are short, so that a processor without
#: a GPU gets through them, and what they reach is a lower bound. Apart from that DGCNN's are its authors'. PointNet has
#: a cosine instead of steps, sees shapes stretched and shifted like DGCNN instead of turned about the vertical axis
#: (all shapes here are aligned), and loses points as in the training of its successor PointNet++.
POINT_TRAINING: Mapping[str, PointTrainingSettings] = MappingProxyType(
    {
        "pointnet": PointTrainingSettings(epochs=15, label_smoothing=0.0, drop=0.875),
        "dgcnn": PointTrainingSettings(epochs=20, optimizer="sgd", lr=0.1),
    }
)


@dataclass(frozen=True, eq=False)
class TrainedPointNetwork:
    """A point network after its training.

    Attributes:
        name: Name of the network.
        classes: Names of the C classes.
        settings: Settings of the training.
        network: Network in evaluation mode.
        history: Record of each completed epoch: "epoch" (from 1), "lr" (of its last step), "loss" and "accuracy" on
            augmented shapes, and, if there are shapes for it, "validation_accuracy" and "validation_cross_entropy".
        epoch: Epoch whose weights the network has: the best on validation, else the last; 0 if none was completed.
        finished: Flag of a training that came to its end.
        seconds: Duration of the training.
    """

    name: str
    classes: tuple[str, ...]
    settings: PointTrainingSettings
    network: PointNetwork = field(repr=False)
    history: tuple[dict[str, float], ...] = field(repr=False)
    epoch: int
    finished: bool
    seconds: float

    def probabilities(self, points: Float32, up: str) -> NDArray[np.float64]:
        """Return the confidence in each class.

        Args:
            points: Points [N, P, 3] in the frame and unit of the files.
            up: Axis that points up in them.

        Returns:
            [N, C] probabilities.

        Raises:
            ShapeError: The points are no clouds, or the points of one are all equal or not finite.
            OptionError: ``up`` is not an axis.
        """
        return _probabilities(self.network, points, up, self.settings)


def train_point_network(
    name: str,
    train: SampledDataset,
    validation: SampledDataset | None = None,
    settings: PointTrainingSettings | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> TrainedPointNetwork:
    """Train a point network from scratch.

    Args:
        name: Name in ``POINT_TRAINING``.
        train: Shapes with a declared up-axis.
        validation: Shapes of the same classes, by which the best epoch is chosen: the most accurate, then the one of
            the lowest cross-entropy. Without them the last epoch is taken.
        settings: Settings of the training; those of the network if not given.
        seed: Seed of every draw: the same seed gives the same network on the same machine and number of threads.
        progress: Wrapper of the iterable of all steps, given their number. If it ends before them, so does the
            training, between two steps, and the network is returned as it is then.

    Raises:
        OptionError: There is no such network, a data set does not say which way is up, or the loss is not finite.
        DataError: There are fewer than two shapes, or the classes of the data sets differ.
        ShapeError: The points of a shape are all equal or not finite.
    """
    if name not in POINT_TRAINING:
        raise OptionError(f"unknown point network {name!r}: expected one of {', '.join(POINT_TRAINING)}")
    settings = settings or POINT_TRAINING[name]
    _check(train, validation)
    began = time.monotonic()
    # Weights and dropout draw from the global generator, which is left as it was.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        training = _Training(make_network(name, len(train.classes), settings.k), train, validation, settings, seed)
        steps: Iterable[int] = range(training.total)
        for _ in steps if progress is None else progress(steps, training.total):
            training.advance()
    return TrainedPointNetwork(
        name=name,
        classes=train.classes,
        settings=settings,
        network=training.choose(),
        history=tuple(training.history),
        epoch=training.epoch,
        finished=training.step == training.total,
        seconds=time.monotonic() - began,
    )


def make_network(name: str, classes: int, k: int) -> PointNetwork:
    """Make a point network with random weights from the global generator; ``k`` is for DGCNN alone."""
    return DGCNN(classes, k) if name == "dgcnn" else PointNet(classes)


class _Training:
    """A training between two steps."""

    def __init__(
        self,
        network: PointNetwork,
        train: SampledDataset,
        validation: SampledDataset | None,
        settings: PointTrainingSettings,
        seed: int,
    ) -> None:
        self._network, self._train, self._validation = network.train(), train, validation
        self._settings, self._seed = settings, seed
        self._optimizer = _optimizer(network, settings)
        # Batch norm needs two shapes at least.
        self._steps_per_epoch = min(math.ceil(len(train) / settings.batch_size), len(train) // 2)
        self.total, self.step, self.epoch = settings.epochs * self._steps_per_epoch, 0, 0
        self.history: list[dict[str, float]] = []
        self._best: tuple[float, float] | None = None
        self._kept: dict[str, Tensor] | None = None
        self._start_epoch()

    def advance(self) -> None:
        """One step of the optimiser; after the last of an epoch, its entry in the history."""
        settings, rows = self._settings, self._batches[self.step % self._steps_per_epoch]
        lr = decay_cosine(self.step, settings.lr, _LEAST_LR * settings.lr, self.total)
        for group in self._optimizer.param_groups:
            group["lr"] = lr
        clouds = augment_clouds(_clouds(self._train.points[rows], self._train.up), settings, self._rng)
        labels = torch.from_numpy(self._train.labels[rows])
        scores, penalty = self._network.score_with_penalty(torch.from_numpy(clouds))
        loss = cross_entropy(scores, labels, label_smoothing=settings.label_smoothing) + penalty
        if not math.isfinite(loss.item()):
            raise OptionError(f"step {self.step + 1}: the loss is not finite; lower lr ({settings.lr:g})")
        self._optimizer.zero_grad()
        loss.backward()
        self._optimizer.step()
        self.step += 1
        self._loss += loss.item() * len(rows)
        self._right += int((scores.argmax(1) == labels).sum())
        if self.step % self._steps_per_epoch == 0:
            self._end_epoch(lr)

    def choose(self) -> PointNetwork:
        """Return the network with the weights of the best epoch."""
        if self._kept is not None:
            self._network.load_state_dict(self._kept)
        return self._network.eval()

    def _start_epoch(self) -> None:
        self._rng = np.random.default_rng((self._seed, len(self.history)))
        order = self._rng.permutation(len(self._train))
        # In the order of the rows: a memory-mapped file is read faster so.
        self._batches = [np.sort(rows) for rows in np.array_split(order, self._steps_per_epoch)]
        self._loss, self._right = 0.0, 0

    def _end_epoch(self, lr: float) -> None:
        count, number = len(self._train), len(self.history) + 1
        entry = {"epoch": number, "lr": lr, "loss": self._loss / count, "accuracy": self._right / count}
        self.history.append(entry)
        if self._validation is None:
            self.epoch = number
        else:
            accuracy, entropy = self._validate(self._validation)
            entry.update(validation_accuracy=accuracy, validation_cross_entropy=entropy)
            if self._best is None or (accuracy, -entropy) > self._best:
                self._best, self.epoch = (accuracy, -entropy), number
                self._kept = copy.deepcopy(self._network.state_dict())
        self._start_epoch()

    def _validate(self, shapes: SampledDataset) -> tuple[float, float]:
        """Return accuracy and cross-entropy."""
        found = _probabilities(self._network, shapes.points, shapes.up, self._settings)
        self._network.train()
        of_truth = found[np.arange(len(shapes)), shapes.labels]
        return float((found.argmax(1) == shapes.labels).mean()), float(-np.log(of_truth.clip(1e-12)).mean())


def decay_cosine(step: int, lr: float, least: float, total: int) -> float:
    """Return a rate that falls from ``lr`` to ``least`` at step ``total`` along half a cosine."""
    return least + (lr - least) * (1 + math.cos(math.pi * step / total)) / 2


def augment_clouds(clouds: Float32, settings: PointTrainingSettings, rng: np.random.Generator) -> Float32:
    """Draw points of clouds, leave some out, stretch and shift the rest.

    Args:
        clouds: Clouds [B, P, 3] in the unit sphere.
        settings: Settings of the training, the limits of the changes among them.
        rng: Source of every draw.

    Returns:
        [B, min(P, ``settings.points``), 3] float32; points that are left out are replaced by others of their cloud.
    """
    shapes, points = clouds.shape[:2]
    count = min(points, settings.points)
    order = rng.permuted(np.tile(np.arange(points), (shapes, 1)), axis=1)
    kept = np.ceil(count * (1 - rng.uniform(0, settings.drop, (shapes, 1)))).astype(np.int64)
    chosen = np.take_along_axis(order, np.arange(count) % kept, axis=1)
    drawn = np.take_along_axis(clouds, chosen[:, :, None], axis=1)
    factors = rng.uniform(1 / settings.stretch, settings.stretch, (shapes, 1, 3))
    moves = rng.uniform(-settings.shift, settings.shift, (shapes, 1, 3))
    return drawn * factors.astype(np.float32) + moves.astype(np.float32)


def _check(train: SampledDataset, validation: SampledDataset | None) -> None:
    """Make sure that a network can be trained on these."""
    if len(train) < 2:
        raise DataError(f"{train.name}: has {len(train)} shape in {train.split}: expected at least 2 to train on")
    if validation is not None and validation.classes != train.classes:
        raise DataError(f"{validation.name}: its classes are not those of {train.name}: expected the same, in order")
    for shapes in (train, validation):
        if shapes is not None and shapes.up == "auto":
            raise OptionError(f"{shapes.name}: does not say which axis points up; give --up y or --up z")


def _optimizer(network: PointNetwork, settings: PointTrainingSettings) -> Optimizer:
    decay = settings.weight_decay
    if settings.optimizer == "sgd":
        return SGD(network.parameters(), lr=settings.lr, momentum=_MOMENTUM, weight_decay=decay, fused=True)
    return AdamW(network.parameters(), lr=settings.lr, weight_decay=decay, fused=True)


def _clouds(points: Float32, up: str) -> Float32:
    """Return clouds [B, P, 3] in the unit sphere, y up."""
    return place_points(np.asarray(points, dtype=np.float32), up)


def _probabilities(
    network: PointNetwork, points: Float32, up: str, settings: PointTrainingSettings
) -> NDArray[np.float64]:
    """Return the confidence [N, C] in each class; the network is left in evaluation mode."""
    network.eval()
    blocks = [np.empty((0, network.classes))]
    with torch.inference_mode():
        for start in range(0, len(points), _CHUNK):
            clouds = _clouds(points[start : start + _CHUNK], up)
            if clouds.shape[1] > settings.points:
                # The same for every shape and call; the first points of a cloud may be all on one side.
                drawn = np.random.default_rng(0).choice(clouds.shape[1], settings.points, replace=False)
                clouds = clouds[:, drawn]
            blocks.append(network(torch.from_numpy(np.ascontiguousarray(clouds))).double().softmax(-1).numpy())
    return np.concatenate(blocks)
