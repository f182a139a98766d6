import pytest

from clip2point.heads.trained import GDPAHead
from clip2point.model.loading import load
from clip2point.model.saving import save_model


@pytest.fixture(scope="session")
def small_pocket(tmp_path_factory):
    """Folder of the embedded model for images of 64 x 64, which are read a dozen times faster."""
    model, folder = load(dtype="fp32"), tmp_path_factory.mktemp("pocket")
    small = model.backbone.with_depth_tower(model.backbone.depth_tower(), image_size=64)
    save_model(folder, small, model.settings, {})
    return folder


@pytest.fixture
def quick(small_pocket, in_threads, tmp_path, monkeypatch):
    """A folder to work in, a cache of its own, and less to compute: small images, few epochs, one process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLIP2POINT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("clip2point.model.folders.POCKET", small_pocket)
    monkeypatch.setattr("clip2point.core.machine.available_cores", lambda: 1)
    monkeypatch.setattr(GDPAHead, "grid", ({"epochs": 5},))
    in_threads(monkeypatch)
    return tmp_path
