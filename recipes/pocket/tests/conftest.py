"""Settings of all tests of this recipe, and its sources, as an installation would have them."""

import os

# One thread for each process: what is computed here is small.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")

import zipfile

import pytest

from clip2point.core.registries import SOURCES
from pocket_recipe import register


@pytest.fixture(autouse=True)
def sources():
    register()
    yield
    for kind in ("sweethome3d", "manifest"):
        SOURCES.unregister(kind)


OBJ = b"v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 2 3\nf 1 3 4\nf 1 4 2\nf 2 3 4\n"


@pytest.fixture
def make_catalogue():
    """Makes a furniture catalogue with two models, a sofa and a bed."""

    def make(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(path, "w") as archive:
            rows = (f"id#{at}=Test#{name}\nmodel#{at}=/solid.obj\n" for at, name in enumerate(("sofa", "bed")))
            archive.writestr("PluginFurnitureCatalog.properties", "".join(rows))
            archive.writestr("solid.obj", OBJ)
        return path

    return make
