"""``clip2point adapt``: adapt a model to labelled shapes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from clip2point.cli import data_sets, options, output, tuning_options
from clip2point.cli.figures import percent
from clip2point.core.registries import DATASETS, HEADS

if TYPE_CHECKING:
    from clip2point.adaptation.adapt_settings import AdaptSettings
    from clip2point.adaptation.adapting import AdaptationResult
    from clip2point.cli.classify import Subparsers
    from clip2point.model import Recogniser

_DESCRIPTION = """Learn classes from labelled shapes: a head on the features of a model, in seconds to minutes. A fifth
of the shapes of each class is held out to choose the head's options, to calibrate its confidence, and to find the
confidence below which a shape is called unknown; then the head is fitted on all. The result is a folder for --model."""

#: Folder of the tower's training, in that of the model.
_FINE_TUNING = "fine-tuning"


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "adapt",
        help="learn classes from your own labelled shapes",
        description=_DESCRIPTION,
        epilog=options.describe(DATASETS, "Data sets"),
    )
    parser.add_argument("dataset", metavar="DATASET", help="folder:PATH, manifest:PATH, npz:PATH, h5:PATH or a name")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the model")
    parser.add_argument("--root", type=Path, metavar="DIR", help="folder of the data set")
    data_sets.add_manifest(parser)
    parser.add_argument("--split", help="train, train-minus-validation, ... (default: train where there is one)")
    parser.add_argument(
        "--up", choices=options.UP_CHOICES[1:], help="axis that points up, if the data set does not declare it"
    )
    parser.add_argument(
        "--head",
        type=options.head_name,
        metavar="NAME",
        default="gdpa",
        help=f"head that is fitted on the features (default gdpa): {', '.join(HEADS.built_in)}, one of a plug-in, or "
        "auto, which tries all built-in ones and keeps the one that is best on the held-out shapes",
    )
    parser.add_argument(
        "--shots", type=_shots, metavar="N", help="number of shapes of each class to learn from (default all)"
    )
    parser.add_argument(
        "--augmented-views",
        type=options.positive,
        default=2,
        metavar="K",
        help="views of each shape to learn from, the first unchanged and the others augmented (default 2)",
    )
    options.add_former_name(parser, "--copies", "--augmented-views", type=options.positive, dest="augmented_views")
    parser.add_argument(
        "--seed",
        type=options.natural,
        default=0,
        metavar="N",
        help="seed of the shots, the held-out shapes, the point sampling and the training (default 0)",
    )
    parser.add_argument(
        "--target",
        type=options.fraction,
        default=0.95,
        metavar="A",
        help="accuracy to reach among the shapes that are not called unknown (default 0.95)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    group = parser.add_argument_group("fine-tuning (for hundreds of shapes and more; minutes to hours)")
    tuning_options.add_options(group)
    group.add_argument("--resume", action="store_true", help="continue this training from its checkpoint")
    options.add_prompts(parser)
    options.add_model(parser)
    options.add_rendering(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Adapt the model, write it, and print how good it is."""
    tuning = tuning_options.read_settings(arguments)
    from clip2point.adaptation.adapt_settings import AdaptSettings
    from clip2point.adaptation.adapting import adapt
    from clip2point.adaptation.fine_tuning_settings import FineTuningRun
    from clip2point.adaptation.labelled import open_training
    from clip2point.cli.training_console import TrainingConsole

    settings = AdaptSettings(
        head=arguments.head,
        shots=arguments.shots,
        augmented_views=arguments.augmented_views,
        up=arguments.up or "auto",
        seed=arguments.seed,
        target=arguments.target,
        **tuning,
    )
    name, root = data_sets.find_name(arguments)
    dataset = open_training(name, root=root, split=arguments.split, up=arguments.up)
    data_sets.announce(dataset)
    if dataset.split == "test":
        output.remark("Learning from the test split: results measured on it later are meaningless.")
    progress = output.progress_of(dataset.name)
    found = adapt(
        dataset,
        _load_model(arguments, settings),
        settings,
        run=FineTuningRun(arguments.out / _FINE_TUNING, arguments.resume, watch=TrainingConsole, progress=progress),
        progress=progress,
    )
    found.save(arguments.out)
    if arguments.json:
        output.print_json({"model": str(arguments.out), **found.to_dict()})
    else:
        _print(found, arguments.out)
    failures = list(found.sampled.failures)
    output.list_failures(failures, len(found.sampled) + len(failures))
    return 1 if failures else 0


