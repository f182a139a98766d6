"""USD."""

import numpy as np
import pytest
from sample_files import CLOUD, FACES, VERTICES

from clip2point.core import native
from clip2point.core.errors import ShapeError
from clip2point.shapes import load_shape
from clip2point.shapes.triangles import triangle_areas

pytest.importorskip("pxr")
from pxr import Gf, Sdf, Usd, UsdGeom, UsdShade, UsdUtils

AREA = 2 * (1 * 2.25 + 1 * 3.5 + 2.25 * 3.5)

pytestmark = pytest.mark.slow


def area(shape):
    return triangle_areas(shape.mesh.vertices, shape.mesh.faces).sum()


def make_stage(path, up="Y", metres=1.0):
    stage = Usd.Stage.CreateNew(str(path))
    UsdGeom.SetStageUpAxis(stage, up)
    UsdGeom.SetStageMetersPerUnit(stage, metres)
    return stage


def add_box(stage, place="/box", moved=(0, 0, 0)):
    mesh = UsdGeom.Mesh.Define(stage, place)
    mesh.GetPointsAttr().Set(VERTICES.tolist())
    mesh.GetFaceVertexIndicesAttr().Set(FACES.ravel().tolist())
    mesh.GetFaceVertexCountsAttr().Set([3] * len(FACES))
    mesh.AddTranslateOp().Set(Gf.Vec3d(*moved))
    return mesh


@pytest.mark.parametrize("ending", ["usda", "usdc", "usd"])
def test_meshes_in_their_places(tmp_path, ending):
    stage = make_stage(tmp_path / f"a.{ending}", "Z", 0.01)
    UsdGeom.Xform.Define(stage, "/world").AddScaleOp().Set((2, 2, 2))
    add_box(stage, "/world/a", (10, 0, 0))
    mesh = add_box(stage, "/b")
    mesh.GetDisplayColorAttr().Set([(1, 0, 0)])
    stage.GetRootLayer().Save()
    shape = load_shape(tmp_path / f"a.{ending}")
    assert area(shape) == pytest.approx(5 * AREA)
    np.testing.assert_allclose(shape.points.max(axis=0), [23, 0.5, 13])
    assert (1, 0, 0, 1) in [material.color for material in shape.mesh.materials]
    assert shape.up == "z"
    assert shape.notes == ("size 0.225 x 0.045 x 0.1 m",)


def test_usdz(tmp_path):
    stage = make_stage(tmp_path / "a.usdc")
    add_box(stage)
    stage.GetRootLayer().Save()
    assert UsdUtils.CreateNewUsdzPackage(Sdf.AssetPath(str(tmp_path / "a.usdc")), str(tmp_path / "a.usdz"))
    assert area(load_shape(tmp_path / "a.usdz")) == pytest.approx(AREA)


def test_solids_instances_and_what_is_not_shown(tmp_path):
    stage = make_stage(tmp_path / "a.usda")
    UsdGeom.Cube.Define(stage, "/group/cube").GetSizeAttr().Set(2.0)
    cylinder = UsdGeom.Cylinder.Define(stage, "/cylinder")
    cylinder.GetAxisAttr().Set("X")
    cylinder.GetHeightAttr().Set(40.0)
    UsdGeom.Sphere.Define(stage, "/hidden").MakeInvisible()
    UsdGeom.Cube.Define(stage, "/guide").GetPurposeAttr().Set("guide")
    points = UsdGeom.PointInstancer.Define(stage, "/many")
    UsdGeom.Cube.Define(stage, "/many/one").AddTranslateOp().Set((0, 5, 0))
    points.GetPrototypesRel().AddTarget("/many/one")
    points.GetProtoIndicesAttr().Set([0, 0])
    points.GetPositionsAttr().Set([(0, 0, 50), (0, 0, 90)])
    copy = stage.DefinePrim("/copy", "Xform")
    copy.GetReferences().AddInternalReference("/group")
    copy.SetInstanceable(True)
    stage.GetRootLayer().Save()
    shape = load_shape(tmp_path / "a.usda")
    assert area(shape) == pytest.approx(24 * 4 + 2 * np.pi * 41, rel=0.01)
    np.testing.assert_allclose([shape.points.min(axis=0), shape.points.max(axis=0)], [[-20, -1, -1], [20, 6, 91]])


