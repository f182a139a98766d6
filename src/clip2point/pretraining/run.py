"""Pre-training from a recipe to a model folder (section 2 of the paper)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from clip2point.core.errors import OptionError
from clip2point.core.files import replacing
from clip2point.core.progress import Progress
from clip2point.core.version import __version__
from clip2point.data import Dataset
from clip2point.data.pairs import PairSet
from clip2point.model import Recogniser, load
from clip2point.model.saving import save_model
from clip2point.model.settings import Settings
from clip2point.pretraining.batches import BatchSettings, PairBatches, RenderingSettings
from clip2point.pretraining.captions import Vocabulary
from clip2point.pretraining.image_features import encode_images
from clip2point.pretraining.module import PretrainingModel
from clip2point.pretraining.recipe import HELD_OUT, RENAMED_KEYS, Recipe
from clip2point.pretraining.recipe_sources import make_validation_dataset, pair_folders
from clip2point.pretraining.validation import TowerValidation, open_validation
from clip2point.training.checkpoints import CheckpointFolder, check_folder
from clip2point.training.distributed import DeviceSettings, Process, make_fabric
from clip2point.training.loop import Callback, Training
from clip2point.training.metrics_log import MetricsLog
from clip2point.training.training_results import TrainingOutcome

if TYPE_CHECKING:
    from lightning_fabric import Fabric

RECIPE, MODEL = "recipe.json", "model"


@dataclass(frozen=True)
class PretrainingResult:
    """Result of a pre-training.

    Attributes:
        outcome: End of the training.
        model: Folder of the trained model; None if the training was interrupted.
        accuracy: Accuracy of the exported weights on the validation shapes, in [0, 1]; None without validation.
        leader: True on the process that writes the files.
    """

    outcome: TrainingOutcome
    model: Path | None = None
    accuracy: float | None = None
    leader: bool = True


def pretrain(
    recipe: Recipe,
    out: Path,
    *,
    resume: bool = False,
    devices: DeviceSettings | None = None,
    base: Path | None = None,
    callback: Callback | None = None,
    progress: Progress | None = None,
) -> PretrainingResult:
    """Train the depth tower of a backbone on image-depth pairs.

    A training that is asked to stop (Ctrl-C, SIGTERM) ends after its step, with a checkpoint.

    Args:
        recipe: Recipe of the training; the result depends on nothing else.
        out: Folder for checkpoints, metrics and at the end the model, which ``clip2point.load`` reads.
        resume: True to begin with the checkpoint there; the result is that of an uninterrupted run.
        devices: Devices of the training; one CPU by default.
        base: Folder that relative paths of ``data.sources`` count from; the working directory by default.
        callback: Functions to call on the way, on the process that writes the files.
        progress: Wrapper of an iterable of a known length that shows the progress of preparing the pairs.

    Raises:
        OptionError: If recipe, devices or folder do not fit together, or the loss is no longer finite.
        DataError: If pairs or validation shapes are missing or broken.
        ModelError: If the backbone or a checkpoint cannot be read.
    """
    if not (recipe.data.pairs or recipe.data.sources):
        raise OptionError("data.pairs is empty: give --pairs, or list folders there that 'clip2point pairs' filled")
    check_folder(out, resume)
    fabric = make_fabric(devices, recipe.training.precision)
    fabric.launch()
    leads = fabric.is_global_zero
    with fabric.rank_zero_first():  # what it puts into the cache, the others find there
        job = _Job(
            recipe, pair_folders(recipe.data, out, base or Path(), progress), fabric, progress if leads else None
        )
        checkpoints = CheckpointFolder(out, {**recipe.to_dict(), **job.start}, job.pairs_fingerprint, RENAMED_KEYS)
        batches = job.batches()
    validate = job.validation if leads else None
    training = Training(fabric, job.model(), batches, recipe, checkpoints, validate, resume=resume)
    if not leads:
        return PretrainingResult(training.run(), leader=False)
    _write_recipe(out, recipe)
    log = MetricsLog(out, training.step)
    try:
        outcome = training.run(log, callback)
    finally:
        log.close()
    if outcome.interrupted:
        return PretrainingResult(outcome)
    return PretrainingResult(outcome, out / MODEL, job.export(out / MODEL, training, checkpoints))


class _Job:
    """Parts of a training, made from its recipe."""

    def __init__(self, recipe: Recipe, folders: list[Path], fabric: Fabric, progress: Progress | None) -> None:
        self._recipe, self._fabric, self._progress = recipe, fabric, progress
        self._pairs = PairSet(folders, without=recipe.data.without, progress=progress)
        self._dataset = self._validation_shapes(folders)
        # In fp32, because a tower that is trained further should not begin with rounded weights.
        base = load(recipe.backbone, device=str(fabric.device), dtype="fp32")
        settings = recipe.recognition or _limit_settings(base.settings, recipe.rendering)
        self._base = Recogniser(base.backbone, settings, base.name)
        self._image_size = recipe.rendering.image_size or base.backbone.image_size
        texts = [info.captions for info in self._pairs.infos]
        self._vocabulary = Vocabulary(texts, recipe.captions) if recipe.loss.caption > 0 else None

    def _validation_shapes(self, folders: list[Path]) -> Dataset | None:
        """Return the labelled shapes of the recipe's validation."""
        validation, data = self._recipe.validation, self._recipe.data
        if validation is None:
            return None
        if validation.dataset == HELD_OUT:
            return make_validation_dataset(folders, data.without, self._recipe.captions)
        return open_validation(validation, {info.key for info in self._pairs.infos})

    @property
    def start(self) -> dict[str, Any]:
        """Initial weights by content: the same name may stand for another model one day."""
        return {"tower": self._base.backbone.fingerprint(self._recipe.start), "image_size": self._image_size}

    @property
    def pairs_fingerprint(self) -> str:
        """Fingerprint of the pairs, wherever they lie."""
        return self._pairs.hash_content()

    def batches(self) -> PairBatches:
        """Return the batches of this process."""
        recipe = self._recipe
        settings = BatchSettings(
            image_size=self._image_size,
            batch_size=recipe.training.batch_size,
            rendering=recipe.rendering,
            augmentation=recipe.augmentation,
            balance=recipe.data.balance,
            seed=recipe.training.seed,
        )
        needed = recipe.loss.needs_images
        return PairBatches(
            self._pairs,
            settings,
            images=encode_images(self._pairs, self._base.backbone, self._progress) if needed else None,
            vocabulary=self._vocabulary,
            process=Process.of(self._fabric),
        )

    def model(self) -> PretrainingModel:
        """Return the model to train."""
        backbone = self._base.backbone
        captions = None if self._vocabulary is None else self._vocabulary.features(backbone)
        return PretrainingModel(backbone.depth_tower(self._recipe.start).train(), self._recipe.loss, captions)

    @cached_property
    def validation(self) -> TowerValidation | None:
        """Validation of the tower on the way."""
        if self._dataset is None:
            return None
        return TowerValidation(self._dataset, self._base, self._with_tower)

    def export(self, folder: Path, training: Training, checkpoints: CheckpointFolder) -> float | None:
        """Write the model folder, with the best weights if there was a validation, else the last ones."""
        best = checkpoints.load_best() if self._dataset is not None else None
        tower = best["tower"] if best else training.tower_state()
        if self._recipe.training.half:  # measured as it will be loaded
            tower = {name: tensor.half().float() if tensor.ndim > 1 else tensor for name, tensor in tower.items()}
        model = self._with_tower(tower)
        card: dict[str, Any] = {
            "recipe": self._recipe.to_dict(),
            "trained_steps": best["step"] if best else training.step,
            "training_models": len(self._pairs),
            "training_data_licences": self._pairs.licences(),
            "trained_with": f"clip2point {__version__}",
        }
        accuracy = None
        if self.validation is not None and self._dataset is not None:
            result = self.validation(tower)
            card["validation"] = {"dataset": self._dataset.name, "split": self._dataset.split, **result.to_dict()}
            model.backbone.logit_scale, accuracy = result.scale, result.accuracy
        save_model(folder, model.backbone, model.settings, card, half=self._recipe.training.half)
        return accuracy

    def _with_tower(self, tower: Mapping[str, Tensor]) -> Recogniser:
        """Return the trained model."""
        backbone = self._base.backbone.with_depth_tower(tower, image_size=self._image_size)
        return Recogniser(backbone, self._base.settings, self._base.name)


def _limit_settings(settings: Settings, rendering: RenderingSettings) -> Settings:
    """Return a model's settings, limited to the ranges in which its depth tower is trained."""
    points = min(max(settings.points, rendering.points[0]), rendering.points[1])
    radius = min(max(settings.radius, rendering.radius[0]), rendering.radius[1])
    return replace(settings, style=rendering.style, points=points, radius=radius)


def _write_recipe(out: Path, recipe: Recipe) -> None:
    """Write the whole recipe, defaults and options of the command included, as JSON, which is YAML, too."""
    with replacing(out / RECIPE) as unfinished:
        unfinished.write_text(json.dumps(recipe.to_dict(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
