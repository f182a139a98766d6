"""How well heads tell shapes of classes that they never saw from those that they learned.

Each class of a data set is left out in turn: a head learns the others from a few examples, with its options,
temperature, confidence and OOD thresholds chosen on validation shapes of the known classes, and then meets test
shapes of all classes. A shape is called unknown if its confidence or its OOD score is below its threshold.

    python benchmarks/open_set.py npz:modelnet10_1024.npz --up z --shots 16 --seeds 3
"""

from __future__ import annotations

import argparse

import numpy as np
from sklearn.metrics import roc_auc_score

import clip2point
from clip2point.backbones import PATHS
from clip2point.backbones.pooling import mean_unit_features
from clip2point.cli import output
from clip2point.core.arrays import softmax, to_array
from clip2point.data.parts import open_parts
from clip2point.data.shots import draw_shots
from clip2point.features.view_features import ViewFeatures, extract_features
from clip2point.heads.examples import Examples
from clip2point.heads.ood import fit_ood_detector
from clip2point.heads.selection import FitSettings, adapt_head

#: Validation shapes of each class at most, as in the few-shot protocol.
_VALIDATION_SHOTS = 4


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", help="as for 'clip2point evaluate'")
    parser.add_argument("--up", help="the axis that points up")
    parser.add_argument("--model", default="pocket")
    parser.add_argument("--heads", default="zero-shot,nearest-mean,tip-adapter,linear,depth-path,gdpa")
    parser.add_argument("--shots", type=int, default=16)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()

    model = clip2point.load(arguments.model, dtype="fp32")
    parts = open_parts(arguments.dataset, up=arguments.up)
    train, validation, test = (extract_features(model, part) for part in (parts.train, parts.validation, parts.test))
    text = model.class_features(parts.test.classes)
    rows = []
    for head in arguments.heads.split(","):
        rounds = [(seed, left_out) for seed in range(arguments.seeds) for left_out in range(len(text))]
        found = [
            _round(head, left_out, seed, arguments.shots, (train, validation, test), text, model.backbone.logit_scale)
            for seed, left_out in output.progress(rounds, head, len(rounds))
        ]
        rows.append((head, *(f"{100 * mean:.1f}" for mean in np.nanmean(found, axis=0))))
    print(
        f"{arguments.dataset}, {model.name}, {arguments.shots} shots, {arguments.seeds} seeds, each class left out once"
    )
    columns = (
        "AUROC",
        "of the OOD score",
        "foreign unknown by confidence",
        "by both",
        "known answered",
        "right of these",
    )
    output.print_table(("head", *columns), rows, right=columns)


def _round(
    name: str,
    left_out: int,
    seed: int,
    shots: int,
    parts: tuple[ViewFeatures, ViewFeatures, ViewFeatures],
    text: np.ndarray,
    logit_scale: float,
) -> tuple[float, ...]:
    """One class left out: the areas under the curves of confidence and OOD score, and the effect of both thresholds."""
    train, validation, test = parts
    learned = _known(train, draw_shots(train.sampled, shots, seed), left_out)
    chosen_by = _known(validation, draw_shots(validation.sampled, _VALIDATION_SHOTS, seed, fewer=True), left_out)
    text = _without(text, left_out)
    found = adapt_head(name, learned, chosen_by, text, FitSettings(logit_scale, seed))
    features = to_array(test.examples.unaugmented)
    probabilities = softmax(found.head.scores(features) / found.temperature)
    confidence, answers = probabilities.max(-1), probabilities.argmax(-1)
    detector = fit_ood_detector(learned, chosen_by, text)
    ood_score = detector.score(mean_unit_features(features[:, PATHS.index("depth")]))
    labels = to_array(test.examples.labels)
    foreign = labels == left_out
    right = (answers + (answers >= left_out) == labels)[~foreign]
    # Where no threshold reaches the target, confidence calls nothing unknown.
    unsure = confidence < (found.threshold or 0.0)
    unknown = unsure | (ood_score < detector.threshold)
    answered = ~unknown[~foreign]
    return (
        float(roc_auc_score(~foreign, confidence)),
        float(roc_auc_score(~foreign, ood_score)),
        float(unsure[foreign].mean()),
        float(unknown[foreign].mean()),
        float(answered.mean()),
        float(right[answered].mean()),
    )


def _known(found: ViewFeatures, rows: np.ndarray, left_out: int) -> Examples:
    """The rows that do not show the class that is left out; later classes move up by one."""
    rows = rows[found.sampled.labels[rows] != left_out]
    examples = found.examples.take(rows)
    labels = to_array(examples.labels)
    return Examples(examples.features, labels - (labels > left_out))


def _without(text: np.ndarray, row: int) -> np.ndarray:
    """Text features [C - 1, D] without one class."""
    return np.delete(text, row, axis=0)


if __name__ == "__main__":
    main()
