"""Fine-tuning: a depth tower learns the classes of labelled shapes, with the renderer in the loop.

The classifier over the tower compares the features of views with one row for each class. The rows begin as the features
of the class names and the scale as the backbone's, so that training begins at zero-shot recognition. Of what is learned
the tower alone is kept; adapters are then fitted on its features.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from clip2point.adaptation.shape_batches import ShapeBatch, ShapeBatches, ViewingSettings, draw_shapes
from clip2point.adaptation.unfreezing import BatchNormMode, LoraSettings, check_unfreeze, plain_state, unfreeze
from clip2point.core.errors import OptionError
from clip2point.core.progress import Progress
from clip2point.core.strict_config import to_plain
from clip2point.core.version import __version__
from clip2point.data import Dataset, sample_dataset
from clip2point.features.view_features import encode_views
from clip2point.heads.metrics import measure_predictions
from clip2point.model import Recogniser, view_cosines
from clip2point.model.saving import save_model
from clip2point.training.checkpoints import CheckpointFolder, check_folder
from clip2point.training.distributed import DeviceSettings, Process, make_fabric
from clip2point.training.loop import Callback, Training
from clip2point.training.metrics_log import MetricsLog
from clip2point.training.results import TrainingOutcome, Validate, ValidationResult
from clip2point.training.settings import OptimizerSettings, ScheduleSettings, SelectionSettings, TrainingSettings

if TYPE_CHECKING:
    from lightning_fabric import Fabric

MODEL = "model"

#: Begins the names of the tower's tensors in the state of a classifier.
_NETWORK = "network."


@dataclass(frozen=True)
class FineTuningSettings:
    """A fine-tuning, but for its data.

    Attributes:
        unfreeze: what is trained: "all", "last-N" or "lora"; see ``unfreeze``.
        lora: rank and scale for "lora".
        batch_norm: what trained batch norms go by.
        label_smoothing: share of each target that is spread over all classes.
        viewing: how shapes are looked at.
        optimizer: see there.
        schedule: of the learning rate.
        training: length and state; ``batch_size`` counts shapes.
        validation: by what the best weights are chosen, if there are validation shapes.
    """

    unfreeze: str = "last-4"
    lora: LoraSettings = field(default_factory=LoraSettings)
    batch_norm: BatchNormMode = "running"
    label_smoothing: float = 0.1
    viewing: ViewingSettings = field(default_factory=ViewingSettings)
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    schedule: ScheduleSettings = field(default_factory=lambda: ScheduleSettings(warmup_epochs=0.5))
    training: TrainingSettings = field(
        default_factory=lambda: TrainingSettings(epochs=8, batch_size=24, average_decay=0.99)
    )
    validation: SelectionSettings = field(default_factory=SelectionSettings)

    def __post_init__(self) -> None:
        check_unfreeze(self.unfreeze)
        if not 0 <= self.label_smoothing < 1:
            raise OptionError(f"label_smoothing is {self.label_smoothing}: expected from 0 to below 1")


@dataclass(frozen=True)
class FineTuningResult:
    """Result of a fine-tuning.

    Attributes:
        model: Model with the trained tower; None if the training was interrupted.
        outcome: End of the training.
    """

    model: Recogniser | None
    outcome: TrainingOutcome

    def require_model(self) -> Recogniser:
        """Return the model, where nothing can be done without it.

        Raises:
            InterruptedTrainingError: If the training was interrupted.
        """
        self.outcome.require_end()
        assert self.model is not None
        return self.model


class Looks(NamedTuple):
    """What the loss of a batch is computed from.

    Attributes:
        features: [N, D], mean unit features of each shape's views.
        labels: [N].
    """

    features: Tensor
    labels: Tensor


class ViewClassifier(nn.Module):
    """A depth tower and a row for each class: the logits are mean cosines of the views times a learned scale.

    Args:
        network: maps depth maps [N, 1, S, S] to features [N, D].
        rows: [C, D] features that the classes begin with.
        scale: that the cosines begin with.
    """

    def __init__(self, network: nn.Module, rows: Tensor, scale: float) -> None:
        super().__init__()
        self.network = network
        self.rows = nn.Parameter(rows.clone())
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))

    def forward(self, depth: Tensor) -> Tensor:
        """Mean unit features [N, D] of depth maps [N, V, S, S]."""
        features = self.network(depth.flatten(0, 1)[:, None]).float().unflatten(0, depth.shape[:2])
        return normalize(features, dim=-1).mean(1)

    def logits(self, features: Tensor) -> Tensor:
        """[N, C] of mean unit features."""
        return self.log_scale.exp() * features @ normalize(self.rows, dim=-1).T


class FineTuningModel(nn.Module):
    """What is trained; a ``TrainingModule``.

    Args:
        tower: with its classifier, both of which are averaged and validated.
        label_smoothing: of the loss.
    """

    def __init__(self, tower: ViewClassifier, label_smoothing: float) -> None:
        super().__init__()
        self.tower, self._smoothing = tower, label_smoothing

    def forward(self, batch: ShapeBatch) -> Looks:
        """Features of this process's part of a batch."""
        return Looks(self.tower(batch.depth), batch.labels)

    def losses(self, looks: Looks) -> dict[str, Tensor]:
        """The "total", and the share of the shapes that are named rightly."""
        logits = self.tower.logits(looks.features)
        right = (logits.argmax(-1) == looks.labels).float().mean()
        return {
            "train_accuracy": right,
            "total": cross_entropy(logits, looks.labels, label_smoothing=self._smoothing),
        }


