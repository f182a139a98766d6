"""``clip2point verify``: is this model what it claims to be?"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from clip2point.cli import options, output

if TYPE_CHECKING:
    from clip2point.cli.classify import Subparsers


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "verify",
        help="check a model on the demo shapes",
        description="Classify the demo shapes and hold every stage against the model's own record.",
    )
    options.add_model(parser)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Compare expected and got."""
    from clip2point.evaluation.verification import CLASSES, measure, verify
    from clip2point.model.folders import read_expected_record, weight_checksums
    from clip2point.model.loading import load

    model, name = options.load_model(arguments), arguments.model
    if model.adapted is not None:
        output.remark(
            f"{name}: the head is whole and reads the features that it was fitted on. Checking the model below it, "
            f"{model.adapted.base}:"
        )
        name = model.adapted.base
        model = load(name, device=arguments.device, dtype=arguments.dtype)
    got = measure(model, weight_checksums(name))
    expected = read_expected_record(name)
    if expected is None:
        summary = {"model": model.name, "accuracy": got["accuracy"], "samples": len(got["files"]), "checks": None}
        if arguments.json:
            output.print_json(summary)
        else:
            print(f"{model.name}: {got['accuracy']:.1%} of {len(got['files'])} demo shapes, {len(CLASSES)} labels.")
        output.remark("This model carries no record of what to expect, so nothing could be compared.")
        return 0
    checks = verify(expected, got, str(model.backbone.dtype))
    passed = all(check.passed for check in checks)
    if arguments.json:
        output.print_json(
            {
                "model": model.name,
                "accuracy": got["accuracy"],
                "samples": len(got["files"]),
                "passed": passed,
                "checks": [check.to_dict() for check in checks],
            }
        )
    else:
        output.print_table(
            ("check", "expected", "got", ""),
            ((check.name, check.expected, check.got, "ok" if check.passed else "WRONG") for check in checks),
        )
    if not passed:
        first = next(check for check in checks if not check.passed)
        output.remark(f"VERIFICATION FAILED, first at: {first.name}. {_ADVICE.get(first.name, _ADVICE['else'])}")
    return 0 if passed else 1


_ADVICE = {
    "weights": "The weight files are not those that the model was made with: reinstall them.",
    "rendering": "The model is shown other pictures than before: an up-axis, a view set or the sampling differs.",
    "scores": "The pictures are right, but the towers read them otherwise: weights, precision or prompts differ.",
    "else": "Numbers from this installation cannot be compared with others: reinstall clip2point.",
}
