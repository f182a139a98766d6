"""Fine-tuning: a depth tower learns the classes of labelled shapes, with the renderer in the loop.

The classifier over the tower compares the features of views with one row of weights for each class. Rows and scale
begin as the features of the class names and the backbone's logit scale, so that training begins at zero-shot
recognition. Only the tower and the scale are kept; heads are then fitted on its features.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from clip2point.adaptation.fine_tuning_settings import FineTuningRun, FineTuningSettings
from clip2point.adaptation.shape_batches import ShapeBatches, draw_shapes
from clip2point.adaptation.unfreezing import merge_state, unfreeze
from clip2point.adaptation.view_classifier import FineTuningModule, ViewClassifier
from clip2point.core.errors import OptionError
from clip2point.core.strict_config import to_plain
from clip2point.core.version import __version__
from clip2point.data import Dataset, sample_dataset
from clip2point.features.view_features import encode_views
from clip2point.heads.metrics import measure_predictions
from clip2point.model import Recogniser, view_cosines
from clip2point.model.saving import save_model
from clip2point.training.checkpoints import CheckpointFolder, check_folder
from clip2point.training.distributed import DeviceSettings, Process, make_fabric
from clip2point.training.loop import Training
from clip2point.training.metrics_log import MetricsLog
from clip2point.training.training_results import TrainingOutcome, Validate, ValidationResult

if TYPE_CHECKING:
    from lightning_fabric import Fabric

#: Folder of the model in that of its training.
MODEL = "model"

#: Prefix of the tower's tensors in the state of a classifier.
_NETWORK = "network."


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


def fine_tune(
    model: Recogniser,
    train: Dataset,
    validation: Dataset | None,
    settings: FineTuningSettings,
    run: FineTuningRun | None = None,
) -> FineTuningResult:
    """Train the depth tower of a model on labelled shapes.

    Args:
        model: Model whose depth tower is trained, and under whose settings shapes are rendered. Load it in fp32: a
            training should not begin with rounded weights. A head of the model plays no part.
        train: Shapes to learn from, with a declared up-axis.
        validation: Shapes of the same classes by which the best weights are chosen; None keeps the last weights.
        settings: Everything else that the result depends on.
        run: Folder, devices and callbacks; by default nothing is kept.

    Returns:
        The model with the trained tower and without a head, under the same settings and with the learned logit scale,
        in every process; no model if the process was asked to stop (Ctrl-C, SIGTERM), after a checkpoint.

    Raises:
        OptionError: Settings, data, devices or folder do not fit together, or the loss is not finite.
        DataError: Shapes are missing or broken.
        ModelError: A checkpoint cannot be read.
    """
    run = run or FineTuningRun()
    _check_data(train, validation)
    devices = run.devices or DeviceSettings(str(model.backbone.device))
    if run.folder is None and (run.resume or devices.several):
        raise OptionError("a fine-tuning that is resumed, or has several processes, needs a folder: give one")
    if run.folder is not None:
        check_folder(run.folder, run.resume)
    fabric = make_fabric(devices, settings.training.precision)
    fabric.launch()
    job = _Job(model, train, validation, settings, run, fabric)
    if run.folder is not None:
        return _train(job, run.folder, keep=True)
    with TemporaryDirectory(prefix="clip2point-") as folder:
        return _train(job, Path(folder), keep=False)


def _check_data(train: Dataset, validation: Dataset | None) -> None:
    """Make sure that both data sets declare their up-axis and have the same classes."""
    for dataset in (train, validation):
        if dataset is not None:
            dataset.require_up()
    if validation is not None and validation.classes != train.classes:
        raise OptionError(
            f"{validation.name}: has other classes than {train.name}; expected the same in the same order"
        )


def _train(job: _Job, folder: Path, *, keep: bool) -> FineTuningResult:
    """Train, and build a model of the best weights, or of the last ones without validation."""
    fabric, leads = job.fabric, job.fabric.is_global_zero
    checkpoints = CheckpointFolder(folder, job.identity)
    training = Training(
        *(fabric, job.module, job.make_batches(), job.settings, checkpoints, job.validate), resume=job.run.resume
    )
    log = MetricsLog(folder, training.step) if leads else None
    watched = job.run.watch(folder) if job.run.watch is not None and leads else nullcontext()
    try:
        with watched as callback:
            outcome = training.run(log, callback)
    finally:
        if log is not None:
            log.close()
    if not keep:
        outcome = replace(outcome, checkpoint=None)
    if outcome.interrupted:
        return FineTuningResult(None, outcome)
    fabric.barrier()  # until the best weights are written
    best = checkpoints.load_best() if job.validate is not None else None
    tuned = job.build_model(
        best["tower"] if best else training.tower_state(), name=str(folder / MODEL) if keep else None
    )
    if keep and leads:
        card: dict[str, Any] = {**job.card, "trained_steps": best["step"] if best else training.step}
        if best:
            card["validation"] = {name: best[name] for name in ("accuracy", "mean_class_accuracy", "cross_entropy")}
        save_model(folder / MODEL, tuned.backbone, tuned.settings, card, half=job.settings.training.half)
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
        run: FineTuningRun,
        fabric: Fabric,
    ) -> None:
        self.settings, self.run, self.fabric = settings, run, fabric
        self._model, self._train = model, train
        seed, points = settings.training.seed, model.settings.points
        progress = run.progress if fabric.is_global_zero else None
        with fabric.rank_zero_first():  # the others find its points in the cache
            self._drawings = draw_shapes(train, points, settings.viewing.drawings, seed, progress)
            self._shapes = None if validation is None else sample_dataset(validation, points, progress=progress)
        self._network = unfreeze(
            model.backbone.depth_tower(),
            settings.unfreeze,
            lora=settings.lora,
            batch_norm=settings.batch_norm,
            seed=seed,
        )
        rows = torch.as_tensor(model.class_features(train.classes))
        classifier = ViewClassifier(self._network, rows, model.backbone.logit_scale)
        self.module = FineTuningModule(classifier, settings.label_smoothing)

    @property
    def identity(self) -> dict[str, Any]:
        """Everything that the weights depend on, by content."""
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
        """Origin of the model, for its folder."""
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

    def make_batches(self) -> ShapeBatches:
        """Make the batches of this process."""
        return ShapeBatches(
            self._drawings,
            self._model,
            self.settings.viewing,
            batch_size=self.settings.training.batch_size,
            seed=self.settings.training.seed,
            process=Process.of(self.fabric),
        )

    @property
    def validate(self) -> Validate | None:
        """Function that measures the state of the classifier; None without validation shapes."""
        return None if self._shapes is None else self._measure

    def build_model(self, state: Mapping[str, Tensor], name: str | None = None) -> Recogniser:
        """Build the model with the tower of a classifier, given by its state."""
        network = {key.removeprefix(_NETWORK): tensor for key, tensor in state.items() if key.startswith(_NETWORK)}
        tower = merge_state(self._network, network)
        if self.settings.training.half:  # rounded as it will be stored
            tower = {key: tensor.half().float() if tensor.ndim > 1 else tensor for key, tensor in tower.items()}
        base = self._model.backbone
        backbone = base.with_depth_tower(tower, image_size=base.image_size)
        backbone.logit_scale = state["log_scale"].exp().item()
        return Recogniser(backbone, self._model.settings, name or self._model.name)

    def _measure(self, state: Mapping[str, Tensor]) -> ValidationResult:
        """Measure a classifier, given by its state, on the validation shapes."""
        assert self._shapes is not None
        model = self.build_model(state)
        features = torch.from_numpy(encode_views(model, self._shapes))
        scale, labels = model.backbone.logit_scale, torch.from_numpy(self._shapes.labels)
        logits = scale * view_cosines(features, state["rows"]).mean(1).double()
        metrics = measure_predictions(logits.softmax(-1).numpy(), self._shapes.labels, self._shapes.classes)
        loss = cross_entropy(logits, labels).item()
        return ValidationResult(metrics.accuracy, metrics.mean_class_accuracy, loss, scale)
