"""Options for fine-tuning a tower, of commands that fit heads."""

from __future__ import annotations

import argparse
from typing import Any

from clip2point.adaptation.defaults import ALPHA_OF_FEW, ALPHA_OF_MANY, EPOCHS, MIN_STEPS
from clip2point.cli import options
from clip2point.core.errors import OptionError

#: Options that are settings of a fine-tuning, by their names in the library.
_SETTINGS = ("unfreeze", "epochs", "wise_ft_alpha", "precision")


def add_options(group: argparse._ArgumentGroup) -> None:
    """Add the options: trained part, duration, weight interpolation, number format."""
    group.add_argument(
        "--unfreeze",
        metavar="PART",
        help="part of the depth tower to train before heads are fitted: last-N (its last N blocks), all, or lora",
    )
    group.add_argument(
        "--epochs",
        type=options.positive,
        metavar="N",
        help=f"number of epochs of this training (default {EPOCHS}, or as many as {MIN_STEPS} steps need)",
    )
    group.add_argument(
        "--wise-ft-alpha",
        type=options.fraction,
        metavar="A",
        help="WiSE-FT alpha, the weight interpolation after this training: from 0 (the weights before it) to 1 (those "
        "after it); less is safer for shapes that differ from the examples (default "
        f"{ALPHA_OF_FEW} where {EPOCHS} epochs have fewer than {MIN_STEPS} steps, else {ALPHA_OF_MANY:g})",
    )
    group.add_argument("--precision", choices=("32-true", "bf16-mixed"), help="number format of this training")
    options.add_former_name(
        *(group, "--keep", "--wise-ft-alpha, which is 1 minus that"),
        type=lambda text: 1 - options.fraction(text),
        dest="wise_ft_alpha",
    )


def read_settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the settings of the fine-tuning by their names in the library.

    Raises:
        OptionError: Options of a training are given without --unfreeze.
    """
    given = {name: getattr(arguments, name) for name in _SETTINGS}
    asked = [name for name in _SETTINGS if given[name] is not None] + ["resume"] * getattr(arguments, "resume", False)
    if asked and arguments.unfreeze is None:
        flag = asked[0].replace("_", "-")
        raise OptionError(f"--{flag} is an option of fine-tuning: add --unfreeze, for example --unfreeze last-4")
    return given
