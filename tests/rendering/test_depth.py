import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import dense_depth, grey, mean_depth, zbuffer

from clip2point.core.errors import OptionError
from clip2point.core.registries import STYLES
from clip2point.rendering import (
    DepthScene,
    discs_numba,
    discs_torch,
    pointclip,
    render_depth,
    render_zbuffer,
    rotate_modelnet,
    view_set,
)

#: Two generated clouds (a chair of boxes, a torus) rendered by the authors' renderer, PyTorch3D 0.7.9 on the CPU.
GOLDEN = np.load(Path(__file__).parent.parent / "data" / "depth_generated.npz")
CASES = {
    "10 views": ("clip2point-10", "10", None),
    "6 views": ("clip2point-6", "6", None),
    "10 views, jittered distances": ("clip2point-10", "10_dist", "dist"),
}
BACKENDS = ["numba", "numpy", "torch"]


def golden_zbuffer(key):
    """Z-buffers [B, V, S, S]; the file has them in the order in which the authors' code splits a batch: even first."""
    stored = GOLDEN[key]
    flat = stored.reshape(-1, *stored.shape[2:])
    half = len(flat) // 2
    return np.stack([flat[:half], flat[half:]], axis=1).reshape(stored.shape)


def ball(objects=2, count=200, seed=0):
    """Points in the unit ball, [B, N, 3]."""
    points = np.random.default_rng(seed).normal(size=(objects, count, 3))
    return (points / np.linalg.norm(points, axis=-1).max()).astype(np.float32)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("case", CASES)
def test_equal_to_the_authors_renderer_to_the_last_bit(case, backend):
    views, key, distances = CASES[case]
    points = torch.from_numpy(GOLDEN["points"])
    distances = None if distances is None else torch.from_numpy(GOLDEN[distances])
    z = render_zbuffer(points, views, distances, backend=backend).numpy()
    depth = render_depth(points, views, distances, backend=backend).numpy()
    np.testing.assert_array_equal(z, golden_zbuffer(f"zbuf{key}"))
    np.testing.assert_array_equal(depth, GOLDEN[f"depth{key}"])


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 1000),
    count=st.integers(1, 60),
    size=st.integers(1, 70),
    radius=st.floats(0.005, 0.6),
    spread=st.sampled_from([0.5, 1.0, 1.6]),
    jitter=st.booleans(),
)
def test_equal_to_the_plain_reference(backend, seed, count, size, radius, spread, jitter):
    rng = np.random.default_rng(seed)
    points = (rng.uniform(-1, 1, (1, count, 3)) * spread).astype(np.float32)
    views = view_set("clip2point-10")
    distances = rng.uniform(0.9, 1.1, (1, 10)).astype(np.float32) if jitter else None
    options = {"image_size": size, "radius": radius, "backend": backend}
    z = render_zbuffer(points, views, distances, **options)
    depth = render_depth(points, views, distances, **options)
    used = np.ones((1, 10), dtype=np.float32) if distances is None else distances
    rotation, translation = views.cameras(used)
    for v in range(10):
        expected = zbuffer(points[0], rotation[0, v], translation[0, v], used[0, v], size, radius)
        np.testing.assert_array_equal(z[0, v], expected)
        np.testing.assert_allclose(depth[0, v], grey(expected), atol=1e-6)


@pytest.mark.parametrize("style", STYLES.built_in)
def test_styles_give_images_in_range_of_any_size(style):
    depth = render_depth(ball(), "clip2point-6", image_size=50, style=style)
    assert depth.shape == (2, 6, 50, 50)
    assert depth.dtype == np.float32
    assert depth.min() >= 0
    assert depth.max() <= 1
    assert depth.std() > 0.01


@pytest.mark.slow
@pytest.mark.parametrize("style", STYLES.built_in)
def test_order_of_points_and_company_in_the_batch_do_not_matter(style):
    points = ball(3)
    together = render_depth(points, "clip2point-6", style=style)
    shuffled = np.random.default_rng(1).permutation(points, axis=1)
    np.testing.assert_allclose(render_depth(shuffled, "clip2point-6", style=style), together, atol=1e-6)
    np.testing.assert_allclose(render_depth(points[1:2], "clip2point-6", style=style), together[1:2], atol=1e-6)


