"""``clip2point adapt``: a model that learns from your own labelled shapes."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clip2point.cli import options, output
from clip2point.cli import tuning_options as fine_tuning
from clip2point.cli.figures import percent
from clip2point.core.errors import OptionError
from clip2point.core.registries import DATASETS, HEADS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from clip2point.adaptation.few_shot import Learned
    from clip2point.cli.classify import Subparsers
    from clip2point.data import Dataset, SampledDataset
    from clip2point.model import Recogniser

_DESCRIPTION = """Learn classes from labelled shapes: a head on the features of a model, in seconds to minutes. A fifth
of the shapes of each class is held out to choose the head's options, to calibrate its confidence, and to find the
confidence below which a shape is called unknown; then the head learns from all. The folder is for --model."""

#: Folder in that of the model where a tower is trained, and stays.
_FINE_TUNING = "fine-tuning"


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "adapt",
        help="learn classes from your own labelled shapes",
        description=_DESCRIPTION,
        epilog=options.describe(DATASETS, "Data sets"),
    )
    parser.add_argument("dataset", metavar="DATASET", help="folder:PATH, npz:PATH or a name")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the model")
    parser.add_argument("--root", type=Path, metavar="DIR", help="where the data set lies")
    parser.add_argument("--split", help="train, train-minus-validation, ... (default: train where there is one)")
    parser.add_argument(
        "--up", choices=options.UP_CHOICES[1:], help="the axis that points up, if the data set does not declare it"
    )
    parser.add_argument(
        "--head",
        type=options.head_name,
        metavar="NAME",
        default="gdpa",
        help=f"what is fitted on the features (default gdpa): {', '.join(HEADS.built_in)}, one of a plug-in, or auto, "
        "which tries all built-in ones and keeps the one that is best on the shapes that are held out",
    )
    parser.add_argument("--shots", type=_shots, metavar="N", help="shapes of each class to learn from (default all)")
    parser.add_argument(
        "--copies",
        type=options.positive,
        default=2,
        metavar="K",
        help="looks at each shape, the first as it is and the others changed a little (default 2)",
    )
    parser.add_argument(
        "--seed",
        type=options.natural,
        default=0,
        help="of the shots, of what is held out, of the point sampling and of the training (default 0)",
    )
    parser.add_argument(
        "--target",
        type=options.share,
        default=0.95,
        metavar="A",
        help="share of answers that is to be right where a shape is not called unknown (default 0.95)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    group = parser.add_argument_group("fine-tuning (for hundreds of shapes and more; minutes to hours)")
    fine_tuning.add_options(group)
    group.add_argument("--resume", action="store_true", help="go on with this training where it was stopped")
    options.add_prompts(parser)
    options.add_model(parser)
    options.add_rendering(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Learn, write, and say how good it is."""
    fine_tuning.check_options(arguments, "resume")
    from clip2point.adaptation.few_shot import hold_out, learn
    from clip2point.data import sample_dataset
    from clip2point.features.view_features import extract_features
    from clip2point.model.adapted_folder import save_adapted

    dataset, model = _open(arguments), _model(arguments)
    clock, shown = _Clock(), output.progress_of(dataset.name)
    sampled = sample_dataset(dataset, model.settings.points, arguments.seed, progress=shown)
    held_out = hold_out(sampled.labels, arguments.seed)
    clock.stop("points")
    if arguments.unfreeze:
        model = _fine_tuned(arguments, model, dataset, sampled, held_out)
        clock.stop("fine_tuning")
    examples = extract_features(model, dataset, arguments.copies, seed=arguments.seed, progress=shown).examples
    clock.stop("features")
    learned = learn(
        model,
        examples,
        dataset.classes,
        held_out,
        head=arguments.head,
        seed=arguments.seed,
        target=arguments.target,
        record=_record(arguments, dataset, sampled),
    )
    clock.stop("fitting")
    save_adapted(arguments.out, learned.model)
    if arguments.json:
        output.print_json(_to_dict(arguments, learned, sampled, clock.seconds))
    else:
        _print(arguments, learned, sampled, clock.seconds)
    output.list_failures(list(sampled.failures), len(dataset))
    return 1 if sampled.failures else 0


