"""``clip2point pretrain``: train a depth tower on image-depth pairs."""

from __future__ import annotations

import argparse
import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from clip2point.cli import options, output
from clip2point.cli.training_console import TrainingConsole
from clip2point.core.errors import OptionError

if TYPE_CHECKING:
    from clip2point.cli.classify import Subparsers
    from clip2point.pretraining.recipe import Recipe
    from clip2point.pretraining.run import PretrainingResult

_DESCRIPTION = """Train the depth tower of a model on image-depth pairs, by a recipe or, without one, with settings for
small runs. The folder gets checkpoints, metrics and at the end the model, which --model takes. An interrupted run
(Ctrl-C, SIGTERM, or a crash) continues with --resume and gives the model of an uninterrupted one."""


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser("pretrain", help="train a depth tower on image-depth pairs", description=_DESCRIPTION)
    parser.add_argument("recipe", nargs="?", type=Path, metavar="RECIPE", help="YAML file, see the folder recipes")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the training")
    parser.add_argument("--resume", action="store_true", help="continue from the checkpoint in that folder")
    parser.add_argument("--pairs", nargs="+", metavar="DIR", help="folders that 'clip2point pairs' filled")
    parser.add_argument("--backbone", metavar="NAME", help="initial model: pocket, clip-vit-b-32, ...")
    parser.add_argument("--epochs", type=options.positive, metavar="N", help="number of epochs")
    parser.add_argument("--batch-size", type=options.positive, metavar="N", help="pairs in a step, over all devices")
    parser.add_argument("--precision", choices=("32-true", "bf16-mixed"), help="number format of the training")
    parser.add_argument("--device", default="cpu", help="cpu (default), cuda, mps, ...")
    parser.add_argument(
        "--devices", type=options.positive, default=1, metavar="N", help="number of devices on each machine (default 1)"
    )
    parser.add_argument(
        "--nodes",
        type=options.positive,
        default=1,
        metavar="N",
        help="number of machines, which share DIR and the cache (default 1)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Train, or continue a training."""
    if arguments.recipe is None and not arguments.pairs:
        raise OptionError("give a RECIPE, or --pairs DIR with settings for small runs")
    from clip2point.pretraining.run import pretrain
    from clip2point.training.distributed import DeviceSettings

    recipe = _recipe(arguments)
    with TrainingConsole(arguments.out) as console:
        result = pretrain(
            recipe,
            arguments.out,
            resume=arguments.resume,
            devices=DeviceSettings(arguments.device, arguments.devices, arguments.nodes),
            base=arguments.recipe.parent if arguments.recipe else None,
            callback=console,
            progress=output.progress_of("Preparing pairs"),
        )
    return _finish(result, arguments)


def _recipe(arguments: argparse.Namespace) -> Recipe:
    """Return the recipe with the changes of the command line."""
    from clip2point.pretraining.recipe import Recipe, read_recipe

    recipe = read_recipe(arguments.recipe) if arguments.recipe else Recipe()
    if arguments.pairs:
        recipe = replace(recipe, data=replace(recipe.data, pairs=tuple(arguments.pairs)))
    if arguments.backbone:
        recipe = replace(recipe, backbone=arguments.backbone)
    given = {name: getattr(arguments, name) for name in ("epochs", "batch_size", "precision")}
    changes = {name: value for name, value in given.items() if value is not None}
    return replace(recipe, training=replace(recipe.training, **changes))


def _finish(result: PretrainingResult, arguments: argparse.Namespace) -> int:
    """Print the result; return the exit status."""
    if result.outcome.interrupted:
        if result.leader:
            words = [word for word in arguments.words if word != "--resume"]
            output.remark(
                f"Interrupted: {result.outcome}; the checkpoint is {result.outcome.checkpoint}. To continue:\n"
                f"  {shlex.join(['clip2point', *words, '--resume'])}"
            )
        return 130
    if result.leader:
        accuracy = "" if result.accuracy is None else f", {result.accuracy:.1%} of the validation shapes correct"
        print(f"Trained {result.outcome.total:,} steps{accuracy}: {result.model}")
        print(f"Try it with --model {result.model}")
    return 0
