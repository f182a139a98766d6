"""``clip2point bench``: how fast is it here?"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from clip2point.cli import options, output

if TYPE_CHECKING:
    from clip2point.backbones import Backbone
    from clip2point.cli.classify import Subparsers

#: Named only here: the paper's tower without its weights, which suffices to measure its speed.
_RANDOM_VIT = "random-vit-b-32"


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "bench",
        help="measure speed",
        description="Time every stage on this machine, each beside another way of doing the same.",
        epilog=f"--model {_RANDOM_VIT} measures the paper's ViT-B/32 with random weights, without a download.",
    )
    options.add_model(parser)
    parser.add_argument("--views", default="clip2point-10", help="view set (default clip2point-10)")
    parser.add_argument("--points", type=int, default=1024, help="points drawn from each shape (default 1024)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Measure."""
    import torch

    from clip2point.evaluation.speed import benchmark, peak_memory

    numbers = ("fp32", "bf16") if arguments.dtype == "auto" else (arguments.dtype,)
    backbones = {number: _backbone(arguments, number) for number in numbers}
    timings = benchmark(backbones, arguments.views, arguments.points)
    memory, threads = peak_memory(), torch.get_num_threads()
    if arguments.json:
        output.print_json(
            {"threads": threads, "peak_memory_bytes": memory, "timings": [timing.to_dict() for timing in timings]}
        )
        return 0
    output.print_table(
        ("stage", "way", "ms an object", "objects/s", "faster than"),
        (
            (
                timing.stage,
                timing.way,
                f"{timing.seconds * 1e3:.2f}",
                f"{1 / timing.seconds:.1f}",
                f"{timing.ratio:.1f} x  {timing.against}" if timing.against else "",
            )
            for timing in timings
        ),
        right=("ms an object", "objects/s"),
    )
    peak = f", peak memory {memory / 2**20:.0f} MiB" if memory else ""
    print(f"{threads} threads{peak}. Times vary with the machine; compare the ratios.")
    return 0


def _backbone(arguments: argparse.Namespace, dtype: str) -> Backbone:
    """The towers to be measured, in one number format."""
    if arguments.model != _RANDOM_VIT:
        from clip2point.model import load

        return load(arguments.model, device=arguments.device, dtype=dtype).backbone
    import torch
    from transformers import CLIPConfig, CLIPModel

    from clip2point.backbones.transformers_backbone import TransformersBackbone

    torch.manual_seed(0)
    model = CLIPModel(CLIPConfig()).eval().requires_grad_(False)  # the defaults are those of ViT-B/32
    return TransformersBackbone(model, None, {}, name=_RANDOM_VIT, device=arguments.device, dtype=dtype)
