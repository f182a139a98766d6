import json

import pytest

from clip2point.core.errors import OptionError
from clip2point.model.settings import Settings
from clip2point.rendering import view_set


def test_the_defaults_are_the_papers():
    settings = Settings()
    assert (settings.views, settings.points, settings.radius) == ("clip2point-6", 1024, 0.02)
    assert settings.templates == ("image of a {}",)


def test_round_trip():
    settings = Settings("ring-8", 512, 0.05, "pointclip", ("a {}", "the {}"))
    assert Settings.from_dict({**settings.to_dict(), "other": 1}) == settings


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"views": "some"}, "unknown view set 'some'"),
        ({"points": 0}, "points 0: expected 1 to 1000000"),
        ({"radius": 2.0}, "radius 2.0: expected above 0 and at most 1"),
        ({"style": "oil"}, "unknown depth style 'oil'"),
        ({"templates": ()}, "expected at least one"),
        ({"templates": ("a chair",)}, r"each with one \{\} for the name"),
    ],
)
def test_invalid_values_are_refused(changes, message):
    with pytest.raises(OptionError, match=message):
        Settings(**changes)


def test_own_cameras_are_kept_in_the_settings(tmp_path):
    path = tmp_path / "my.json"
    cameras = [{"elevation": 10, "azimuth": 20, "distance": 1.5}, {"rotation": [[-1, 0, 0], [0, 1, 0], [0, 0, -1]]}]
    path.write_text(json.dumps({"name": "mine", "cameras": cameras}))
    settings = Settings(views=str(path))
    path.unlink()
    written = json.loads(json.dumps(settings.to_dict()))
    assert written["views"]["name"] == "mine"
    assert Settings.from_dict(written) == settings
    assert hash(Settings.from_dict(written)) == hash(settings)
    assert Settings(views=view_set("ring-8")).to_dict()["views"] == "ring-8"
