import pickle
import re
import sys
import zipfile

import numpy as np
import pytest

from clip2point.core.errors import DataError, OptionError, ShapeError
from clip2point.pretraining.pairs import open_source
from clip2point_shapes import generate, write_mesh

OBJ = b"v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 2 3\nf 1 3 4\nf 1 4 2\nf 2 3 4\n"


@pytest.fixture
def catalogue(tmp_path):
    """A furniture catalogue with two models."""
    path = tmp_path / "furniture" / "test.sh3f"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        rows = (f"id#{number}=Test#{name}\nmodel#{number}=/solid.obj\n" for number, name in enumerate(("sofa", "bed")))
        archive.writestr("PluginFurnitureCatalog.properties", "".join(rows))
        archive.writestr("solid.obj", OBJ)
    return path


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


def test_shapenet(shapenet):
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


def test_catalogues(catalogue):
    for spec in (catalogue, catalogue.parent):
        source = open_source(str(spec))
        assert source.kind == "sweethome3d"
        assert keys(source) == ["Test-bed", "Test-sofa"]


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


def test_what_is_no_source(tmp_path):
    file = tmp_path / "chair.off"
    file.write_text("OFF")
    for spec in (tmp_path / "none", file, f"folder:{file}"):
        with pytest.raises(OptionError, match="expected a folder of ShapeNetCore"):
            open_source(str(spec))
    with pytest.raises(DataError, match="has no models"):
        open_source(f"folder:{(tmp_path / 'empty').mkdir() or tmp_path / 'empty'}")
    with pytest.raises(OptionError, match="negative"):
        open_source("samples:1", seed=-1)


def test_models_can_be_pickled_and_have_clean_keys(shapenet, catalogue, tmp_path):
    for spec in (str(shapenet), str(catalogue), f"folder:{shapenet}", "samples:1"):
        for model in open_source(spec).models:
            assert pickle.loads(pickle.dumps(model)).info == model.info
            assert re.fullmatch(r"[\w-]+", model.key)
            assert str(tmp_path) not in str(model.info)


def test_a_broken_mesh_is_found_when_it_is_opened(tmp_path):
    (tmp_path / "broken.off").write_text("<html>")
    (model,) = open_source(str(tmp_path)).models
    with pytest.raises(ShapeError, match="broken.off"):
        model.open()
