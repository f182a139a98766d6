import pytest

from clip2point.backbones.transformers_backbone import load_transformers_backbone
from clip2point.evaluation.speed import benchmark, peak_memory


@pytest.mark.slow
def test_every_stage_is_timed_beside_another_way(tiny_clip):
    backbones = {dtype: load_transformers_backbone(tiny_clip, dtype=dtype) for dtype in ("fp32", "bf16")}
    timings = benchmark(backbones, "ring-2", 64, repeats=1)
    stages = {timing.stage for timing in timings}
    assert stages == {
        "read a .glb mesh",
        "sample 64 points",
        "render 2 x 224 px",
        "encode 2 x 32 px",
        "file to embedding",
    }
    assert all(timing.seconds > 0 for timing in timings)
    rendering = [timing for timing in timings if timing.stage.startswith("render")]
    assert len(rendering) == 3
    slowest = max(rendering, key=lambda timing: timing.seconds)
    for timing in rendering:
        if timing is not slowest:
            assert timing.against == slowest.way
            assert timing.ratio == slowest.seconds / timing.seconds
    assert {"against", "ratio"} <= rendering[0].to_dict().keys()


def test_peak_memory_is_in_bytes():
    assert 1e8 < peak_memory() < 1e11
