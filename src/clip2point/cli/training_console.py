"""Progress of a training in the console: a bar with the losses, accuracies, and a curve."""

from __future__ import annotations

import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clip2point.cli import output
from clip2point.core.errors import OptionError

if TYPE_CHECKING:
    from clip2point.training.metrics_log import StepMetrics

#: Seconds between two lines where there is no terminal for a progress bar.
_LINE_SECONDS = 30


class TrainingConsole:
    """Callback with a progress bar, or with lines where stderr is no terminal; draws the curve after each validation.

    Args:
        out: Folder of the training.
    """

    def __init__(self, out: Path) -> None:
        self._out = out
        self._bar: Any = None
        self._task: Any = None
        self._total = 0
        self._last_line = 0.0

    def __enter__(self) -> TrainingConsole:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if self._bar is not None:
            self._bar.stop()
        if kind is None:  # a second error must not hide the first
            self._draw()

    def on_start(self, step: int, total: int) -> None:
        """Show the bar."""
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        for package, files in (("tensorboardX", "TensorBoard events are"), ("matplotlib", "curve.png is")):
            if find_spec(package) is None:
                output.remark(f"{files} not written, because {package} is not installed.")
        self._total = total
        console = Console(stderr=True)
        if console.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, console=console)
            self._task = self._bar.add_task("Training", completed=step, total=total)
            self._bar.start()

    def on_step(self, metrics: StepMetrics) -> None:
        """Show the losses."""
        parts = ", ".join(f"{name} {value:.3f}" for name, value in metrics.losses.items() if name != "total")
        text = f"loss {metrics.losses['total']:.3f} ({parts}), {metrics.per_second:.0f} {metrics.unit}/s"
        if self._bar is not None:
            self._bar.update(self._task, completed=metrics.step, description=text)
        elif time.monotonic() - self._last_line > _LINE_SECONDS or metrics.step == self._total:
            output.remark(f"step {metrics.step:,} of {self._total:,}, epoch {metrics.epoch:.2f}: {text}")
            self._last_line = time.monotonic()

    def on_validation(self, metrics: StepMetrics) -> None:
        """Show the accuracies."""
        self.on_step(metrics)
        assert metrics.accuracy is not None
        output.remark(f"epoch {metrics.epoch:.2f}: {metrics.accuracy:.1%} of the validation shapes correct")
        self._draw()

    def _draw(self) -> None:
        """Draw the curve, if matplotlib is installed."""
        from clip2point.core.files import replacing
        from clip2point.report.training_curve import plot_training
        from clip2point.training.metrics_log import read_metrics

        if self._total == 0 or not (rows := read_metrics(self._out)):
            return
        try:
            image = plot_training(rows)
        except OptionError:  # matplotlib is not installed
            return
        with replacing(self._out / "curve.png") as unfinished:
            unfinished.write_bytes(image)