def fine_tune(
    model: Recogniser,
    train: Dataset,
    validation: Dataset | None,
    settings: FineTuningSettings,
    out: Path | None,
    *,
    resume: bool = False,
    devices: DeviceSettings | None = None,
    callback: Callback | None = None,
    progress: Progress | None = None,
) -> FineTuningResult:
    """Train the depth tower of a model on labelled shapes.

    Args:
        model: whose depth tower is trained further, and under whose settings shapes are seen. Load it in fp32, because
            a tower should not begin with rounded weights. A head of the model plays no part.
        train: shapes with a declared up-axis.
        validation: likewise, with the same classes; the weights that do best on them are kept. None keeps the last.
        settings: all else that the result depends on.
        out: folder for checkpoints, metrics and at the end the model, which ``clip2point.load`` reads; several
            processes share it. None keeps nothing, and cannot go on when it was stopped.
        resume: whether to go on from the checkpoint there, as if the run had never stopped.
        devices: Devices of the training; the model's own by default.
        callback: hears of every step, on the process that writes the files.
        progress: wraps an iterable of a given length, to show how far the drawing of points is.

    Returns:
        The model with the trained tower and without a head, under the same settings and with the learned logit scale,
        on every process; no model if the process was asked to stop (Ctrl-C, SIGTERM), after a checkpoint.

    Raises:
        OptionError: if settings, data, devices or folder do not fit together, or the loss is no longer finite.
        DataError: if shapes are missing or broken.
        ModelError: if a checkpoint cannot be read.
    """
    _check_data(train, validation)
    devices = devices or DeviceSettings(str(model.backbone.device))
    if out is None and (resume or devices.several):
        raise OptionError("a fine-tuning that goes on, or has several processes, needs a folder: give out")
    if out is not None:
        check_folder(out, resume)
    fabric = make_fabric(devices, settings.training.precision)
    fabric.launch()
    job = _Job(model, train, validation, settings, fabric, progress if fabric.is_global_zero else None)
    if out is not None:
        return _run(job, out, resume, callback, keep=True)
    with TemporaryDirectory(prefix="clip2point-") as folder:
        return _run(job, Path(folder), resume, callback, keep=False)


def _check_data(train: Dataset, validation: Dataset | None) -> None:
    """Raise OptionError unless shapes can be seen upright, and classes are the same."""
    for dataset in (train, validation):
        if dataset is not None:
            dataset.require_up()
    if validation is not None and validation.classes != train.classes:
        raise OptionError(
            f"{validation.name}: has other classes than {train.name}; expected the same in the same order"
        )


def _run(job: _Job, out: Path, resume: bool, callback: Callback | None, *, keep: bool) -> FineTuningResult:
    """Train, and make a model of the best weights, or of the last ones without validation."""
    fabric, leads = job.fabric, job.fabric.is_global_zero
    checkpoints = CheckpointFolder(out, job.identity)
    training = Training(fabric, job.module, job.batches(), job.settings, checkpoints, job.measure, resume=resume)
    log = MetricsLog(out, training.step) if leads else None
    try:
        outcome = training.run(log, callback if leads else None)
    finally:
        if log is not None:
            log.close()
    if not keep:
        outcome = replace(outcome, checkpoint=None)
    if outcome.interrupted:
        return FineTuningResult(None, outcome)
    fabric.barrier()  # until the best weights are written
    best = checkpoints.load_best() if job.measure is not None else None
    tuned = job.tuned(best["tower"] if best else training.tower_state(), name=str(out / MODEL) if keep else None)
    if keep and leads:
        card: dict[str, Any] = {**job.card, "trained_steps": best["step"] if best else training.step}
        if best:
            card["validation"] = {name: best[name] for name in ("accuracy", "mean_class_accuracy", "cross_entropy")}
        save_model(out / MODEL, tuned.backbone, tuned.settings, card, half=job.settings.training.half)
    fabric.barrier()  # until the model is written
    return FineTuningResult(tuned, outcome)


