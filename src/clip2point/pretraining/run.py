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
from clip2point.pretraining.batches import PairBatches, RenderingSettings
from clip2point.pretraining.captions import Vocabulary
from clip2point.pretraining.image_features import encode_images
from clip2point.pretraining.module import PretrainingModel
from clip2point.pretraining.recipe import HELD_OUT, Recipe
from clip2point.pretraining.recipe_sources import held_out_dataset, pair_folders
from clip2point.pretraining.validation import Validation, open_validation
from clip2point.training.distributed import make_fabric
from clip2point.training.loop import Callback, Training
from clip2point.training.metrics_log import MetricsLog
from clip2point.training.state import StateFolder, check_folder

if TYPE_CHECKING:
    from lightning_fabric import Fabric

RECIPE, MODEL = "recipe.json", "model"


@dataclass(frozen=True)
class Outcome:
    """How a run of a training ended.

    Attributes:
        step: how many steps are done.
        total: how many there are.
        model: the folder of the trained model, once the end is reached.
        accuracy: of the exported weights on the validation shapes, in [0, 1]; None without validation.
        leader: whether this is the process that writes the files; of several, one.
    """

    step: int
    total: int
    model: Path | None
    accuracy: float | None
    leader: bool


def pretrain(
    recipe: Recipe,
    out: Path,
    *,
    resume: bool = False,
    device: str = "cpu",
    devices: int = 1,
    nodes: int = 1,
    base: Path | None = None,
    callback: Callback | None = None,
    progress: Progress | None = None,
) -> Outcome:
    """Train the depth tower of a backbone on image-depth pairs.

    Args:
        recipe: all that the result depends on.
        out: folder for checkpoints, metrics and at the end the model, which ``clip2point.load`` reads.
        resume: whether to go on from the checkpoint there, as if the run had never stopped.
        device: see ``make_fabric``, as for the next two.
        devices: on each machine.
        nodes: machines.
        base: folder that relative paths of ``data.sources`` count from; the working directory if not given.
        callback: hears of every step, on the process that writes the files.
        progress: wraps an iterable of a given length, to show how far the preparation of the pairs is.

    Raises:
        OptionError: if recipe, devices or folder do not fit together, or the loss is no longer finite.
        DataError: if pairs or validation shapes are missing or broken.
        ModelError: if the backbone or a checkpoint cannot be read.
    """
    if not (recipe.data.pairs or recipe.data.sources):
        raise OptionError("data.pairs is empty: give --pairs, or list folders there that 'clip2point pairs' filled")
    check_folder(out, resume)
    fabric = make_fabric(device, devices, nodes, recipe.training.precision)
    fabric.launch()
    leads = fabric.is_global_zero
    with fabric.rank_zero_first():  # what it puts into the cache, the others find there
        job = _Job(
            recipe, pair_folders(recipe.data, out, base or Path(), progress), fabric, progress if leads else None
        )
        states = StateFolder(out, {**recipe.to_dict(), **job.start}, job.pairs_hash)
        batches = job.batches()
    training = Training(fabric, job.model(), batches, recipe, states, job.validation if leads else None, resume=resume)
    if not leads:
        training.run()
        return Outcome(training.step, training.total, None, None, leader=False)
    _write_recipe(out, recipe)
    log = MetricsLog(out, training.step)
    try:
        finished = training.run(log, callback)
    finally:
        log.close()
    model = out / MODEL if finished else None
    accuracy = None if model is None else job.export(model, training, states)
    return Outcome(training.step, training.total, model, accuracy, leader=True)


