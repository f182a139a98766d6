"""STEP and IGES."""

import numpy as np
import pytest
from cad_writer import write_box, write_patch

from clip2point.core import native
from clip2point.core.errors import ShapeError
from clip2point.shapes import load_shape
from clip2point.shapes.triangles import triangle_areas

pytest.importorskip("cascadio")

pytestmark = pytest.mark.slow


def load(folder, text, name="part.step"):
    (folder / name).write_text(text)
    return load_shape(folder / name)


@pytest.mark.parametrize(("unit", "metres"), [(".MILLI.", 0.001), ("$", 1)])
@pytest.mark.parametrize("name", ["part.step", "PART.STP"])
def test_a_box_of_step_in_metres(tmp_path, unit, metres, name):
    shape = load(tmp_path, write_box((100, 200, 300), unit), name)
    np.testing.assert_allclose(shape.points.max(axis=0), np.array([100, 200, 300]) * metres, rtol=1e-5)
    assert triangle_areas(shape.mesh.vertices, shape.mesh.faces).sum() == pytest.approx(220_000 * metres**2)
    sizes = " x ".join(f"{size * metres:.3g}" for size in (100, 200, 300))
    assert shape.notes == (f"size {sizes} m",)
    assert shape.up == "auto"


@pytest.mark.parametrize("name", ["part.iges", "part.igs"])
def test_a_surface_of_iges(tmp_path, name):
    shape = load(tmp_path, write_patch(40, 30), name)
    assert triangle_areas(shape.mesh.vertices, shape.mesh.faces).sum() == pytest.approx(0.04 * 0.03)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.step", "some words", "is no STEP file"),
        ("a.igs", "some words", "is no IGES file"),
        ("a.step", write_box((1, 1, 1))[:4000], "no solid or surface"),
        ("a.step", write_box((1, 1, 1)).replace("PLANE", "PLAIN"), "no solid or surface|holds no triangles"),
        ("a.igs", write_patch(4, 3)[:400], "no solid or surface"),
        ("a.step", "ISO-10303-21;\nHEADER;\nENDSEC;\nDATA;\nENDSEC;\nEND-ISO-10303-21;\n", "no solid or surface"),
    ],
)
def test_damaged_files_are_one_line(tmp_path, name, text, message, capfd):
    with pytest.raises(ShapeError, match=message) as caught:
        load(tmp_path, text, name)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_the_package_is_named_where_it_is_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(native, "find_spec", lambda module: None)
    with pytest.raises(ShapeError, match=r"reading STEP needs cascadio: run pip install 'clip2point\[formats\]'"):
        load(tmp_path, write_box((1, 1, 1)))
