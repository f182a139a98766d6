import numpy as np
import pytest

from clip2point.core.errors import DataError, OptionError
from clip2point.data.pairs import PairSet
from clip2point.pretraining.captions import CaptionSettings
from clip2point.pretraining.recipe import DataSettings, SourceSettings
from clip2point.pretraining.recipe_sources import make_validation_dataset, pair_folders
from clip2point_shapes import generate, write_mesh


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CLIP2POINT_CACHE", str(tmp_path / "cache"))


def test_given_folders_are_used_unchanged(pair_folder, tmp_path):
    data = DataSettings(pairs=(str(pair_folder),), sources=(SourceSettings("never", "no/such/folder"),))
    assert pair_folders(data, tmp_path, tmp_path) == [pair_folder]


def test_sources_are_rendered_once_beside_the_training(in_threads, tmp_path, monkeypatch):
    monkeypatch.setattr("clip2point.pretraining.pairs.pair_folder.available_cores", lambda: 1)
    in_threads(monkeypatch)
    (tmp_path / "recipes" / "cups" / "cup").mkdir(parents=True)
    write_mesh(generate("cup", seed=1), tmp_path / "recipes" / "cups" / "cup" / "one.obj")
    data = DataSettings(sources=(SourceSettings("cups", "cups"),))
    steps = []

    def progress(items, total):
        for item in items:
            steps.append((item, total))
            yield item

    (folder,) = pair_folders(data, tmp_path / "out", tmp_path / "recipes", progress)
    assert folder == tmp_path / "out" / "pairs" / "cups"
    assert PairSet([folder]).infos[0].captions[0] == "cup"
    assert [total for _, total in steps] == [1]
    assert pair_folders(data, tmp_path / "out", tmp_path / "recipes", progress) == [folder]
    assert len(steps) == 1


def test_held_out_models_are_named_by_the_first_of_their_synonyms(pair_folder):
    captions = CaptionSettings(synonyms=(("flask", "bottle"),))
    dataset = make_validation_dataset([pair_folder], ["*/chair/*", "*/bottle/*"], captions)
    assert dataset.classes == ("chair", "flask")
    assert [dataset.classes[label] for label in dataset.labels] == ["flask", "chair", "chair"]
    assert dataset.split == "validation"
    points = dataset.sample(0, 256)
    assert points.shape == (256, 3)
    known = {point.tobytes() for point in PairSet([pair_folder]).points(0)}
    assert np.mean([point.tobytes() in known for point in points]) == 1


def test_nothing_held_out_is_an_error(pair_folder):
    with pytest.raises(DataError, match=r"held-out, but data\.without is empty"):
        make_validation_dataset([pair_folder], [], CaptionSettings())
    with pytest.raises(DataError, match="no model of the pairs is left"):
        make_validation_dataset([pair_folder], ["nothing"], CaptionSettings())


def test_names_of_sources_are_folder_names():
    with pytest.raises(OptionError, match=r"name is '\.\./x': expected letters"):
        SourceSettings("../x", "samples:1")
