"""Tuning of a depth tower: a fine-tuning as long as the shapes ask for, and weights between before and after."""

from __future__ import annotations

from dataclasses import replace

from clip2point.adaptation.adapt_settings import TowerTuningSettings
from clip2point.adaptation.fine_tuning import MODEL, fine_tune
from clip2point.adaptation.fine_tuning_settings import FineTuningRun
from clip2point.adaptation.weight_interpolation import interpolate_weights
from clip2point.backbones.backbone_registry import backbone_code
from clip2point.backbones.precision import short_name
from clip2point.core.cache import cache_folder, key_of
from clip2point.core.strict_config import to_plain
from clip2point.data import Dataset
from clip2point.model import Recogniser, load
from clip2point.model.checkpoint import is_checkpoint
from clip2point.rendering.depth import style_code
from clip2point.training.checkpoints import has_checkpoint


def tune_tower(
    model: Recogniser,
    train: Dataset,
    validation: Dataset | None,
    settings: TowerTuningSettings,
    seed: int = 0,
    run: FineTuningRun | None = None,
) -> Recogniser:
    """Fine-tune the depth tower of a model, and interpolate its weights.

    Args:
        model: Model whose depth tower is trained; see ``fine_tune``.
        train: Shapes to learn from, with a declared up-axis.
        validation: Shapes of the same classes by which the best weights are chosen; None keeps the last weights.
        settings: Trained part, duration, and mixing coefficient.
        seed: Seed of the training.
        run: Folder, devices and callbacks; by default nothing is kept.

    Returns:
        The model with the tuned tower, under the name and the settings that it had.

    Raises:
        OptionError: Settings, data, devices or folder do not fit together.
        DataError: Shapes are missing or broken.
        InterruptedTrainingError: The process was asked to stop (Ctrl-C, SIGTERM), after a checkpoint.
    """
    tuned = fine_tune(model, train, validation, settings.plan_fine_tuning(len(train), seed), run).require_model()
    return interpolate_weights(model, tuned, settings.choose_alpha(len(train)))


def tune_tower_once(
    model: Recogniser,
    train: Dataset,
    validation: Dataset | None,
    settings: TowerTuningSettings,
    seed: int = 0,
    run: FineTuningRun | None = None,
) -> Recogniser:
    """Tune the depth tower of a model, or find in the cache what an earlier call trained.

    Args:
        model: Model whose depth tower is trained, as are the other arguments, as for ``tune_tower``.
        train: Shapes to learn from.
        validation: Shapes by which the best weights are chosen, or None.
        settings: Trained part, duration, and mixing coefficient.
        seed: Seed of the training.
        run: Devices and callbacks; an interrupted training is resumed, in a folder of the cache.

    Returns:
        Tuned model, as of ``tune_tower``.
    """
    plan = settings.plan_fine_tuning(len(train), seed)
    key = key_of(
        {
            "settings": to_plain(plan),
            "model": [model.backbone.fingerprint(), model.settings.to_dict()],
            "data": [train.fingerprint, validation and validation.fingerprint, train.up],
            **style_code(model.settings.style),
            **backbone_code(model.backbone),
        }
    )
    folder = cache_folder() / "towers" / key
    if is_checkpoint(folder / MODEL):
        tuned = load(folder / MODEL, device=model.backbone.device, dtype=short_name(model.backbone.dtype))
    else:
        run = replace(run or FineTuningRun(), folder=folder, resume=has_checkpoint(folder))
        tuned = fine_tune(model, train, validation, plan, run).require_model()
    return interpolate_weights(model, tuned, settings.choose_alpha(len(train)))
