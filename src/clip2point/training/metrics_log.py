"""The record of a training: one row a step in a CSV file, and TensorBoard events where that is installed."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clip2point.core.errors import DataError
from clip2point.core.files import replacing

METRICS = "metrics.csv"
_EVENTS = "tensorboard"


@dataclass(frozen=True)
class StepMetrics:
    """What one step gave.

    Attributes:
        step: how many steps are done, from 1.
        epoch: rounds through the data that are done.
        lr: learning rate.
        gradient: length of the gradient before it was clipped.
        losses: the parts of the loss and its "total", which the file calls "loss".
        per_second: pairs or shapes, over all devices, waiting for data included.
        unit: which of these, in the plural.
        accuracy: on the validation shapes after this step, in [0, 1], if they were looked at.
        mean_class_accuracy: likewise.
    """

    step: int
    epoch: float
    lr: float
    gradient: float
    losses: Mapping[str, float]
    per_second: float
    unit: str
    accuracy: float | None = None
    mean_class_accuracy: float | None = None

    def row(self) -> dict[str, Any]:
        """Cells by column; what is not known is empty."""
        validated = {"accuracy": self.accuracy, "mean_class_accuracy": self.mean_class_accuracy}
        return {
            "step": self.step,
            "epoch": f"{self.epoch:.4f}",
            "lr": f"{self.lr:.8g}",
            "gradient": f"{self.gradient:.6g}",
            **{"loss" if name == "total" else name: f"{value:.6g}" for name, value in self.losses.items()},
            f"{self.unit}_per_second": f"{self.per_second:.1f}",
            **{name: "" if value is None else f"{value:.6f}" for name, value in validated.items()},
        }


class MetricsLog:
    """Writes metrics to a folder; what was written after the step that a training goes on from is taken out.

    Args:
        folder: of the training.
        step: that it goes on from; 0 for a new one.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self._path = folder / METRICS
        _truncate(self._path, step)
        self._file = self._path.open("a", encoding="utf-8", newline="")
        self._writer: csv.DictWriter[str] | None = None
        self._events = _event_writer(folder / _EVENTS, step)

    def add(self, metrics: StepMetrics) -> None:
        """Write one step."""
        row = metrics.row()
        if self._writer is None:
            self._writer = csv.DictWriter(self._file, list(row), lineterminator="\n")
            if self._file.tell() == 0:
                self._writer.writeheader()
        self._writer.writerow(row)
        self._file.flush()
        if self._events is not None:
            for name, value in row.items():
                if name != "step" and value != "":
                    self._events.add_scalar(name, float(value), metrics.step)

    def close(self) -> None:
        """Finish the files."""
        self._file.close()
        if self._events is not None:
            self._events.close()


def read_metrics(folder: Path) -> list[dict[str, float | None]]:
    """Read the metrics of a training.

    Args:
        folder: of the training.

    Returns:
        Values by column for each step, None where a cell is empty; nothing if there is no such file.

    Raises:
        DataError: if the file is damaged.
    """
    path = folder / METRICS
    if not path.is_file():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [{name: float(cell) if cell else None for name, cell in row.items()} for row in csv.DictReader(file)]
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise DataError(f"{path}: is damaged ({error}): expected one row a step; remove it") from None


def _truncate(path: Path, step: int) -> None:
    """Keep the rows up to a step; a row that a kill cut short belongs to a later one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.is_file() else []
    kept = io.StringIO()
    for line in lines[:1] if step else []:
        kept.write(line)
    for line in lines[1:]:
        number = line.partition(",")[0]
        if line.endswith("\n") and number.isdecimal() and int(number) <= step:
            kept.write(line)
    with replacing(path) as unfinished:
        unfinished.write_text(kept.getvalue(), encoding="utf-8", newline="")


def _event_writer(folder: Path, step: int) -> Any:
    """A writer of TensorBoard events, or None where it is not installed."""
    try:
        from tensorboardX import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder), purge_step=step + 1 if step else None)
