import pytest

from clip2point.core.errors import DataError
from clip2point.training import metrics_log
from clip2point.training.metrics_log import MetricsLog, StepMetrics, read_metrics

METRICS = StepMetrics(1, 0.5, 0.1, 2.0, {"cross": 1.0, "total": 3.0}, 9.0, "pairs")


class Events:
    """Writer of TensorBoard events that remembers them."""

    def __init__(self):
        self.scalars = []

    def add_scalar(self, *values):
        self.scalars.append(values)

    def close(self):
        self.scalars.append("closed")


def test_each_value_of_a_step_is_an_event(tmp_path, monkeypatch):
    events = Events()
    monkeypatch.setattr(metrics_log, "_event_writer", lambda folder, step: events)
    log = MetricsLog(tmp_path, 0)
    log.add(METRICS)
    log.close()
    expected = {"epoch": 0.5, "lr": 0.1, "gradient_norm": 2.0, "cross": 1.0, "loss": 3.0, "pairs_per_second": 9.0}
    assert events.scalars == [*((name, value, 1) for name, value in expected.items()), "closed"]


def test_events_after_the_checkpoint_are_replaced(tmp_path, monkeypatch):
    purged = []
    monkeypatch.setattr("tensorboardX.SummaryWriter", lambda folder, purge_step: purged.append(purge_step))
    for step in (0, 3):
        MetricsLog(tmp_path, step)._file.close()
    assert purged == [None, 4]


def test_a_row_without_validation_has_empty_cells(tmp_path):
    folder = tmp_path / "new" / "folder"
    log = MetricsLog(folder, 0)
    log.add(METRICS)
    (row,) = read_metrics(folder)  # as soon as the step is done
    log.close()
    assert row == {
        "step": 1,
        "epoch": 0.5,
        "lr": 0.1,
        "gradient_norm": 2.0,
        "cross": 1.0,
        "loss": 3.0,
        "pairs_per_second": 9.0,
        "accuracy": None,
        "mean_class_accuracy": None,
    }
    assert read_metrics(tmp_path / "elsewhere") == []


def test_a_damaged_file_is_one_error(tmp_path):
    (tmp_path / "metrics.csv").write_text("step,loss\n1,many\n")
    with pytest.raises(DataError, match="metrics.csv: is damaged .*: expected one row a step; remove it"):
        read_metrics(tmp_path)


def test_rows_after_the_checkpoint_and_cut_rows_are_removed(tmp_path):
    (tmp_path / "metrics.csv").write_text("step,epoch,loss\n1,0.1,3\n2,0.2,2\n3,0.3,1\n4,0.")
    log = MetricsLog(tmp_path, 2)
    log.close()
    assert [row["step"] for row in read_metrics(tmp_path)] == [1, 2]
    MetricsLog(tmp_path, 0).close()
    assert read_metrics(tmp_path) == []


def test_metrics_of_release_0_1_0_are_read_and_continued(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text(
        "step,epoch,lr,gradient,loss,pairs_per_second,accuracy,mean_class_accuracy\n1,0.5,0.1,2.5,3,9.0,,\n"
    )
    assert read_metrics(tmp_path)[0]["gradient_norm"] == 2.5
    log = MetricsLog(tmp_path, 1)
    log.add(StepMetrics(2, 1.0, 0.1, 1.5, {"total": 2.0}, 9.0, "pairs", 0.5, 0.25))
    log.close()
    assert [row["gradient_norm"] for row in read_metrics(tmp_path)] == [2.5, 1.5]
    assert read_metrics(tmp_path)[1]["mean_class_accuracy"] == 0.25
    assert "gradient," not in path.read_text()
