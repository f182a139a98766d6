"""What the README shows works as it stands there."""

from itertools import product
from pathlib import Path

import pytest

from clip2point_shapes import generate, write_mesh
from page_runner import run_page

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def files(quick):
    """The files that the examples speak of."""
    write_mesh(generate("chair"), quick / "chair.off")
    (quick / "scans").mkdir()
    write_mesh(generate("table"), quick / "scans" / "table.ply")
    (quick / "labels.txt").write_text("chair\ntable\n")
    for name in ("chair", "table", "lamp"):
        (quick / "labelled" / name).mkdir(parents=True)
        write_mesh(generate(name), quick / "labelled" / name / "1.ply")
    for name, seed in product(("chair", "table"), range(4)):
        (quick / "parts" / name).mkdir(parents=True, exist_ok=True)
        write_mesh(generate(name, seed=seed), quick / "parts" / name / f"{seed}.ply")


@pytest.mark.slow
@pytest.mark.usefixtures("files")
def test_it_runs(capsys):
    pytest.importorskip("lancedb")
    assert run_page(README, "README.md", capsys) == (8, 2)


def test_it_is_short():
    assert len(README.splitlines()) <= 150