@pytest.mark.parametrize("backend", BACKENDS)
def test_runs_are_equal_to_the_last_bit(backend):
    points = ball(5, 2000)
    first = render_depth(points, "clip2point-10", backend=backend)
    np.testing.assert_array_equal(render_depth(points, "clip2point-10", backend=backend), first)


@pytest.mark.slow
def test_the_number_of_threads_changes_no_bit():
    code = (
        "import sys, numba, numpy as np; from clip2point.rendering import render_depth; "
        "points = np.frombuffer(sys.stdin.buffer.read(), np.float32).reshape(5, -1, 3); "
        "depth = render_depth(points, 'ring-4', image_size=64); assert numba.get_num_threads() == 3; "
        "sys.stdout.buffer.write(depth.tobytes())"
    )
    points = ball(5, 300)
    drawn = subprocess.run(
        [sys.executable, "-c", code],
        input=points.tobytes(),
        capture_output=True,
        check=True,
        env={**os.environ, "NUMBA_NUM_THREADS": "3"},
    )
    assert drawn.stdout == render_depth(points, "ring-4", image_size=64).tobytes()


@pytest.mark.parametrize("style", STYLES.built_in)
def test_near_differs_from_far_and_both_from_the_background(style):
    # Two plates: a near one in the upper half, a far one in the lower half.
    x, y = np.meshgrid(np.linspace(-0.5, 0.5, 200), np.linspace(0.1, 0.5, 100))
    near = np.stack([x, y, np.full_like(x, 0.5)], -1).reshape(-1, 3)
    far = near * [1, -1, -1]
    depth = render_depth(np.concatenate([near, far])[None].astype(np.float32), "clip2point-6", style=style)[0, 0]
    background = depth[3, 3]
    near_grey, far_grey = (np.median(half[half != background]) for half in (depth[:112], depth[112:]))
    assert near_grey < far_grey
    assert background in (0, 1)
    assert min(abs(near_grey - background), abs(far_grey - background)) > 0.05


def test_the_camera_sees_its_own_side():
    # A point on the object's right (+x) is on the image's right from the front and on its left from behind.
    depth = render_depth(np.float32([[[0.5, 0, 0], [0, 0.6, 0]]]), "clip2point-6", radius=0.1)[0]
    front, back = depth[0] < 1, depth[2] < 1
    assert front[112, 168]
    assert not front[112, 56]
    assert back[112, 56]
    assert front[45, 112]


def test_distance_is_a_zoom():
    points = ball()
    far, near = (render_depth(points, "clip2point-6", np.full((2, 6), d, dtype=np.float32)) < 1 for d in (1.5, 1.0))
    assert far.sum() < near.sum()


@pytest.mark.parametrize("backend", BACKENDS)
def test_objects_out_of_sight_leave_a_white_image(backend):
    points = np.float32([[[5, 5, 5], [1e30, 0, 0], [-1e9, 1e9, 1e9]]])
    depth = render_depth(points, "clip2point-10", backend=backend, image_size=32)
    assert (depth == 1).all()


def test_arrays_give_arrays_and_tensors_tensors():
    points = ball()
    array = render_depth(points, "clip2point-6")
    tensor = render_depth(torch.from_numpy(points), view_set("clip2point-6"))
    assert isinstance(array, np.ndarray)
    assert isinstance(tensor, torch.Tensor)
    np.testing.assert_array_equal(array, tensor.numpy())


def test_the_papers_size_is_the_default():
    assert DepthScene(ball(), view_set("ring-2")).image_size == 224
    assert render_depth(ball(), "ring-2").shape == render_depth(ball(), "ring-2", image_size=224).shape


