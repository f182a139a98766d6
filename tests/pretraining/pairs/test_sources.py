import pickle
import sys

import numpy as np
import pytest

from clip2point.core.errors import DataError, OptionError, PluginError, ShapeError
from clip2point.core.registries import SOURCES
from clip2point.data.pairs import PairInfo, is_key
from clip2point.pretraining.pairs import SourceModel, open_source, register_source
from clip2point.pretraining.pairs.sources import absolute_spec
from clip2point.shapes import Shape
from clip2point_shapes import generate, write_mesh

OBJ = b"v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 2 3\nf 1 3 4\nf 1 4 2\nf 2 3 4\n"


@pytest.fixture
def shapenet(tmp_path):
    """A folder in the layout of ShapeNetCore.v2: two chairs, a mug, a model without mesh, an unknown synset."""
    root = tmp_path / "ShapeNetCore.v2"
    for model in ("03001627/b2", "03001627/a1", "03797390/c3", "99999999/d4"):
        folder = root / model / "models"
        folder.mkdir(parents=True)
        (folder / "model_normalized.obj").write_bytes(OBJ)
    (root / "03001627" / "empty" / "models").mkdir(parents=True)
    return root


def keys(source):
    return [model.key for model in source.models]


def test_shapenet_is_known_by_its_layout(shapenet):
    source = open_source(str(shapenet))
    assert source.kind == "shapenetcore.v2"
    assert keys(source) == ["03001627-a1", "03001627-b2", "03797390-c3"]
    assert [model.info.caption for model in source.models] == ["chair", "chair", "mug"]
    assert source.models[0].open().mesh is not None


def test_models_are_left_out_by_id_or_key(shapenet):
    source = open_source(str(shapenet), excluded=["b2", "03797390-c3", "nobody"])
    assert keys(source) == ["03001627-a1"]
    assert source.excluded == 2
    with pytest.raises(DataError, match="all 3 models are excluded"):
        open_source(str(shapenet), excluded=["a1", "b2", "c3"])


def test_folders_caption_by_folder_and_name(tmp_path):
    for name in ("night_stand/train/night_stand_0001.off", "old_lamp_12.off", "chairs/arm.v2.off", "chairs/arm.v2.stl"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        write_mesh(generate("chair"), tmp_path / name)
    source = open_source(str(tmp_path))
    assert source.kind == "folder"
    assert len(set(keys(source))) == 4
    assert not any("." in key for key in keys(source))
    captions = {model.key: model.info.captions for model in source.models}
    assert captions["night_stand-train-night_stand_0001"] == ("night stand",)
    assert captions["old_lamp_12"] == ("old lamp",)
    assert ("chairs", "arm") in captions.values()


def test_the_up_axis_turns_meshes_of_folders(tmp_path):
    write_mesh(generate("lamp", seed=1), tmp_path / "lamp.off")
    plain, turned = (open_source(str(tmp_path), up=up).models[0].open() for up in ("y", "z"))
    np.testing.assert_array_equal(turned.points[:, 1], plain.points[:, 2])
    assert open_source(str(tmp_path)).models[0].open().up == "y"


def test_only_folders_take_an_up_axis(shapenet):
    with pytest.raises(OptionError, match="only folders take one"):
        open_source(str(shapenet), up="z")
    assert open_source(f"folder:{shapenet}", up="z").kind == "folder"
    with pytest.raises(OptionError, match="unknown up-axis"):
        open_source(str(shapenet), up="up")


def test_samples_have_all_styles_and_grow_without_change():
    few, more = open_source("samples:1"), open_source("samples:2")
    assert set(keys(few)) < set(keys(more))
    assert len(more.models) == 2 * len(few.models)
    assert {model.info.category for model in few.models} >= {"night stand", "tv stand", "xbox"}
    assert not set(keys(few)) & set(keys(open_source("samples:1", seed=1)))
    assert few.models[0].open().mesh is not None


@pytest.mark.parametrize("spec", ["samples:", "samples:0", "samples:many", "samples:-1", "samples:99999999"])
def test_samples_in_odd_numbers(spec):
    with pytest.raises(OptionError, match="expected samples:N"):
        open_source(spec)


def test_samples_without_the_generators_say_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "clip2point_shapes", None)
    with pytest.raises(OptionError, match="generators are not installed: run 'pip install clip2point-shapes'"):
        open_source("samples:1")


def test_what_is_no_source_is_told_what_there_is(tmp_path):
    file = tmp_path / "chair.off"
    file.write_text("OFF")
    for spec in (tmp_path / "none", file):
        with pytest.raises(OptionError, match=r"expected a folder of ShapeNetCore.v2 or of meshes, .*folder:PATH"):
            open_source(str(spec))
    with pytest.raises(OptionError, match=r"chair\.off: is no folder"):
        open_source(f"folder:{file}")
    (tmp_path / "empty").mkdir()
    for kind in ("folder", "shapenetcore.v2"):
        with pytest.raises(DataError, match="has no models: expected a folder of ShapeNetCore.v2"):
            open_source(f"{kind}:{tmp_path / 'empty'}")
    with pytest.raises(OptionError, match="negative"):
        open_source("samples:1", seed=-1)


