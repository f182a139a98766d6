import pytest

from clip2point.cli.main import main
from clip2point.pretraining.pairs import open_source


@pytest.mark.parametrize(
    ("limit", "rows"), [(1, [0]), (3, [0, 2, 4]), (6, [0, 1, 2, 3, 4, 5]), (99, [0, 1, 2, 3, 4, 5])]
)
def test_fewer_models_are_spread_over_the_source(limit, rows, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for number in range(3):
            (tmp_path / name / f"{number}.off").write_text("OFF\n0 0 0\n")
    whole, fewer = (open_source(str(tmp_path), limit=some).models for some in (None, limit))
    assert [model.key for model in fewer] == [whole[row].key for row in rows]


def test_the_command_takes_a_limit(capsys, tmp_path):
    assert main(["pairs", "samples:1", "--out", str(tmp_path), "--limit", "2", "--dry-run"]) == 0
    assert "2 models of samples" in capsys.readouterr().out
