import pickle
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml

from clip2point.core.errors import DataError, OptionError
from clip2point.pretraining.pairs import open_source
from pocket_recipe import manifest
from pocket_recipe.manifest import read_manifest

#: Three spikes, longest to x, then y, then z: no axis can be taken for another.
OBJ = b"v 0 0 0\nv 3 0 0\nv 0 2 0\nv 0 0 1\nf 1 2 3\nf 1 3 4\nf 1 4 2\nf 2 3 4\n"
TOYS = {
    "version": "1:1.0-1",
    "path": "pool/main/t/toys/toys_1.0-1_all.deb",
    "size": 10,
    "sha256": "0" * 64,
    "licence": "CC0-1.0",
    "stated": "usr/share/doc/toys/copyright",
    "creator": "Ann",
    "root": "usr/share/toys",
    "models": {
        "car/car.obj": ["car", "toy car", "car"],
        "sofa.obj": {"captions": ["sofa"], "up": "z", "front": "x", "licence": "MIT", "creator": "Bob"},
    },
}
FURNITURE = {**{key: TOYS[key] for key in ("version", "path", "size", "sha256", "stated")}, "root": "usr/share/chairs"}


@pytest.fixture
def unpacked(tmp_path, monkeypatch):
    """A folder that stands for what packages unpack to."""
    folder = tmp_path / "unpacked"
    (folder / "car").mkdir(parents=True)
    for name in ("car/car.obj", "sofa.obj"):
        (folder / name).write_bytes(OBJ)
    monkeypatch.setattr(manifest, "unpack_package", lambda package, root: folder)
    return folder


class WithoutReferences(yaml.SafeDumper):
    def ignore_aliases(self, data):
        return True


def write(tmp_path, packages):
    path = tmp_path / "meshes.yaml"
    path.write_text(yaml.dump({"packages": packages}, Dumper=WithoutReferences), encoding="utf-8")
    return path


def test_a_package_gives_its_models(tmp_path, unpacked):
    source = open_source(f"manifest:{write(tmp_path, {'toys': TOYS})}")
    assert source.kind == "manifest"
    car, sofa = source.models
    assert car.info.to_dict() == {
        "key": "toys-car-car",
        "caption": "car",
        "captions": ["car", "toy car"],
        "category": "car",
        "licence": "CC0-1.0",
        "creator": "Ann",
        "source": "toys",
    }
    assert (sofa.info.licence, sofa.info.creator) == ("MIT", "Bob")
    assert pickle.loads(pickle.dumps(car)).open().mesh is not None


def test_one_package_of_several_can_be_chosen(tmp_path, unpacked):
    path = write(tmp_path, {"toys": TOYS, "others": TOYS})
    assert len(open_source(f"manifest:{path}").models) == 4
    assert {model.info.source for model in open_source(f"manifest:{path}#others").models} == {"others"}
    with pytest.raises(OptionError, match="no package 'nobody': expected one of others, toys"):
        open_source(f"manifest:{path}#nobody")


@pytest.mark.parametrize("front", ["-z", "z", "x", "-x"])
def test_fronts_are_rotated_to_minus_z(tmp_path, unpacked, front):
    (unpacked / "sofa.obj").write_bytes(
        f"v 0 0 0\nv {' '.join('9' if axis == front[-1] else '0' for axis in 'xyz')}\nv 0 1 0\nf 1 2 3\n".replace(
            "9", "-9" if front.startswith("-") else "9"
        ).encode()
    )  # a fin that points to the front
    models = {"sofa.obj": {"captions": ["sofa"], "front": front}}
    (model,) = read_manifest(write(tmp_path, {"toys": {**TOYS, "models": models}}))
    shape = model.open()
    np.testing.assert_allclose(shape.points, [[0, 0, 0], [0, 0, -9], [0, 1, 0]], atol=1e-6)
    np.testing.assert_array_equal(shape.mesh.vertices, shape.points)


def test_up_and_front_together_are_a_rotation(tmp_path, unpacked):
    (sofa,) = (model for model in read_manifest(write(tmp_path, {"toys": TOYS})) if model.info.caption == "sofa")
    points = sofa.open().points[1:]
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), [3, 2, 1])
    assert np.linalg.det(points) == pytest.approx(6)
    assert points[2].tolist() == [0, 1, 0]  # z was up


