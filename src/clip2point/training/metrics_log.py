"""Metrics of a training: one row a step in a CSV file, and TensorBoard events where that is installed."""

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
#: Present names of the columns that release 0.1.0 named otherwise.
_RENAMED_COLUMNS = {"gradient": "gradient_norm"}


@dataclass(frozen=True)
class StepMetrics:
    """Metrics of one step.

    Attributes:
        step: Number of the steps that are done, from 1.
        epoch: Epochs that are done.
        lr: Learning rate.
        gradient_norm: Norm of the gradient before clipping.
        losses: Parts of the loss and their "total", which the file calls "loss".
        per_second: Samples per second over all devices, waiting for data included.
        unit: Name of the samples, in the plural: "pairs", "shapes".
        accuracy: Accuracy on the validation shapes after this step, in [0, 1]; None without a validation.
        mean_class_accuracy: Mean class accuracy on the same shapes.
    """

    step: int
    epoch: float
    lr: float
    gradient_norm: float
    losses: Mapping[str, float]
    per_second: float
    unit: str
    accuracy: float | None = None
    mean_class_accuracy: float | None = None

    def row(self) -> dict[str, Any]:
        """Return the cells by column; unknown ones are empty."""
        accuracies = {"accuracy": self.accuracy, "mean_class_accuracy": self.mean_class_accuracy}
        return {
            "step": self.step,
            "epoch": f"{self.epoch:.4f}",
            "lr": f"{self.lr:.8g}",
            "gradient_norm": f"{self.gradient_norm:.6g}",
            **{"loss" if name == "total" else name: f"{value:.6g}" for name, value in self.losses.items()},
            f"{self.unit}_per_second": f"{self.per_second:.1f}",
            **{name: "" if value is None else f"{value:.6f}" for name, value in accuracies.items()},
        }


class MetricsLog:
    """Log of the metrics in a folder. Rows after the step of the checkpoint that a run resumes from are removed.

    Args:
        folder: Folder of the training.
        step: Step that the run begins after; 0 for a new training.
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
        """Close the files."""
        self._file.close()
        if self._events is not None:
            self._events.close()


def read_metrics(folder: Path) -> list[dict[str, float | None]]:
    """Read the metrics of a training.

    Args:
        folder: Folder of the training.

    Returns:
        Values by column for each step, None where a cell is empty; an empty list if there is no such file.

    Raises:
        DataError: If the file is damaged.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     log = MetricsLog(Path(folder), step=0)
        ...     log.add(StepMetrics(1, 0.5, 0.1, 2.0, {"total": 3.0}, per_second=9.0, unit="pairs"))
        ...     log.close()
        ...     [row["loss"] for row in read_metrics(Path(folder))]
        [3.0]
    """
    path = folder / METRICS
    if not path.is_file():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(io.StringIO(_rename_columns(file.read())))
            return [{name: float(cell) if cell else None for name, cell in row.items()} for row in rows]
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise DataError(f"{path}: is damaged ({error}): expected one row a step; remove it") from None


def _rename_columns(text: str) -> str:
    """Replace former names of columns in the header by their present ones."""
    header, newline, rows = text.partition("\n")
    return ",".join(_RENAMED_COLUMNS.get(name, name) for name in header.split(",")) + newline + rows


def _truncate(path: Path, step: int) -> None:
    """Remove the rows after a step; a row that a kill cut short belongs to a later one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = _rename_columns(path.read_text(encoding="utf-8")) if path.is_file() else ""
    lines = text.splitlines(keepends=True)
    remaining = lines[:1] if step else []
    for line in lines[1:]:
        number = line.partition(",")[0]
        if line.endswith("\n") and number.isdecimal() and int(number) <= step:
            remaining.append(line)
    with replacing(path) as unfinished:
        unfinished.write_text("".join(remaining), encoding="utf-8", newline="")


def _event_writer(folder: Path, step: int) -> Any:
    """Return a writer of TensorBoard events, or None where it is not installed."""
    try:
        from tensorboardX import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder), purge_step=step + 1 if step else None)
