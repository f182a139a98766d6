"""A cache and labelled shapes that all commands share: features are computed once, whichever test asks first."""

import shutil

import pytest

from clip2point_shapes import generate, write_mesh

CLASSES = ("chair", "lamp", "table")
COUNT = 5


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def cache(shared_cache, monkeypatch):
    monkeypatch.setenv("CLIP2POINT_CACHE", str(shared_cache))


@pytest.fixture(scope="session")
def labelled(tmp_path_factory):
    """Folder with a sub-folder of five meshes for each of three classes; not to be changed."""
    root = tmp_path_factory.mktemp("sets") / "labelled"
    for name in CLASSES:
        (root / name).mkdir(parents=True)
        for seed in range(COUNT):
            write_mesh(generate(name, seed=seed), root / name / f"{seed}.off")
    return root


@pytest.fixture
def own(labelled, tmp_path):
    """A copy of it, to be changed."""
    return shutil.copytree(labelled, tmp_path / "own")