def test_models_can_be_pickled_and_have_clean_keys(shapenet, tmp_path):
    for spec in (str(shapenet), f"folder:{shapenet}", "samples:1"):
        for model in open_source(spec).models:
            assert pickle.loads(pickle.dumps(model)).info == model.info
            assert is_key(model.key)
            assert str(tmp_path) not in str(model.info)


def test_a_broken_mesh_is_found_when_it_is_opened(tmp_path):
    (tmp_path / "broken.off").write_text("<html>")
    (model,) = open_source(str(tmp_path)).models
    with pytest.raises(ShapeError, match="broken.off"):
        model.open()


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.sh3f", "sweethome3d"), ("a.jar", "sweethome3d"), ("a.yaml", "manifest"), ("A.YML#toys", "manifest")],
)
def test_what_release_0_1_0_read_by_its_ending_says_where_that_went(tmp_path, name, kind):
    spec = str(tmp_path / name)
    for exists in (False, True):
        with pytest.raises(OptionError, match=rf"is given as {kind}:.*{name}, .*pip install \./recipes/pocket$"):
            open_source(spec)
        if not exists:
            (tmp_path / name.partition("#")[0]).touch()
    with pytest.raises(OptionError, match=rf"'{kind}' is not installed: in a checkout .*pip install \./recipes/pocket"):
        open_source(f"{kind}:{spec}")


@pytest.mark.parametrize("name", ["a.sh3f", "below/PluginFurnitureCatalog.properties"])
def test_folders_with_catalogues_are_not_taken_for_folders_of_meshes(tmp_path, name):
    (tmp_path / "below").mkdir()
    (tmp_path / name).touch()
    (tmp_path / "solid.obj").write_bytes(OBJ)
    with pytest.raises(OptionError, match="is or holds a furniture catalogue"):
        open_source(str(tmp_path))
    assert keys(open_source(f"folder:{tmp_path}")) == ["solid"]


def make_ball():
    return Shape(np.zeros((1, 3), np.float32), None, "ball")


def list_balls(request):
    return [
        SourceModel(PairInfo(f"ball_{number}", ("ball",), "toy", "", "", "toys"), make_ball)
        for number in range(request.seed, request.seed + int(request.text))
    ]


@pytest.fixture
def balls():
    register_source("balls", list_balls)
    yield
    SOURCES.unregister("balls")


def test_a_registered_source_is_opened_by_its_kind(balls):
    source = open_source("balls:3", seed=4)
    assert source.kind == "balls"
    assert keys(source) == ["ball_4", "ball_5", "ball_6"]
    with pytest.raises(OptionError, match=r"folder:PATH, samples:N or balls:\.\.\."):
        open_source("nothing")


def test_names_of_sources_have_no_colon_and_are_not_built_in():
    for kind in ("folder", "samples", "shapenetcore.v2", "my:balls", ""):
        with pytest.raises(OptionError):
            register_source(kind, list_balls)


@pytest.mark.parametrize(
    ("models", "message"),
    [
        (["ball"], "something else than SourceModels"),
        ([SourceModel(PairInfo("a.b", ("ball",), "", "", "", ""), make_ball)], r"has the key 'a\.b': expected keys"),
        ([SourceModel(PairInfo("a", ("ball",), "", "", "", ""), make_ball)] * 2, "has a key twice"),
    ],
)
def test_models_of_an_added_source_are_checked(balls, models, message):
    register_source("balls", lambda request: models)
    with pytest.raises(PluginError, match=message):
        open_source("balls:3")


def test_an_installed_package_adds_a_source(plugins):
    plugins.install(
        """
        from clip2point.data.pairs import PairInfo
        from clip2point.pretraining.pairs import SourceModel

        def list_cones(request):
            return [SourceModel(PairInfo(request.text, ("cone",), "", "", "", "cones"), print)]
        """,
        """
        [clip2point.sources]
        cones = MODULE:list_cones
        """,
    )
    assert keys(open_source("cones:red")) == ["red"]


def test_paths_of_a_source_become_absolute_and_all_else_stays(balls, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("meshes", "toys.yaml", "a#b", "3"):
        (tmp_path / name).mkdir()
    assert absolute_spec("meshes") == str(tmp_path / "meshes")
    assert absolute_spec("folder:meshes") == f"folder:{tmp_path / 'meshes'}"
    assert absolute_spec("samples:3") == "samples:3"
    assert absolute_spec("balls:3") == f"balls:{tmp_path / '3'}"
    assert absolute_spec("manifest:toys.yaml#ball") == f"manifest:{tmp_path / 'toys.yaml'}#ball"
    assert absolute_spec("toys.yaml#ball") == f"{tmp_path / 'toys.yaml'}#ball"
    assert absolute_spec("a#b") == str(tmp_path / "a#b")
    assert absolute_spec("folder:meshes", tmp_path / "meshes") == "folder:meshes"
    assert absolute_spec("b", tmp_path) == "b"
