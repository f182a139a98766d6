import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clip2point.cli import options
from clip2point.cli.main import main
from clip2point.shapes import UP_AXES
from clip2point.shapes.orientation import from_y_up
from clip2point_shapes import generate, write_mesh

COMMANDS = (
    *("demo", "classify", "render", "adapt", "evaluate", "pairs", "pretrain", "convert", "push", "reproduce"),
    *("index", "search", "duplicates-report", "clusters", "app", "verify", "bench", "cache", "embed", "parts"),
)
DATA = Path(__file__).parent.parent / "data"


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    """A folder with two shapes."""
    folder = tmp_path_factory.mktemp("shapes")
    write_mesh(generate("chair"), folder / "chair.off")
    write_mesh(generate("lamp"), folder / "lamp.glb")
    return folder


def test_help_imports_nothing_heavy():
    code = "import sys; from clip2point.cli.main import build_parser; build_parser().format_help(); "
    code += "print([name for name in ('torch', 'numpy', 'numba', 'rich', 'trimesh') if name in sys.modules])"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert printed.stdout.strip() == "[]"


@pytest.mark.slow
def test_the_package_can_be_run_as_a_module(tmp_path):
    command = [sys.executable, "-m", "clip2point", "classify", str(tmp_path / "nothing.off")]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 1
    assert "nothing.off: no such file" in found.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    assert f"clip2point {command}" in capsys.readouterr().out


def test_the_parser_knows_all_up_axes():
    assert set(options.UP_CHOICES) == {"auto", *UP_AXES}


def test_classify_prints_a_table_and_says_which_labels(shapes, tiny_clip, capsys):
    assert main(["classify", str(shapes), "--model", str(tiny_clip)]) == 0
    captured = capsys.readouterr()
    assert "chair.off" in captured.out
    assert "lamp.glb" in captured.out
    assert "choosing among the names of @everyday" in captured.err


def test_classify_prints_json_and_goes_past_broken_files(shapes, tiny_clip, tmp_path, capsys):
    broken = tmp_path / "broken.off"
    broken.write_text("<html></html>")
    files = [str(shapes / "chair.off"), str(broken), str(tmp_path / "none.ply"), str(shapes / "lamp.glb")]
    arguments = ["classify", *files, "--labels", "chair,lamp,red car", "--json", "--model", str(tiny_clip)]
    assert main([*arguments, "--up=-z", "--prompts", "a {}", "the {}", "--top", "2"]) == 1
    captured = capsys.readouterr()
    record = json.loads(captured.out)
    assert [result["source"] for result in record["results"]] == [files[0], files[3]]
    assert [failure["source"] for failure in record["failures"]] == files[1:3]
    assert len(record["results"][0]["guesses"]) == 2
    assert record["results"][0]["up"] == "-z"
    assert "2 of 4 could not be read" in captured.err
    assert "none.ply" in captured.err
    assert "Traceback" not in captured.err


def test_files_may_stand_between_options(shapes, tiny_clip, capsys):
    chair, lamp = str(shapes / "chair.off"), str(shapes / "lamp.glb")
    assert main(["classify", chair, "--labels", "chair,lamp", lamp, "--json", "--model", str(tiny_clip)]) == 0
    assert [result["source"] for result in json.loads(capsys.readouterr().out)["results"]] == [chair, lamp]


def test_classify_saves_what_the_model_saw(shapes, tiny_clip, tmp_path, capsys):
    arguments = ["classify", str(shapes), "--labels", "chair,lamp", "--model", str(tiny_clip), "--views", "ring-3"]
    assert main([*arguments, "--save-views", str(tmp_path / "views")]) == 0
    depth = np.load(tmp_path / "views" / "chair" / "depth.npy")
    assert depth.shape == (3, 32, 32)
    picture = np.asarray(Image.open(tmp_path / "views" / "chair" / "depth_02.png"))
    np.testing.assert_array_equal(picture, np.round(depth[2] * 255))
    assert (tmp_path / "views" / "contact_sheet.png").is_file()


