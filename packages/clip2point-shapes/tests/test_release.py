"""The demo shapes in clip2point are what the generators draw."""

import numpy as np
import pytest

from clip2point.shapes import load_shape
from clip2point.shapes.demo_shapes import DEMO_CLASSES, demo_files
from clip2point_shapes.release import DEMO_STYLES, main, release_demo_shapes


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return {path.stem: path for path in release_demo_shapes(tmp_path_factory.mktemp("made"))}


def test_every_demo_class_has_a_style(made):
    assert tuple(DEMO_STYLES) == tuple(made) == DEMO_CLASSES


@pytest.mark.parametrize("name", DEMO_CLASSES)
def test_shipped_demo_shapes_are_made_again_byte_by_byte(made, name):
    shipped = demo_files()[name]
    if made[name].read_bytes() == shipped.read_bytes():
        return
    # Another kind of processor may round last bits otherwise, and may change nothing else.
    again, before = load_shape(made[name]).mesh, load_shape(shipped).mesh
    np.testing.assert_array_equal(again.faces, before.faces)
    np.testing.assert_allclose(again.vertices, before.vertices, rtol=0, atol=1e-6 * np.ptp(before.vertices))
    assert [material.color for material in again.materials] == [material.color for material in before.materials]


def test_another_run_gives_the_same_bytes(made, tmp_path):
    for path in release_demo_shapes(tmp_path):
        assert path.read_bytes() == made[path.stem].read_bytes()


def test_command_states_the_size(tmp_path, capsys):
    main(["--out", str(tmp_path)])
    assert "16 files, 744 kB" in capsys.readouterr().out
