"""``clip2point pretrain``: train a depth tower on image-depth pairs."""

from __future__ import annotations

import argparse
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from clip2point.cli import options, output
from clip2point.cli.training_console import TrainingConsole
from clip2point.core.errors import OptionError

if TYPE_CHECKING:
    from clip2point.cli.classify import Subparsers
    from clip2point.pretraining.recipe import Recipe
    from clip2point.pretraining.run import Outcome

_DESCRIPTION = """Train the depth tower of a model on image-depth pairs, by a recipe or, without one, with settings for
small runs. The folder gets checkpoints, metrics and at the end the model, which --model takes. A run that was stopped,
however it was, goes on with --resume as if it had not been."""


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser("pretrain", help="train a depth tower on image-depth pairs", description=_DESCRIPTION)
    parser.add_argument("recipe", nargs="?", type=Path, metavar="RECIPE", help="YAML file; see the folder recipes")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for all that the training writes"
    )
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in that folder")
    parser.add_argument("--pairs", nargs="+", metavar="DIR", help="folders that 'clip2point pairs' filled")
    parser.add_argument("--backbone", metavar="NAME", help="model to begin with: pocket, clip-vit-b-32, ...")
    parser.add_argument("--epochs", type=options.positive, metavar="N", help="rounds through the pairs")
    parser.add_argument("--batch-size", type=options.positive, metavar="N", help="pairs in a step, over all devices")
    parser.add_argument("--precision", choices=("32-true", "bf16-mixed"), help="number format of the training")
    parser.add_argument("--device", default="cpu", help="cpu (the default), cuda, mps, ...")
    parser.add_argument(
        "--devices", type=options.positive, default=1, metavar="N", help="devices on each machine (default 1)"
    )
    parser.add_argument(
        "--nodes",
        type=options.positive,
        default=1,
        metavar="N",
        help="machines, which share DIR and the cache (default 1)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Train."""
    if arguments.recipe is None and not arguments.pairs:
        raise OptionError("give a RECIPE, or --pairs DIR with settings for small runs")
    from clip2point.pretraining.run import pretrain

    recipe = _recipe(arguments)
    with TrainingConsole(arguments.out) as console:
        outcome = pretrain(
            recipe,
            arguments.out,
            resume=arguments.resume,
            device=arguments.device,
            devices=arguments.devices,
            nodes=arguments.nodes,
            base=arguments.recipe.parent if arguments.recipe else None,
            callback=console,
            progress=output.progress_of("Preparing pairs"),
        )
    return _finish(outcome, arguments.out)


def _recipe(arguments: argparse.Namespace) -> Recipe:
    """The recipe, with what the command line changes."""
    from clip2point.pretraining.recipe import Recipe, read_recipe

    recipe = read_recipe(arguments.recipe) if arguments.recipe else Recipe()
    if arguments.pairs:
        recipe = replace(recipe, data=replace(recipe.data, pairs=tuple(arguments.pairs)))
    if arguments.backbone:
        recipe = replace(recipe, backbone=arguments.backbone)
    given = {name: getattr(arguments, name) for name in ("epochs", "batch_size", "precision")}
    changes = {name: value for name, value in given.items() if value is not None}
    return replace(recipe, training=replace(recipe.training, **changes))


def _finish(outcome: Outcome, out: Path) -> int:
    """Say what there is now."""
    if not outcome.leader:
        return 0
    if outcome.model is None:
        words = [word for word in sys.argv[1:] if word != "--resume"]
        output.remark(
            f"Stopped after step {outcome.step:,} of {outcome.total:,}; the checkpoint is in {out}. To go on:\n"
            f"  clip2point {shlex.join(words)} --resume"
        )
        return 130
    said = "" if outcome.accuracy is None else f", {outcome.accuracy:.1%} of the validation shapes named rightly"
    print(f"Trained {outcome.total:,} steps{said}: {outcome.model}")
    print(f"Try it with --model {outcome.model}")
    return 0
