import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from clip2point.core.errors import DataError, ShapeError
from pocket_recipe import catalogues
from pocket_recipe.catalogues import find_catalogues, read_catalogues

#: A wedge, 1 x 2 x 3, that has no symmetry; its tip is at +y.
OBJ = b"""mtllib wedge.mtl
v 0 0 0
v 1 0 0
v 0 2 0
v 0 0 3
vt 0 0
vt 1 0
vt 0 1
usemtl red
f 1/1 2/2 3/3
f 1/1 3/2 4/3
f 1/1 4/2 2/3
f 2/1 3/2 4/3
"""
MTL = b"newmtl red\nKd 1 1 1\nmap_Kd skin.png\n"

TABLE = """# A catalogue
id=Test#catalogue
license=CC0 \\
  1.0
id#1=Test#wedge
name#1=Wedge
tags#1=Test, Tool, Red thing
category#1=Office
creator#1=H\u00e9l\u00e8ne
model#1=/things/wedge/wedge.obj
id#2=Test#lying
name#2=Lying wedge
category#2=Garden
license#2=CC-BY
model#2=/things/wedge/wedge.obj
modelRotation#2=1 0 0 0 0 1 0 -1 0
"""


def png(color=(255, 0, 0), size=4):
    buffer = io.BytesIO()
    Image.new("RGB", (size, size), color).save(buffer, "PNG")
    return buffer.getvalue()


def members(table=TABLE, **others):
    """The files of a catalogue by name."""
    files = {
        "PluginFurnitureCatalog.properties": table.encode("latin-1"),
        "PluginFurnitureCatalog_fr.properties": b"name#1=Coin",
        "things/wedge/wedge.obj": OBJ,
        "things/wedge/wedge.mtl": MTL,
        "things/wedge/skin.png": png(),
    }
    return files | others


def write_archive(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def one_model(member="things/wedge/wedge.obj", extra=""):
    return f"id#1=Test#one\nname#1=One\nmodel#1={member}\n{extra}\n"


@pytest.fixture
def catalogue(tmp_path):
    return write_archive(tmp_path / "test.sh3f", members())


def test_models_come_with_names_tags_and_licences(catalogue):
    wedge, lying = read_catalogues([catalogue])
    assert wedge.info.to_dict() == {
        "key": "Test-wedge",
        "caption": "Wedge",
        "captions": ["Wedge", "Tool", "Red thing"],
        "category": "Office",
        "licence": "CC0 1.0",
        "creator": "Hélène",
        "source": "sweethome3d:test.sh3f",
    }
    assert (lying.key, lying.info.licence, lying.info.category) == ("Test-lying", "CC-BY", "Garden")


def test_models_face_minus_z_with_their_texture(catalogue):
    wedge = read_catalogues([catalogue])[0].open()
    assert wedge.up == "y"
    np.testing.assert_array_equal(wedge.points.min(axis=0), [-1, 0, -3])
    np.testing.assert_array_equal(wedge.points.max(axis=0), [0, 2, 0])
    material = wedge.mesh.materials[wedge.mesh.face_materials[0]]
    np.testing.assert_array_equal(material.texture[0, 0], [255, 0, 0])


def test_the_rotation_is_applied(catalogue):
    lying = read_catalogues([catalogue])[1].open()
    # (x, y, z) -> (x, z, -y), then half a turn about y.
    np.testing.assert_array_equal(lying.points.min(axis=0), [-1, 0, 0])
    np.testing.assert_array_equal(lying.points.max(axis=0), [0, 3, 2])


def test_an_unpacked_catalogue_is_the_same(catalogue, tmp_path):
    folder = tmp_path / "unpacked"
    for name, data in members().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    assert find_catalogues(folder) == [folder]
    packed, unpacked = read_catalogues([catalogue]), read_catalogues([folder])
    assert [model.key for model in packed] == [model.key for model in unpacked]
    for one, other in zip(packed, unpacked, strict=True):
        np.testing.assert_array_equal(one.open().points, other.open().points)


def test_folders_are_searched_and_jars_without_furniture_passed_over(tmp_path):
    (tmp_path / "usr" / "share").mkdir(parents=True)
    write_archive(tmp_path / "usr" / "share" / "b.sh3f", members())
    jar = members()
    jar["com/DefaultFurnitureCatalog.properties"] = jar.pop("PluginFurnitureCatalog.properties")
    write_archive(tmp_path / "usr" / "a.jar", jar)
    write_archive(tmp_path / "library.jar", {"Main.class": b"x"})
    (tmp_path / "broken.jar").write_bytes(b"PK")
    found = find_catalogues(tmp_path)
    assert [path.name for path in found] == ["a.jar", "b.sh3f"]
    models = read_catalogues(found)
    assert len({model.key for model in models}) == len(models) == 4


def test_captions_without_a_name_come_from_the_file(tmp_path):
    path = write_archive(tmp_path / "plain.sh3f", members("model#7=/things/wedge/wedge.obj\n"))
    (model,) = read_catalogues([path])
    assert (model.key, model.info.caption, model.info.licence) == ("plain-7", "wedge", "")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"other.txt": b"x"}, "holds no table"),
        (None, "no zip archive or damaged"),
    ],
)
def test_what_is_no_catalogue(tmp_path, files, message):
    path = tmp_path / "test.sh3f"
    if files is None:
        path.write_bytes(b"not a zip")
    else:
        write_archive(path, files)
    with pytest.raises(DataError, match=message) as error:
        read_catalogues([path])
    assert "test.sh3f" in str(error.value)


