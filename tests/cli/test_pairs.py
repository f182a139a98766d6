import pytest

from clip2point.cli.main import main
from clip2point_shapes import generate, write_mesh

OBJ = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 2 3\nf 1 3 4\nf 1 4 2\nf 2 3 4\n"


@pytest.fixture(autouse=True)
def threads(in_threads, monkeypatch):
    in_threads(monkeypatch)


@pytest.fixture
def meshes(tmp_path):
    folder = tmp_path / "meshes"
    folder.mkdir()
    write_mesh(generate("chair"), folder / "chair_1.off")
    write_mesh(generate("lamp"), folder / "lamp_2.glb")
    (folder / "broken.off").write_text("<html></html>")
    return folder


@pytest.mark.slow
def test_pairs_lists_broken_models_at_the_end_and_again(meshes, tmp_path, capsys):
    out = tmp_path / "out"
    command = ["pairs", str(meshes), "--out", str(out), "--workers", "1"]
    for already in (False, True):
        assert main(command) == 1
        captured = capsys.readouterr()
        assert captured.out.startswith("2 pairs of 3 models")
        assert "1 of 3 could not be read" in captured.err
        assert "broken.off" in captured.err
        assert ("3 of 3 models are done already" in captured.err) == already
    write_mesh(generate("cup"), meshes / "broken.off")
    assert main([*command, "--retry-failed"]) == 0
    assert capsys.readouterr().out.startswith("3 pairs of 3 models")


def test_other_settings_in_the_same_folder_are_refused(meshes, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["pairs", str(meshes), "--out", str(out), "--workers", "1"]) == 1
    capsys.readouterr()
    assert main(["pairs", str(meshes), "--out", str(out), "--seed", "7"]) == 2
    assert "seed 0 (now 7)" in capsys.readouterr().err


def test_dry_run_counts_and_writes_nothing(meshes, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["pairs", str(meshes), "--out", str(out), "--dry-run"]) == 0
    captured = capsys.readouterr()
    assert "3 models of folder" in captured.out
    assert "(not stated)" in captured.out
    assert not out.exists()


def test_dry_run_holds_shapenet_against_the_paper(tmp_path, capsys, monkeypatch):
    for model in ("03001627/a1", "03001627/b2", "03797390/c3"):
        folder = tmp_path / "core" / model / "models"
        folder.mkdir(parents=True)
        (folder / "model_normalized.obj").write_text(OBJ)
    excluded = tmp_path / "excluded.txt"
    excluded.write_text("# left out\n03001627-a1.npy\nnobody\n")
    command = ["pairs", str(tmp_path / "core"), "--out", str(tmp_path / "out"), "--dry-run"]
    assert main([*command, "--excluded", str(excluded)]) == 0
    captured = capsys.readouterr()
    assert "2 models of shapenetcore.v2" in captured.out
    assert "The paper has 52,460." in captured.out
    assert "1 models left out, 2 ids given" in captured.err
    monkeypatch.setattr("clip2point.data.shapenet.SIZE", 3)
    assert main(command) == 0
    assert "This is the paper's number" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none"], "no such source"),
        (["samples:x"], "expected samples:N"),
        (["samples:1", "--up", "z"], "only folders take one"),
        (["samples:1", "--excluded", "none.txt"], "cannot read model ids"),
        (["samples:1", "--seed", "-1"], "negative"),
    ],
)
def test_what_cannot_be_done_is_one_error(arguments, message, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["pairs", *arguments, "--out", "out"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()
