"""The demo shapes in clip2point are what the generators draw."""

from clip2point.shapes.demo_shapes import DEMO_CLASSES, demo_files
from clip2point_shapes.release import DEMO_STYLES, main, release_demo_shapes


def test_shipped_demo_shapes_are_made_anew_byte_by_byte(tmp_path):
    made = {path.stem: path.read_bytes() for path in release_demo_shapes(tmp_path)}
    assert made == {name: path.read_bytes() for name, path in demo_files().items()}


def test_every_demo_class_has_a_style():
    assert tuple(DEMO_STYLES) == DEMO_CLASSES


def test_command_states_the_size(tmp_path, capsys):
    main(["--out", str(tmp_path)])
    assert "16 files, 744 kB" in capsys.readouterr().out
