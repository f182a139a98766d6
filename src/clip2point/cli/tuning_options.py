"""Fine-tuning in commands that fit heads: its options, and the training of a tower before the heads."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clip2point.cli import options, output
from clip2point.core.errors import OptionError

if TYPE_CHECKING:
    from clip2point.adaptation.fine_tuning import FineTuningSettings
    from clip2point.data import Dataset
    from clip2point.model import Recogniser

#: Rounds through the shapes, and steps that there are in any case, because a few shapes make few steps a round. The
#: first is spelt out here because the parser must not import torch; the tests hold it against the library.
EPOCHS, LEAST_STEPS = 8, 200
#: Share of the weights before the training that a tower keeps if there are so few shapes that it is that long.
KEEP = 0.5


def add_options(group: argparse._ArgumentGroup) -> None:
    """What is trained, how long, and in which number format."""
    group.add_argument(
        "--unfreeze",
        metavar="PART",
        help="train a part of the depth tower before the heads: last-N (its last N blocks), all, or lora",
    )
    group.add_argument(
        "--epochs",
        type=options.positive,
        metavar="N",
        help=f"rounds through the shapes (default {EPOCHS}, more where these are under {LEAST_STEPS} steps)",
    )
    group.add_argument(
        "--keep",
        type=options.share,
        metavar="SHARE",
        help="of the weights before this training in the result, 0 to 1; more of them is safer for shapes that are "
        f"unlike the examples (default {KEEP} where {EPOCHS} rounds are under {LEAST_STEPS} steps, else 0)",
    )
    group.add_argument("--precision", choices=("32-true", "bf16-mixed"), help="number format of this training")


def check_options(arguments: argparse.Namespace, *others: str) -> None:
    """Raise OptionError if there are options of a training, those named here among them, and none is asked for."""
    names = ("epochs", "keep", "precision", *others)
    given = [name for name in names if (value := getattr(arguments, name)) is not None and value is not False]
    if given and not arguments.unfreeze:
        raise OptionError(f"--{given[0]} belongs to the training of a tower: give --unfreeze last-4, for example, too")


def model_dtype(arguments: argparse.Namespace) -> str:
    """The number format to load a model in: a tower should not begin its training with rounded weights."""
    return "fp32" if arguments.unfreeze and arguments.dtype == "auto" else str(arguments.dtype)


def settings_of(arguments: argparse.Namespace, shapes: int, **training: Any) -> FineTuningSettings:
    """The settings that the options ask for.

    Args:
        arguments: of the command.
        shapes: how many are learned from.
        training: what else differs from the defaults of the training.
    """
    from clip2point.adaptation.fine_tuning import FineTuningSettings

    settings = FineTuningSettings(unfreeze=arguments.unfreeze)
    training["epochs"] = arguments.epochs or max(EPOCHS, -(-LEAST_STEPS // _steps(shapes)))
    if arguments.precision:
        training["precision"] = arguments.precision
    return replace(settings, training=replace(settings.training, **training))


def kept(arguments: argparse.Namespace, model: Recogniser, tuned: Recogniser, shapes: int) -> Recogniser:
    """The model that was tuned on so many shapes, with as much of the weights before as the options ask for."""
    from clip2point.adaptation.weight_interpolation import interpolate

    return interpolate(model, tuned, share_kept(arguments, shapes))


def share_kept(arguments: argparse.Namespace, shapes: int) -> float:
    """Of the weights before a training on so many shapes."""
    if arguments.keep is not None:
        return float(arguments.keep)
    return KEEP if EPOCHS * _steps(shapes) < LEAST_STEPS else 0.0


def _steps(shapes: int) -> int:
    """Of a round."""
    from clip2point.adaptation.fine_tuning import FineTuningSettings

    return -(-shapes // FineTuningSettings().training.batch_size)


def fine_tune_in(
    folder: Path,
    model: Recogniser,
    train: Dataset,
    validation: Dataset | None,
    settings: FineTuningSettings,
    *,
    resume: bool,
) -> Recogniser:
    """Train the tower of a model in a folder, with a progress bar; see ``fine_tune``."""
    from clip2point.adaptation.fine_tuning import fine_tune
    from clip2point.cli.training_console import TrainingConsole

    with TrainingConsole(folder) as console:
        result = fine_tune(
            *(model, train, validation, settings, folder),
            resume=resume,
            callback=console,
            progress=output.progress_of(train.name),
        )
    return result.require_model()