@pytest.mark.slow
def test_classify_sees_what_the_authors_renderer_draws(untrained_pocket, tmp_path, capsys):
    golden = np.load(DATA / "depth_generated.npz")
    for index, points in enumerate(golden["points"]):
        np.save(tmp_path / f"{index}.npy", from_y_up(points, "z"))  # laid into ModelNet's frame
    files = [str(tmp_path / "0.npy"), str(tmp_path / "1.npy")]
    arguments = ["--model", str(untrained_pocket), "--up", "z", "--save-views", str(tmp_path / "views")]
    assert main(["classify", *files, *arguments]) == 0
    for index in range(2):
        depth = np.load(tmp_path / "views" / str(index) / "depth.npy")
        np.testing.assert_array_equal(depth < 1, golden["depth6"][index] < 1)
        np.testing.assert_allclose(depth, golden["depth6"][index], atol=1e-6)


def test_classify_calls_shapes_unknown_on_demand(shapes, tiny_clip, capsys):
    arguments = ["classify", str(shapes / "chair.off"), "--labels", "chair,lamp", "--model", str(tiny_clip)]
    assert main([*arguments, "--unknown-below", "1"]) == 0
    assert "unknown (" in capsys.readouterr().out
    assert main([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["results"][0]["unknown"] is False
    for words in ("2", "much", "nan"):
        with pytest.raises(SystemExit):
            main([*arguments, "--unknown-below", words])
        assert "is not a number from 0 to 1" in capsys.readouterr().err


def test_labels_from_a_file(shapes, tiny_clip, tmp_path, capsys):
    labels = tmp_path / "labels.txt"
    labels.write_text("# my labels\nchair\n\n  red lamp \n")
    arguments = ["classify", str(shapes / "chair.off"), "--model", str(tiny_clip), "--json"]
    assert main([*arguments, "--labels-file", str(labels)]) == 0
    record = json.loads(capsys.readouterr().out)
    assert {guess["label"] for guess in record["results"][0]["guesses"]} == {"chair", "red lamp"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--labels", "a,,b"], "error: an empty label"),
        (["--labels-file", "nowhere.txt"], "error: nowhere.txt: cannot read labels"),
        (["--model", "nonsense"], "error: unknown model 'nonsense'"),
        (["--views", "nonsense"], "error: unknown view set 'nonsense'"),
        (["--radius", "7"], "error: radius 7.0"),
        (["--device", "abacus"], "error: device 'abacus' cannot be used"),
    ],
)
def test_invalid_options_give_one_line_and_exit_2(shapes, arguments, message, capsys):
    assert main(["classify", str(shapes / "chair.off"), *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith(message)
    assert error.count("\n") == 1


def test_an_empty_folder_is_an_error(tmp_path, capsys):
    assert main(["classify", str(tmp_path)]) == 2
    assert "no shape files in this folder; expected .off" in capsys.readouterr().err


@pytest.mark.slow
def test_render(shapes, tmp_path, capsys):
    broken = tmp_path / "broken.stl"
    broken.write_bytes(b"")
    files = [str(shapes / "chair.off"), str(broken)]
    assert main(["render", *files, "--out", str(tmp_path / "out"), "--up", "z", "--image-size", "64"]) == 1
    captured = capsys.readouterr()
    assert "1 shape in 10 views" in captured.out
    assert "broken.stl" in captured.err
    assert np.load(tmp_path / "out" / "chair" / "depth.npy").shape == (10, 64, 64)
    assert np.asarray(Image.open(tmp_path / "out" / "chair" / "color_09.png")).shape == (64, 64, 3)
    assert (tmp_path / "out" / "contact_sheet.png").is_file()


def test_demo_writes_shapes_a_contact_sheet_and_a_page(tiny_clip, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("clip2point.report.demo_page.DEMO_CLASSES", ("bottle", "chair", "table"))
    assert main(["demo", "--out", str(tmp_path), "--model", str(tiny_clip)]) == 0
    printed = capsys.readouterr().out
    assert "of 3 correct among 3 labels, by the model" in printed
    assert {path.name for path in tmp_path.iterdir()} == {"shapes", "contact_sheet.png", "report.html"}
    assert {path.name for path in (tmp_path / "shapes").iterdir()} == {"bottle.glb", "chair.glb", "table.glb"}


@pytest.mark.slow
def test_verify_passes_for_pocket(capsys):
    assert main(["verify", "--json", "--dtype", "fp32"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["passed"]
    assert all(check["passed"] for check in record["checks"])


def test_verify_names_the_first_failed_check(tiny_clip, monkeypatch, capsys):
    from clip2point.evaluation import verification
    from clip2point.model import folders

    record = folders.read_expected_record("pocket")
    wrong = {**record, "weights": {**record["weights"], "EfficientNet-Lite2": "0" * 64}}
    monkeypatch.setattr(folders, "read_expected_record", lambda model: record)
    monkeypatch.setattr(verification, "measure", lambda model, weights: wrong)
    assert main(["verify", "--model", str(tiny_clip)]) == 1
    captured = capsys.readouterr()
    assert "WRONG" in captured.out
    assert "VERIFICATION FAILED, first at: weights. The weight files are not those" in captured.err


def test_verify_of_a_model_without_a_record(tiny_clip, monkeypatch, capsys):
    monkeypatch.setattr("clip2point.evaluation.verification.CLASSES", ("bottle", "cup"))
    assert main(["verify", "--model", str(tiny_clip)]) == 0
    captured = capsys.readouterr()
    assert "of 2 demo shapes correct" in captured.out
    assert "nothing could be compared" in captured.err


def test_bench(tiny_clip, monkeypatch, capsys):
    from clip2point.evaluation import speed

    timings = [speed.Timing("render", "by hand", 2.0), speed.Timing("render", "fused", 0.5, "by hand", 4.0)]
    monkeypatch.setattr(speed, "benchmark", lambda backbones, views, points: timings)
    arguments = ["bench", "--model", str(tiny_clip), "--views", "ring-2", "--points", "64"]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    for shown in ("by hand", "2000.00", "4.0 x by hand", "peak memory"):
        assert shown in printed
    assert main([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["timings"] == [timing.to_dict() for timing in timings]


def test_bench_knows_the_tower_with_random_weights(monkeypatch, capsys):
    from clip2point.cli import bench
    from clip2point.evaluation import speed

    named = []
    monkeypatch.setattr(speed, "load_backbones", lambda name, **options: named.append((name, options)) or {})
    monkeypatch.setattr(speed, "benchmark", lambda backbones, views, points: [])
    assert bench.RANDOM_VIT == speed.RANDOM_VIT
    assert main(["bench", "--model", bench.RANDOM_VIT, "--dtype", "fp32", "--json"]) == 0
    assert named == [(speed.RANDOM_VIT, {"device": "cpu", "dtype": "fp32"})]


def test_a_closed_pipe_is_no_error(shapes, tiny_clip, monkeypatch, capsys):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", buffering=1) as nobody:
        monkeypatch.setattr("sys.stdout", nobody)
        assert main(["classify", str(shapes), "--labels", "chair,lamp", "--json", "--model", str(tiny_clip)]) == 2
    assert not capsys.readouterr().err


def test_files_of_other_formats_are_told_once_at_the_end(tmp_path, capsys):
    from clip2point.shapes.demo_shapes import write_demo_shapes

    write_demo_shapes(tmp_path / "shapes", ["chair"])
    (tmp_path / "shapes" / "a.blend").touch()
    (tmp_path / "shapes" / "b.blend").touch()
    assert main(["render", str(tmp_path / "shapes"), "--out", str(tmp_path / "images"), "--image-size", "32"]) == 0
    assert (
        capsys.readouterr().err.count("Passed over, of formats that are not read: 2 .blend. .blend: export it as") == 1
    )