class _Job:
    """The parts of a training, made from its recipe."""

    def __init__(self, recipe: Recipe, folders: list[Path], fabric: Fabric, progress: Progress | None) -> None:
        self._recipe, self._fabric, self._progress = recipe, fabric, progress
        self._pairs = PairSet(folders, without=recipe.data.without, progress=progress)
        self._dataset = self._validation_shapes(folders)
        # In fp32, because a tower that is trained further should not begin with rounded weights.
        base = load(recipe.backbone, device=str(fabric.device), dtype="fp32")
        settings = recipe.recognition or _settings(base.settings, recipe.rendering)
        self._base = Recogniser(base.backbone, settings, base.name)
        self._image_size = recipe.rendering.image_size or base.backbone.image_size
        texts = [info.captions for info in self._pairs.infos]
        self._vocabulary = Vocabulary(texts, recipe.captions) if recipe.loss.caption > 0 else None

    def _validation_shapes(self, folders: list[Path]) -> Dataset | None:
        """The labelled shapes of the recipe's validation."""
        validation, data = self._recipe.validation, self._recipe.data
        if validation is None:
            return None
        if validation.dataset == HELD_OUT:
            return held_out_dataset(folders, data.without, self._recipe.captions)
        return open_validation(validation, {info.key for info in self._pairs.infos})

    @property
    def start(self) -> dict[str, Any]:
        """What the training begins with, by content: the same name may stand for another model one day."""
        return {"tower": self._base.backbone.fingerprint(self._recipe.start), "image_size": self._image_size}

    @property
    def pairs_hash(self) -> str:
        """What the pairs are known by, wherever they lie."""
        return self._pairs.content_hash()

    def batches(self) -> PairBatches:
        """The batches of this process."""
        recipe, fabric = self._recipe, self._fabric
        needed = recipe.loss.needs_images
        return PairBatches(
            self._pairs,
            image_size=self._image_size,
            batch_size=recipe.training.batch_size,
            rendering=recipe.rendering,
            augmentation=recipe.augmentation,
            images=encode_images(self._pairs, self._base.backbone, self._progress) if needed else None,
            vocabulary=self._vocabulary,
            balance=recipe.data.balance,
            seed=recipe.training.seed,
            rank=fabric.global_rank,
            world_size=fabric.world_size,
            device=fabric.device,
        )

    def model(self) -> PretrainingModel:
        """What is trained."""
        backbone = self._base.backbone
        captions = None if self._vocabulary is None else self._vocabulary.features(backbone)
        return PretrainingModel(backbone.depth_tower(self._recipe.start).train(), self._recipe.loss, captions)

    @cached_property
    def validation(self) -> Validation | None:
        """What measures the tower on the way."""
        if self._dataset is None:
            return None
        return Validation(self._dataset, self._base, self._with_tower)

    def export(self, folder: Path, training: Training, states: StateFolder) -> float | None:
        """Write the model folder, of the best weights if there was a validation, else of the last ones."""
        best = states.load_best() if self._dataset is not None else None
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
            found = self.validation(tower)
            card["validation"] = {"dataset": self._dataset.name, "split": self._dataset.split, **found.to_dict()}
            model.backbone.logit_scale, accuracy = found.scale, found.accuracy
        save_model(folder, model.backbone, model.settings, card, half=self._recipe.training.half)
        return accuracy

    def _with_tower(self, tower: Mapping[str, Tensor]) -> Recogniser:
        """The trained model."""
        backbone = self._base.backbone.with_depth_tower(tower, image_size=self._image_size)
        return Recogniser(backbone, self._base.settings, self._base.name)


def _settings(settings: Settings, rendering: RenderingSettings) -> Settings:
    """A model's settings, moved to where its depth tower is trained."""
    points = min(max(settings.points, rendering.points[0]), rendering.points[1])
    radius = min(max(settings.radius, rendering.radius[0]), rendering.radius[1])
    return replace(settings, style=rendering.style, points=points, radius=radius)


def _write_recipe(out: Path, recipe: Recipe) -> None:
    """Keep the whole recipe, defaults and options of the command included, in a form that is YAML, too."""
    with replacing(out / RECIPE) as unfinished:
        unfinished.write_text(json.dumps(recipe.to_dict(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