def test_clouds_and_colours_of_materials(tmp_path):
    stage = make_stage(tmp_path / "a.usda")
    UsdGeom.Points.Define(stage, "/cloud").GetPointsAttr().Set(CLOUD.tolist())
    stage.GetRootLayer().Save()
    assert np.allclose(load_shape(tmp_path / "a.usda").points, CLOUD)
    material, shader = UsdShade.Material.Define(stage, "/m"), UsdShade.Shader.Define(stage, "/m/s")
    shader.CreateIdAttr("UsdPreviewSurface")
    shader.CreateInput("diffuseColor", Sdf.ValueTypeNames.Color3f).Set((0, 1, 0))
    material.CreateSurfaceOutput().ConnectToSource(shader.ConnectableAPI(), "surface")
    UsdShade.MaterialBindingAPI.Apply(add_box(stage).GetPrim()).Bind(material)
    stage.GetRootLayer().Save()
    shape = load_shape(tmp_path / "a.usda")
    assert shape.mesh.materials[0].color == (0, 1, 0, 1)
    assert len(shape.points) == 8  # points beside a mesh are left out


def test_other_files_are_not_opened(tmp_path):
    stage = make_stage(tmp_path / "other.usda")
    add_box(stage, "/box")
    stage.GetRootLayer().Save()
    for name in (str(tmp_path / "other.usda"), "./other.usda"):
        (tmp_path / "a.usda").write_text(f'#usda 1.0\ndef "a" (references = @{name}@</box>) {{}}\n')
        with pytest.raises(ShapeError, match="needs another file, .*other.usda'.*usdcat --flatten"):
            load_shape(tmp_path / "a.usda")


def test_damaged_files_are_one_line(tmp_path, monkeypatch):
    stage = make_stage(tmp_path / "a.usdc")
    mesh = add_box(stage)
    stage.GetRootLayer().Save()
    whole = (tmp_path / "a.usdc").read_bytes()
    for data, message in (
        (b"some words", "is no USD file"),
        (b"#usda 1.0\n", "holds no meshes"),
        (b"#usda 1.0\ndef {", "cannot be decoded"),
        (whole[:200], "cannot be decoded"),
        (b"PK\3\4" + whole, "cannot be decoded"),
    ):
        (tmp_path / "b.usd").write_bytes(data)
        with pytest.raises(ShapeError, match=message) as caught:
            load_shape(tmp_path / "b.usd")
        assert "\n" not in str(caught.value)
    mesh.GetFaceVertexIndicesAttr().Set([0, 1, 99] * len(FACES))
    stage.GetRootLayer().Export(str(tmp_path / "c.usda"))
    with pytest.raises(ShapeError, match="do not exist"):
        load_shape(tmp_path / "c.usda")
    mesh.GetFaceVertexCountsAttr().Set([3] * 99)
    stage.GetRootLayer().Export(str(tmp_path / "d.usda"))
    with pytest.raises(ShapeError, match="do not fit"):
        load_shape(tmp_path / "d.usda")
    monkeypatch.setattr(native, "find_spec", lambda module: None)
    with pytest.raises(ShapeError, match=r"reading USD needs pxr: run pip install 'clip2point\[formats\]'"):
        load_shape(tmp_path / "a.usdc")


def test_prims_are_nodes_in_their_places(tmp_path):
    stage = make_stage(tmp_path / "a.usda")
    UsdGeom.Xform.Define(stage, "/world").AddTranslateOp().Set(Gf.Vec3d(0, 0, 7))
    add_box(stage, "/world/left", (10, 0, 0))
    add_box(stage, "/world/right", (20, 0, 0))
    stage.GetRootLayer().Save()
    hierarchy = load_shape(tmp_path / "a.usda").hierarchy
    found = [(node.name, node.parent, node.transform[:3, 3].tolist()) for node in hierarchy.nodes]
    assert found == [("world", -1, [0, 0, 7]), ("left", 0, [10, 0, 7]), ("right", 0, [20, 0, 7])]
    assert np.bincount(hierarchy.face_nodes).tolist() == [0, len(FACES), len(FACES)]
