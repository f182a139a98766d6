import json
from dataclasses import replace

import pytest

from clip2point.core.errors import DataError
from clip2point.reproduction.measured_results import RecipeResult, ResultRow, make_rows, read_result, write_result


def summary(mean, deviation=None, runs=1):
    return {"runs": runs, "accuracy": {"mean": mean, "deviation": deviation}, "top3": {"mean": 1.0, "deviation": None}}


MEASURED = {"over_seeds": summary(0.4938, 0.002, 3), "model": "m", "dataset": "modelnet40", "split": "test"}


@pytest.fixture
def result():
    return RecipeResult(
        recipe="zero-shot-x",
        fingerprint={"model": ["m", "abc"]},
        commands=("clip2point evaluate modelnet40",),
        rows=make_rows(MEASURED),
        seconds=1.5,
        device="2 cores",
        failures=0,
        measurement={**MEASURED, "samples": 2468, "note": "Of Princeton"},
    )


def test_one_measurement_is_one_row():
    assert make_rows(MEASURED) == (ResultRow("", 0.4938, 0.002, 3),)


def test_a_sweep_has_a_row_for_each_combination():
    swept = {
        "rows": [{"style": "pointclip", "radius": 0.02, **summary(0.2)}, {"style": "b", "radius": 1, **summary(0)}]
    }
    assert [row.name for row in make_rows(swept)] == ["style=pointclip, radius=0.02", "style=b, radius=1"]
    assert make_rows(swept)[0].accuracy == 0.2


def test_a_comparison_has_a_row_for_each_head_and_number_of_shots():
    cells = [
        {"head": head, "shots": shots, **summary(0.8, 0.01, 5)}
        for head in ("gdpa", "dpa:scale=off")
        for shots in (1, 16)
    ]
    rows = make_rows({"zero_shot": {"accuracy": 0.5}, "over_seeds": cells})
    assert [row.name for row in rows] == [
        *("class names alone", "gdpa, 1 shot", "gdpa, 16 shots"),
        *("dpa:scale=off, 1 shot", "dpa:scale=off, 16 shots"),
    ]
    assert rows[0] == ResultRow("class names alone", 0.5, None, 1)
    whole = make_rows({"zero_shot": {"accuracy": 0.5}, "over_seeds": [{"head": "gdpa", "shots": None, **summary(0.9)}]})
    assert whole[1].name == "gdpa"


def test_figures_are_in_percent_with_their_deviation():
    assert str(ResultRow("", 0.49381, None, 1)) == "49.38"
    assert str(ResultRow("", 0.49381, 0.0123, 3)) == "49.38 ± 1.2"


def test_the_model_of_a_sweep_is_that_of_its_fingerprint(result):
    named = replace(result, measurement={**result.measurement, "model": "measured"})
    assert named.model == "measured"
    swept = replace(result, measurement={name: value for name, value in MEASURED.items() if name != "model"})
    assert swept.model == "m"


def test_a_written_result_is_read(result, tmp_path):
    assert read_result(tmp_path, "zero-shot-x") is None
    write_result(tmp_path / "new", result)
    assert read_result(tmp_path / "new", "zero-shot-x") == result
    assert result.shapes == "modelnet40, test, 2,468 shapes"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["zero-shot-x.json"]


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"rows": [{}]}', '{"rows": 3}', "[" * 5000])
def test_files_of_other_formats_are_named(text, tmp_path):
    (tmp_path / "zero-shot-x.json").write_text(text)
    with pytest.raises(DataError, match=r"zero-shot-x.json: is no result of clip2point reproduce: remove it"):
        read_result(tmp_path, "zero-shot-x")


def test_a_result_of_release_0_1_0_is_read(result, tmp_path):
    recipe = {"captions": {"name_probability": 0.5}}
    result = replace(result, fingerprint={**result.fingerprint, "pretraining": recipe})
    values = result.to_dict()
    former = {"captions": {"name_share": 0.5}}
    values["stamp"] = {**values.pop("fingerprint"), "pretraining": former}
    (tmp_path / "zero-shot-x.json").write_text(json.dumps(values))
    assert read_result(tmp_path, "zero-shot-x") == result