def test_rotate_modelnet():
    points = torch.tensor([[1.0, 2.0, 3.0]])
    assert rotate_modelnet(points).tolist() == [[-2.0, 3.0, -1.0]]
    assert points.tolist() == [[1.0, 2.0, 3.0]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"points": np.zeros((5, 3), np.float32)}, r"\[B, N, 3\].*got \[5, 3\]"),
        ({"points": np.zeros((1, 0, 3), np.float32)}, "at least 1"),
        ({"image_size": 0}, "image size 0: expected 1 to 4096"),
        ({"radius": 0.0}, "radius 0.0: expected above 0"),
        ({"style": "oil"}, "unknown depth style 'oil': expected one of clip2point"),
        ({"backend": "cuda"}, "unknown rendering backend 'cuda'"),
        ({"views": "ring"}, "unknown view set 'ring'"),
        ({"distances": np.ones((2, 3), np.float32)}, r"distances as \[B, V\] = \[2, 6\], got \[2, 3\]"),
        ({"distances": np.zeros((2, 6), np.float32)}, "distances above 0"),
    ],
)
def test_invalid_arguments_are_refused(changes, message):
    arguments = {"points": ball(), "views": "clip2point-6", **changes}
    with pytest.raises(OptionError, match=message):
        render_depth(arguments.pop("points"), arguments.pop("views"), **arguments)


def draw_points(backend, points, size, radius):
    """Z-buffer [S, S] of points [N, 3] under a camera at the origin that looks along z, one unit behind them."""
    rotation, translation = np.eye(3, dtype=np.float32), np.array([0, 0, 1], dtype=np.float32)
    centers = ((size - 1 - 2 * np.arange(size)) / size).astype(np.float32)
    arrays = (
        np.array([points], np.float32),
        rotation[None, None],
        translation[None, None],
        np.ones((1, 1), np.float32),
    )
    if backend == "numba":
        return discs_numba.rasterize(*arrays, centers, radius, False)[0, 0]
    return discs_torch.rasterize(*map(torch.from_numpy, (*arrays, centers)), radius, False)[0, 0].numpy()


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_pixel_at_exactly_the_radius_is_not_on_the_disc(backend):
    image = draw_points(backend, [[0.25, 0.25, 0]], 4, 0.5)  # pixel centres at +-0.25 and +-0.75
    assert np.argwhere(image > 0).tolist() == [[1, 1]]
    wider = draw_points(backend, [[0.25, 0.25, 0]], 4, 0.5001)
    assert np.argwhere(wider > 0).tolist() == [[0, 1], [1, 0], [1, 1], [1, 2], [2, 1]]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_point_in_the_plane_of_the_camera_is_drawn_and_one_behind_it_is_not(backend):
    assert draw_points(backend, [[0.25, 0.25, -1]], 4, 0.4)[1, 1] == 0
    assert (draw_points(backend, [[0.25, 0.25, -1.001]], 4, 0.4) == -1).all()


@pytest.mark.parametrize("seed", range(3))
def test_pointclip_equals_its_plain_reference(seed):
    points = ball(1, 300, seed) * np.float32([1, 0.8, 0.5])
    image = pointclip.mean_depth(torch.from_numpy(points), 128)[0]
    np.testing.assert_allclose(image, mean_depth(points[0]), atol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_pointclip_v2_equals_its_plain_reference(seed):
    points = ball(1, 150, seed) * np.float32([1, 0.8, 0.5])
    image = pointclip.dense_depth(torch.from_numpy(points), 110)[0]
    np.testing.assert_allclose(image, dense_depth(points[0]), atol=1e-6)


@pytest.mark.parametrize("style", ["pointclip", "pointclip-v2"])
def test_coarse_styles_are_enlarged_by_bilinear_interpolation(style):
    coarse = {"pointclip": 128, "pointclip-v2": 110}[style]
    points = ball(1)
    small = torch.from_numpy(render_depth(points, "ring-2", image_size=coarse, style=style))
    large = render_depth(points, "ring-2", image_size=200, style=style)
    expected = torch.nn.functional.interpolate(small, (200, 200), mode="bilinear", align_corners=False)
    np.testing.assert_allclose(large, expected, atol=1e-6)
