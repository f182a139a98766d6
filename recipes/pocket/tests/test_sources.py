import json
import re
from importlib import import_module
from pathlib import Path

import pytest

from clip2point.cli.main import main
from clip2point.core.errors import DataError, OptionError
from clip2point.core.registries import SOURCES
from clip2point.data.pairs import is_key
from clip2point.pretraining.pairs import PairFolder, open_source, write_pairs
from clip2point.pretraining.pairs.sources import absolute_spec
from clip2point.pretraining.recipe import read_recipe, recipe_from_dict
from pocket_recipe import list_catalogues, list_manifest

pytestmark = pytest.mark.slow

RECIPE = Path(__file__).parents[1]


def test_the_entry_points_of_the_package_are_its_sources():
    text = (RECIPE / "pyproject.toml").read_text(encoding="utf-8")
    table = text.partition('[project.entry-points."clip2point.sources"]')[2].partition("[")[0]
    points = dict(re.findall(r'(\w+) = "(.+)"', table))
    found = {kind: getattr(import_module(module), name) for kind, (module, name) in split(points)}
    assert found == {"sweethome3d": list_catalogues, "manifest": list_manifest}
    assert set(found) == set(SOURCES.elsewhere)


def split(points):
    return [(kind, target.split(":")) for kind, target in points.items()]


def test_catalogues_are_opened_by_file_or_folder(make_catalogue, tmp_path):
    path = make_catalogue(tmp_path / "furniture" / "test.sh3f")
    for spec in (path, path.parent):
        source = open_source(f"sweethome3d:{spec}")
        assert source.kind == "sweethome3d"
        assert [model.key for model in source.models] == ["Test-bed", "Test-sofa"]
        assert all(is_key(model.key) and str(tmp_path) not in str(model.info) for model in source.models)


def test_what_is_no_catalogue_is_refused(tmp_path):
    with pytest.raises(OptionError, match="expected a furniture catalogue"):
        open_source(f"sweethome3d:{tmp_path / 'none'}")
    with pytest.raises(DataError, match="has no models"):
        open_source(f"sweethome3d:{tmp_path}")


def test_catalogues_take_no_up_axis(make_catalogue, tmp_path):
    path = make_catalogue(tmp_path / "test.sh3f")
    with pytest.raises(OptionError, match="only folders take one"):
        open_source(f"sweethome3d:{path}", up="z")


def test_pairs_of_a_catalogue_are_rendered_and_go_on(make_catalogue, tmp_path, capsys):
    path = make_catalogue(tmp_path / "test.sh3f")
    out = tmp_path / "pairs"
    write_pairs(open_source(f"sweethome3d:{path}"), out, workers=1)
    assert main(["pairs", f"sweethome3d:{path}", "--out", str(out)]) == 0
    captured = capsys.readouterr()
    assert "2 of 2 models are done already" in captured.err
    index = json.loads((out / "index.json").read_text())
    assert (index["recipe"]["source"], index["shards"][0]["keys"]) == ("sweethome3d", ["Test-bed", "Test-sofa"])
    assert PairFolder(out, open_source(f"sweethome3d:{tmp_path}")).remaining == 0


def test_a_catalogue_without_its_kind_says_how_to_give_it(make_catalogue, tmp_path):
    path = make_catalogue(tmp_path / "test.sh3f")
    with pytest.raises(OptionError, match=r"since release 0\.2\.0 is given as sweethome3d:.*test\.sh3f$"):
        open_source(str(path))


def test_the_recipe_of_pocket_can_be_read_and_names_its_sources():
    recipe = read_recipe(RECIPE / "pocket.yaml")
    assert recipe_from_dict(json.loads(json.dumps(recipe.to_dict())), "again") == recipe
    meshes, samples = (source.source for source in recipe.data.sources)
    assert absolute_spec(meshes, RECIPE) == f"manifest:{RECIPE / 'meshes.yaml'}"
    assert samples == "samples:24"