def test_a_catalogue_gives_its_models(tmp_path, unpacked):
    with zipfile.ZipFile(unpacked / "chairs.sh3f", "w") as archive:
        rows = "id#1=A#seat\nname#1=Seat\nlicense#1=CC-BY\nmodel#1=/a.obj\nid#2=A#light\nname#2=Light\nmodel#2=/a.obj\n"
        archive.writestr("PluginFurnitureCatalog.properties", rows)
        archive.writestr("a.obj", OBJ)
    packages = {"chairs": {**FURNITURE, "catalogue": True, "without": ["*light"]}}
    (model,) = read_manifest(write(tmp_path, packages))
    assert (model.key, model.info.caption, model.info.licence, model.info.source) == (
        "chairs-A-seat",
        "Seat",
        "CC-BY",
        "chairs",
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"licence": ""}, "toys: lacks licence"),
        ({"stated": ""}, "toys: lacks stated"),
        ({"colour": "red"}, "unexpected key 'colour': expected some of version"),
        ({"version": 1.0}, "version is 1.0: expected text, in quotes if need be"),
        ({"size": "big"}, "size is 'big': expected an integer"),
        ({"sha256": "abc"}, "a sha256 of 64 digits"),
        ({"path": "pool/../../etc/a.deb"}, "expected pool/.../NAME.deb"),
        ({"path": "http://example.org/a.deb"}, "expected pool/.../NAME.deb"),
        ({"up": "w"}, "up is 'w': expected one of y"),
        ({"front": "y"}, "front is 'y': expected one of -z"),
        ({"catalogue": True}, "expected either models or catalogue"),
        ({"models": {"sofa.obj": []}}, "toys: sofa.obj: expected a list of captions"),
        ({"models": {"sofa.obj": [7]}}, "toys: sofa.obj: expected a list of captions"),
        ({"models": {"sofa.obj": "sofa"}}, "toys: sofa.obj: expected a mapping"),
        ({"models": {"gone.obj": ["sofa"]}}, "no such file in usr/share/toys"),
        ({"models": {"../unpacked/sofa.obj": ["sofa"]}}, "no such file in usr/share/toys"),
        ({"models": {"/etc/passwd": ["sofa"]}}, "no such file in usr/share/toys"),
        ({"models": {7: ["sofa"]}}, "toys: 7: expected the path of a model"),
    ],
)
def test_wrong_entries_are_refused(tmp_path, unpacked, changes, message):
    with pytest.raises(DataError, match=re.escape(message)):
        read_manifest(write(tmp_path, {"toys": {**TOYS, **changes}}))


@pytest.mark.parametrize(
    "text", ["", "packages: {}", "- 1", "a: [", "packages: {toys: 7}", "!!python/object:os.system x"]
)
def test_other_files_are_refused(tmp_path, text):
    path = tmp_path / "meshes.yaml"
    path.write_text(text)
    with pytest.raises((DataError, OptionError), match=re.escape(str(path))):
        read_manifest(path)


def test_a_missing_manifest_is_refused(tmp_path):
    with pytest.raises(OptionError, match="cannot be read .*expected a manifest in YAML"):
        open_source(f"manifest:{tmp_path / 'none.yaml'}")


def test_the_manifest_of_pocket(tmp_path, monkeypatch):
    """It is valid, names each mesh once and has a caption and a licence for all."""
    path = Path(__file__).parents[1] / "meshes.yaml"
    packages = yaml.safe_load(path.read_text(encoding="utf-8"))["packages"]
    for name, entry in packages.items():
        for model in entry.get("models", {}):
            (tmp_path / name / model).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / model).touch()
    monkeypatch.setattr(manifest, "find_catalogues", lambda folder: [])
    monkeypatch.setattr(manifest, "unpack_package", lambda package, root: tmp_path / package.name)
    models = read_manifest(path)
    lines = re.findall(r"^      (\S+):", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(models) == len(set(lines)) == len(lines) > 250
    assert all(caption == caption.strip() for model in models for caption in model.info.captions)
    assert all(model.info.licence and model.info.creator for model in models)
    assert {"airplane", "car", "sofa", "bottle", "toilet"} <= {model.info.caption for model in models}


def test_references_that_unfold_to_something_large_are_refused(tmp_path):
    path = tmp_path / "meshes.yaml"
    path.write_text("a: &a [1, 1]\nb: &b [*a, *a]\npackages: {toys: {size: [*b, *b]}}\n")
    with pytest.raises(OptionError, match=r"references with \* are not read"):
        read_manifest(path)