class _Job:
    """The parts of a fine-tuning, made from its settings and data."""

    def __init__(
        self,
        model: Recogniser,
        train: Dataset,
        validation: Dataset | None,
        settings: FineTuningSettings,
        fabric: Fabric,
        progress: Progress | None,
    ) -> None:
        self.settings, self.fabric = settings, fabric
        self._model, self._train = model, train
        seed, points = settings.training.seed, model.settings.points
        with fabric.rank_zero_first():  # what it puts into the cache, the others find there
            self._drawings = draw_shapes(train, points, settings.viewing.drawings, seed, progress)
            self._shapes = None if validation is None else sample_dataset(validation, points, progress=progress)
        self._network = unfreeze(
            model.backbone.depth_tower(),
            settings.unfreeze,
            lora=settings.lora,
            batch_norm=settings.batch_norm,
            seed=seed,
        )
        rows = model.class_features(train.classes).float().cpu()
        self.module = FineTuningModel(
            ViewClassifier(self._network, rows, model.backbone.logit_scale), settings.label_smoothing
        )

    @property
    def identity(self) -> dict[str, Any]:
        """All that the weights depend on, by content."""
        return {
            **to_plain(self.settings),
            "model": {"tower": self._model.backbone.fingerprint(), **self._model.settings.to_dict()},
            "data": {
                "train": [drawing.fingerprint for drawing in self._drawings],
                "classes": list(self._train.classes),
                "validation": self._shapes and self._shapes.fingerprint,
            },
        }

    @property
    def card(self) -> dict[str, Any]:
        """What is to be known of the model."""
        trained = sum(weight.numel() for weight in self._network.parameters() if weight.requires_grad)
        return {
            "fine_tuning": to_plain(self.settings),
            "fine_tuned_from": self._model.name,
            "fine_tuned_on": {
                "dataset": self._train.name,
                "split": self._train.split,
                "shapes": len(self._drawings[0]),
                "fingerprint": self._train.fingerprint,
            },
            "trained_weights": trained,
            "trained_with": f"clip2point {__version__}",
        }

    def batches(self) -> ShapeBatches:
        """The batches of this process."""
        return ShapeBatches(
            self._drawings,
            self._model,
            self.settings.viewing,
            batch_size=self.settings.training.batch_size,
            seed=self.settings.training.seed,
            process=Process.of(self.fabric),
        )

    @property
    def measure(self) -> Validate | None:
        """What measures the state of the classifier on the way."""
        return None if self._shapes is None else self._validated

    def tuned(self, state: Mapping[str, Tensor], name: str | None = None) -> Recogniser:
        """The model with the tower of a classifier."""
        network = {key.removeprefix(_NETWORK): tensor for key, tensor in state.items() if key.startswith(_NETWORK)}
        tower = plain_state(self._network, network)
        if self.settings.training.half:  # seen as it will be loaded
            tower = {key: tensor.half().float() if tensor.ndim > 1 else tensor for key, tensor in tower.items()}
        base = self._model.backbone
        backbone = base.with_depth_tower(tower, image_size=base.image_size)
        backbone.logit_scale = state["log_scale"].exp().item()
        return Recogniser(backbone, self._model.settings, name or self._model.name)

    def _validated(self, state: Mapping[str, Tensor]) -> ValidationResult:
        """Measure a classifier, given by its state."""
        assert self._shapes is not None
        model = self.tuned(state)
        features = torch.from_numpy(encode_views(model, self._shapes))
        scale, labels = model.backbone.logit_scale, torch.from_numpy(self._shapes.labels)
        logits = scale * view_cosines(features, state["rows"]).mean(1).double()
        metrics = measure_predictions(logits.softmax(-1).numpy(), self._shapes.labels, self._shapes.classes)
        return ValidationResult(
            metrics.accuracy, metrics.mean_class_accuracy, cross_entropy(logits, labels).item(), scale
        )
