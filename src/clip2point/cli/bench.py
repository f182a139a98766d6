"""``clip2point bench``: speed on this machine."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from clip2point.cli import options, output

if TYPE_CHECKING:
    from clip2point.cli.classify import Subparsers

#: Spelt out here because the parser must not import torch; the tests hold it against the library.
RANDOM_VIT = "random-vit-b-32"


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "bench",
        help="measure speed",
        description="Time every stage on this machine, beside other implementations of the same.",
        epilog=f"--model {RANDOM_VIT} measures the paper's ViT-B/32 with random weights, without a download.",
    )
    options.add_model(parser)
    parser.add_argument("--views", default="clip2point-10", help="view set (default clip2point-10)")
    parser.add_argument(
        "--points", type=int, default=1024, metavar="N", help="number of points drawn from each shape (default 1024)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Measure the speed of every stage."""
    import torch

    from clip2point.evaluation.speed import benchmark, load_backbones, peak_memory

    backbones = load_backbones(arguments.model, device=arguments.device, dtype=arguments.dtype)
    timings = benchmark(backbones, arguments.views, arguments.points)
    memory, threads = peak_memory(), torch.get_num_threads()
    if arguments.json:
        output.print_json(
            {"threads": threads, "peak_memory_bytes": memory, "timings": [timing.to_dict() for timing in timings]}
        )
        return 0
    output.print_table(
        ("stage", "implementation", "ms/object", "objects/s", "speed-up over"),
        (
            (
                timing.stage,
                timing.way,
                f"{timing.seconds * 1e3:.2f}",
                f"{1 / timing.seconds:.1f}",
                f"{timing.ratio:.1f} x {timing.against}" if timing.against else "",
            )
            for timing in timings
        ),
        right=("ms/object", "objects/s"),
    )
    peak = f", peak memory {memory / 2**20:.0f} MiB" if memory else ""
    print(f"{threads} threads{peak}. Times vary with the machine and its load: compare the ratios only.")
    return 0
