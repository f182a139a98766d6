import numpy as np
import pytest
import torch

from clip2point.core.errors import OptionError, PluginError
from clip2point.core.registries import STYLES
from clip2point.rendering import register_style, render_depth, view_set
from clip2point.rendering.depth import check_style, rendering_key, style_code

#: Points as single dark pixels.
SPECKS = """
import torch


def draw(scene):
    points = scene.view_points()
    size = scene.image_size
    column, row = (((1 - points[..., axis]) * size / 2).long().clamp(0, size - 1) for axis in (0, 1))
    images = torch.ones(len(points), size * size, device=points.device)
    images.scatter_(1, row * size + column, {value})
    return images.view(-1, size, size)
"""


def offer(plugins, value):
    plugins.install(SPECKS.format(value=value), "[clip2point.styles]\nspecks = MODULE:draw\n")


@pytest.fixture
def points():
    return np.random.default_rng(0).uniform(-0.4, 0.4, (2, 50, 3)).astype(np.float32)


@pytest.fixture
def unregistered():
    yield
    for name in ("own", "specks"):
        STYLES.unregister(name)


def test_a_package_adds_a_style(plugins, points):
    offer(plugins, 0.5)
    images = render_depth(points, "ring-3", image_size=16, style="specks")
    assert (images.shape, images.dtype) == ((2, 3, 16, 16), np.float32)
    assert set(np.unique(images)) == {0.5, 1}
    front = render_depth(np.array([[[0.3, 0.4, 0]]], np.float32), "clip2point-6", image_size=20, style="specks")[0, 0]
    assert np.argwhere(front == 0.5).tolist() == [[6, 13]]  # up and, seen from +z, on the right
    assert torch.is_tensor(render_depth(torch.from_numpy(points), "ring-3", image_size=16, style="specks"))


def test_unknown_styles_are_answered_with_those_that_there_are(plugins, points):
    offer(plugins, 0.5)
    with pytest.raises(
        OptionError, match=r"unknown depth style 'speks': expected one of clip2point, .*, specks; the n"
    ):
        check_style("speks")
    with pytest.raises(OptionError, match="unknown depth style"):
        render_depth(points, "ring-3", style="speks")


@pytest.mark.parametrize(
    ("shape", "dtype"), [((2, 3, 8, 9), np.float32), ((6, 8), np.float32), ((2, 3, 8, 8), np.float64)]
)
def test_images_of_another_shape_or_type_are_refused(points, unregistered, shape, dtype):
    register_style("own", lambda scene: np.ones(shape, dtype))
    with pytest.raises(PluginError, match=r"'own' drew .*: expected \[B, V, S, S\] = \[2, 3, 8, 8\] float32"):
        render_depth(points, "ring-3", image_size=8, style="own")


def test_built_in_names_stay(unregistered):
    with pytest.raises(OptionError, match="'pointclip' is built in"):
        register_style("pointclip", lambda scene: None)


def test_keys_of_built_in_styles_are_those_of_old_caches():
    angles = [[20, 0], [20, 180]]
    assert rendering_key(view_set("ring-2"), 0.02, "pointclip") == {
        "views": angles,
        "radius": 0.02,
        "style": "pointclip",
    }


def test_only_plug_ins_add_their_code_to_a_key(plugins):
    assert style_code("clip2point") == {}
    offer(plugins, 0.5)
    assert style_code("specks").keys() == {"style_code"}


def test_the_key_of_a_plug_in_holds_its_code(plugins):
    keys = []
    for value in (0.5, 0.25):
        offer(plugins, value)
        keys.append(rendering_key(view_set("ring-2"), 0.02, "specks")["style_code"])
        plugins.uninstall()
    assert keys[0] != keys[1]