def test_a_table_that_is_a_bomb(tmp_path, monkeypatch):
    monkeypatch.setattr(catalogues, "_MAX_TABLE_BYTES", 1000)
    path = write_archive(tmp_path / "bomb.sh3f", members(TABLE + "#" * 5000))
    with pytest.raises(DataError, match="zip bomb"):
        read_catalogues([path])


def test_a_broken_table_lists_nothing_or_what_it_can(tmp_path):
    path = write_archive(tmp_path / "odd.sh3f", members("\\u12\n=\nmodel#\nmodel#1\nname=\\"))
    for model in read_catalogues([path]):
        with pytest.raises(ShapeError):
            model.open()


@pytest.mark.parametrize(
    ("member", "extra", "message"),
    [
        ("things/none.obj", "", "does not hold it"),
        ("../wedge.obj", "", "outside the catalogue"),
        ("/things/../../etc/passwd", "", "outside the catalogue"),
        (r"C\:\\wedge.obj", "", "outside the catalogue"),
        ("", "", "outside the catalogue"),
        ("things/wedge/skin.png", "", "unknown extension"),
        ("things/wedge/wedge.obj", "modelRotation#1=1 0 0", "expected the nine numbers"),
        ("things/wedge/wedge.obj", "modelRotation#1=a b c d e f g h i", "expected the nine numbers"),
        ("things/wedge/wedge.obj", "modelRotation#1=0 0 0 0 0 0 0 0 0", "expected the nine numbers"),
        ("things/wedge/wedge.obj", "modelRotation#1=nan 0 0 0 1 0 0 0 1", "expected the nine numbers"),
    ],
)
def test_models_that_cannot_be_opened(tmp_path, member, extra, message):
    path = write_archive(tmp_path / "odd.sh3f", members(one_model(member, extra)))
    (model,) = read_catalogues([path])
    with pytest.raises(ShapeError, match=message) as error:
        model.open()
    assert str(error.value).startswith("odd.sh3f: ")


def test_a_model_that_is_a_bomb(tmp_path, monkeypatch):
    files = members(one_model(), **{"things/wedge/wedge.obj": OBJ + b"#" * 100_000})
    path = write_archive(tmp_path / "bomb.sh3f", files)
    monkeypatch.setattr(catalogues, "MAX_BYTES", 10_000)
    (model,) = read_catalogues([path])
    with pytest.raises(ShapeError, match="zip bomb"):
        model.open()


def test_textures_outside_the_model_s_folder_are_not_unpacked(tmp_path):
    evil = b"newmtl red\nKd 1 1 1\nmap_Kd ../../../skin.png\n"
    files = members(one_model(), **{"things/wedge/wedge.mtl": evil, "things/wedge/../../../skin.png": png()})
    path = write_archive(tmp_path / "evil.sh3f", files)
    before = sorted(tmp_path.rglob("*"))
    shape = read_catalogues([path])[0].open()
    assert shape.mesh is not None
    assert sorted(tmp_path.rglob("*")) == before


def test_links_out_of_an_unpacked_catalogue_are_refused(tmp_path):
    folder = tmp_path / "unpacked"
    folder.mkdir()
    (folder / "PluginFurnitureCatalog.properties").write_text(one_model("wedge.obj"))
    (tmp_path / "secret.obj").write_bytes(OBJ)
    (folder / "wedge.obj").symlink_to(tmp_path / "secret.obj")
    (model,) = read_catalogues([folder])
    with pytest.raises(ShapeError, match="link leads"):
        model.open()


def test_only_what_a_model_names_is_unpacked(tmp_path, monkeypatch):
    files = members(one_model())
    files["things/wedge/huge.png"] = bytes(5_000_000)
    files["things/wedge/other.obj"] = bytes(5_000_000)
    path = write_archive(tmp_path / "shared.sh3f", files)
    monkeypatch.setattr(catalogues, "MAX_BYTES", len(OBJ + MTL) + 1000)
    assert read_catalogues([path])[0].open().mesh.materials[-1].texture is not None