class _Clock:
    """Seconds that each part of the work took."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def stop(self, part: str) -> None:
        """A part is done."""
        now = time.perf_counter()
        self.seconds[part], self._last = now - self._last, now


def _model(arguments: argparse.Namespace) -> Recogniser:
    """The model to learn with; of one that has a head already, what is below it."""
    from clip2point.model import load
    from clip2point.model.adapted_folder import check_target

    dtype = fine_tuning.model_dtype(arguments)
    model = load(arguments.model, device=arguments.device, dtype=dtype).without_head()
    check_target(arguments.out, model.name)
    return model.with_settings(options.changed_settings(model.settings, arguments))


def _open(arguments: argparse.Namespace) -> Dataset:
    """The shapes to learn from: the train split, or all of a data set without splits."""
    from clip2point.data import open_dataset
    from clip2point.data.shots import draw_shots

    given = {"root": arguments.root, "up": arguments.up}
    try:
        dataset = open_dataset(arguments.dataset, split=arguments.split or "train", **given)
    except OptionError:
        if arguments.split:
            raise
        dataset = open_dataset(arguments.dataset, split="all", **given)
    if dataset.split == "test":
        output.remark("Learning from the test split: no figure that is measured on it later means anything.")
    if dataset.up == "auto":
        raise OptionError(f"{dataset.name}: does not say which axis points up; give --up y or --up z")
    return dataset if arguments.shots is None else dataset.take(draw_shots(dataset, arguments.shots, arguments.seed))


def _fine_tuned(
    arguments: argparse.Namespace,
    model: Recogniser,
    dataset: Dataset,
    sampled: SampledDataset,
    held_out: NDArray[np.bool_],
) -> Recogniser:
    """The model with a depth tower that was trained on the shapes which are not held out."""
    import numpy as np

    rows = {name: row for row, name in enumerate(dataset.names)}
    readable = dataset.take([rows[name] for name in sampled.names])
    train = readable.take(np.flatnonzero(~held_out))
    tuned = fine_tuning.fine_tune_in(
        arguments.out / _FINE_TUNING,
        model,
        train,
        readable.take(np.flatnonzero(held_out)) if held_out.any() else None,
        fine_tuning.settings_of(arguments, len(train), seed=arguments.seed),
        resume=arguments.resume,
    )
    return fine_tuning.kept(arguments, model, tuned, len(train))


def _record(arguments: argparse.Namespace, dataset: Dataset, sampled: SampledDataset) -> dict[str, Any]:
    """What the model's folder says of the examples."""
    return {
        "data": {"dataset": dataset.name, "split": dataset.split, "up": dataset.up, "fingerprint": dataset.fingerprint},
        "shots": arguments.shots or "all",
        "fine_tuned": arguments.unfreeze,
        "shapes": len(sampled),
        "parameters": {
            "copies": arguments.copies,
            "up": dataset.up,
            "seed": arguments.seed,
            "target": arguments.target,
        },
    }


def _to_dict(
    arguments: argparse.Namespace, learned: Learned, sampled: SampledDataset, seconds: dict[str, float]
) -> dict[str, Any]:
    """All that was found, as JSON types."""
    adapted = learned.adapted
    return {
        "model": str(arguments.out),
        "base": adapted.base,
        "head": adapted.head.name,
        "options": adapted.head.options,
        "classes": _counts(sampled),
        "copies": arguments.copies,
        "validation": adapted.record["validation"],
        "temperature": adapted.temperature,
        "threshold": adapted.threshold,
        "least_familiarity": adapted.ood and adapted.ood.threshold,
        "trials": learned.trials,
        "seconds": seconds,
        "failures": [{"source": name, "error": error} for name, error in sampled.failures],
    }


def _counts(sampled: SampledDataset) -> dict[str, int]:
    """How many shapes of each class were learned from."""
    labels = sampled.labels.tolist()
    return {name: labels.count(label) for label, name in enumerate(sampled.classes)}


def _print(arguments: argparse.Namespace, learned: Learned, sampled: SampledDataset, seconds: dict[str, float]) -> None:
    """A table of the classes, then the whole in a few lines."""
    adapted, validation, counts = learned.adapted, learned.validation, _counts(sampled)
    held_out = validation.metrics.per_class if validation else {}
    none = {"accuracy": None, "samples": 0}
    rows = [(name, counts[name], held_out.get(name, none)) for name in adapted.classes]
    output.print_table(
        ("class", "shapes", "held out", "accuracy on these"),
        ((name, count, entry["samples"], percent(entry["accuracy"])) for name, count, entry in rows),
        right=("shapes", "held out", "accuracy on these"),
    )
    chosen = ", ".join(f"{key} {value}" for key, value in adapted.head.options.items())
    tuned = f", fine-tuned ({arguments.unfreeze})" if arguments.unfreeze else ""
    lines = {"head": f"{adapted.head.name} on the features of {adapted.base}{tuned}", "options": chosen or "none"}
    if validation:
        low, high = validation.metrics.accuracy_interval
        lines["validation accuracy"] = (
            f"{validation.metrics.accuracy:.1%} of {validation.metrics.samples} shapes that were held out "
            f"(95 % of resamples: {low:.1%} to {high:.1%})"
        )
        lines["temperature"] = f"{adapted.temperature:.3g}"
        lines["threshold"] = _threshold(learned, arguments.target)
    if adapted.ood:
        lines["OOD threshold"] = (
            f"a cosine of {adapted.ood.threshold:.2f} with the nearest class centroid, which 95 % of these shapes "
            "reach (of fewer than 20 all); a shape below it is out of distribution"
        )
    lines["seconds"] = ", ".join(f"{value:.1f} for {part.replace('_', '-')}" for part, value in seconds.items())
    print(f"Learned {len(counts)} classes from {len(sampled)} shapes, {arguments.copies} looks at each:")
    for name, words in lines.items():
        print(f"  {name:<21}{words}")
    up = f" --up={sampled.up}"
    print(f"Model:  {arguments.out}\nUse it: clip2point classify FILES --model {arguments.out}{up}")


def _threshold(learned: Learned, target: float) -> str:
    """What the threshold means."""
    validation, threshold = learned.validation, learned.adapted.threshold
    if threshold is None or validation is None or validation.answered_accuracy is None:
        return f"none with which {target:.0%} of the answers would be right, so every shape gets an answer"
    return (
        f"{threshold:.1%}, which {validation.answered:.1%} of these shapes reach, and of those "
        f"{validation.answered_accuracy:.1%} are named rightly; others are called unknown"
    )


def _shots(text: str) -> int | None:
    """A whole number from 1, or None for all."""
    return None if text == "all" else options.positive(text)