def _load_model(arguments: argparse.Namespace, settings: AdaptSettings) -> Recogniser:
    """Load the model to adapt, once it is known that the result can be written."""
    from clip2point.model import load
    from clip2point.model.adapted_folder import check_target

    model = load(arguments.model, device=arguments.device, dtype=settings.choose_dtype(arguments.dtype)).without_head()
    check_target(arguments.out, model.name)
    return model.with_settings(options.change_settings(model.settings, arguments))


def _print(found: AdaptationResult, folder: Path) -> None:
    """Print a table of the classes, then a summary in a few lines."""
    validation, counts = found.validation, found.counts
    held_out = validation.metrics.per_class if validation else {}
    none = {"accuracy": None, "samples": 0}
    rows = [(name, counts[name], held_out.get(name, none)) for name in found.head.classes]
    output.print_table(
        ("class", "shapes", "held out", "held-out accuracy"),
        ((name, count, entry["samples"], percent(entry["accuracy"])) for name, count, entry in rows),
        right=("shapes", "held out", "held-out accuracy"),
    )
    views = f"augmented views of each: {found.to_dict()['copies']}"
    print(f"Learned {len(counts)} classes from {len(found.sampled)} shapes; {views}")
    for name, words in _summarise(found).items():
        print(f"  {name:<21}{words}")
    print(f"Model:  {folder}\nUse it: clip2point classify FILES --model {folder} --up={found.sampled.up}")


def _summarise(found: AdaptationResult) -> dict[str, str]:
    """Return lines about the head by their titles."""
    head, validation, unfreeze = found.head, found.validation, found.settings.unfreeze
    tuned = f", fine-tuned ({unfreeze})" if unfreeze else ""
    lines = {
        "head": f"{head.head.name} on the features of {head.base}{tuned}",
        "options": ", ".join(f"{key} {value}" for key, value in head.head.options.items()) or "none",
    }
    if validation:
        low, high = validation.metrics.accuracy_interval
        lines["validation accuracy"] = (
            f"{validation.metrics.accuracy:.1%} of {validation.metrics.samples} held-out shapes "
            f"(95 % interval: {low:.1%} to {high:.1%})"
        )
        lines["temperature"] = f"{head.temperature:.3g}"
        lines["threshold"] = _describe_threshold(found)
    if head.ood:
        lines["OOD threshold"] = (
            f"a cosine of {head.ood.threshold:.2f} with the nearest class centroid, which 95 % of the "
            "held-out shapes reach (all, if they are fewer than 20); a shape below it is out of distribution"
        )
    lines["seconds"] = ", ".join(f"{value:.1f} for {part.replace('_', '-')}" for part, value in found.seconds.items())
    return lines


def _describe_threshold(found: AdaptationResult) -> str:
    validation, threshold = found.validation, found.head.threshold
    if threshold is None or validation is None or validation.accuracy_at_coverage is None:
        return f"none that reaches an accuracy of {found.settings.target:.0%}, so every shape gets an answer"
    return (
        f"{threshold:.1%}: coverage {validation.coverage:.1%} of the held-out shapes, accuracy at coverage "
        f"{validation.accuracy_at_coverage:.1%}; the others are called unknown"
    )


def _shots(text: str) -> int | None:
    """Parse an integer from 1, or "all" as None."""
    return None if text == "all" else options.positive(text)
