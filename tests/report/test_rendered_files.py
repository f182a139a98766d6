import numpy as np
import pytest

from clip2point.model.settings import Settings
from clip2point.rendering import render_depth, view_set
from clip2point.report.rendered_files import render_files
from clip2point.report.view_folder import ViewFolder
from clip2point.shapes import load_shape, prepare_points
from clip2point_shapes import generate, write_mesh


@pytest.mark.slow
def test_readable_files_are_rendered_as_the_library_renders_them_and_others_returned(tmp_path):
    write_mesh(generate("chair"), tmp_path / "chair.off")
    np.save(tmp_path / "cloud.npy", np.random.default_rng(0).normal(size=(300, 3)).astype(np.float32))
    (tmp_path / "broken.stl").write_bytes(b"")
    files = [tmp_path / name for name in ("chair.off", "broken.stl", "cloud.npy")]
    settings, shown = Settings(views="ring-2", points=256, radius=0.03), []
    folder = ViewFolder(tmp_path / "out", view_set("ring-2"))

    def progress(items, total):
        shown.append(total)
        return items

    failures = render_files(files, folder, settings, up="z", seed=3, image_size=48, progress=progress)
    assert shown == [3]
    assert [failure.source for failure in failures] == [str(files[1])]
    assert "broken.stl" in failures[0].error
    points = prepare_points(load_shape(files[0], up="z"), 256, 3)
    expected = render_depth(points[None], "ring-2", image_size=48, radius=0.03)[0]
    np.testing.assert_array_equal(np.load(tmp_path / "out" / "chair" / "depth.npy"), expected)
    assert (tmp_path / "out" / "chair" / "color_01.png").is_file()
    assert {path.name for path in (tmp_path / "out" / "cloud").iterdir()} == {
        "depth.npy",
        "depth_00.png",
        "depth_01.png",
    }
