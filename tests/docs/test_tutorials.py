"""The tutorials run from top to bottom in an empty folder, as they say."""

from pathlib import Path

import pytest

from page_runner import run_page

TUTORIALS = Path(__file__).parents[2] / "docs" / "tutorials"
#: Commands and blocks of Python in each.
EXPECTED = {
    "recognise": (7, 4),
    "learn": (4, 4),
    "search": (10, 1),
    "measure": (7, 0),
    "depth-maps": (1, 2),
    "pretrain": (4, 0),
}
NEEDS = {"search": "lancedb", "pretrain": "lightning_fabric", "measure": "matplotlib"}


def test_all_are_listed():
    assert set(EXPECTED) == {path.stem for path in TUTORIALS.glob("*.md")} - {"index"}
    index = (TUTORIALS / "index.md").read_text(encoding="utf-8")
    assert all(f"({name}.md)" in index for name in EXPECTED)


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPECTED)
def test_they_run(name, quick, capsys):
    pytest.importorskip(NEEDS.get(name, "numpy"))
    text = (TUTORIALS / f"{name}.md").read_text(encoding="utf-8")
    assert run_page(text, f"{name}.md", capsys) == EXPECTED[name]
