import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import clip2point
from clip2point.adaptation.weight_interpolation import interpolate_weights
from clip2point.core.errors import OptionError
from clip2point.model.settings import Settings

pytestmark = pytest.mark.slow


def changed(model, factor):
    """A model whose depth tower has other weights, as after a training."""
    tower = model.backbone.depth_tower()
    with torch.no_grad():
        for weight in tower.parameters():
            weight *= factor
    backbone = model.backbone.with_depth_tower(tower)
    backbone.logit_scale = 4 * model.backbone.logit_scale
    return clip2point.Recogniser(backbone, Settings(points=64), "tuned")


@pytest.fixture(scope="module")
def model(tiny_clip):
    return clip2point.load(tiny_clip, dtype="fp32")


@pytest.fixture(scope="module")
def tuned(model):
    return changed(model, 1.5)


def tower(model):
    return model.backbone.depth_tower().state_dict()


def test_the_ends_are_the_models_themselves(model, tuned):
    for alpha, end in ((1, tuned), (0, model)):
        found = interpolate_weights(model, tuned, alpha)
        assert found.backbone.fingerprint() == end.backbone.fingerprint()
        assert found.backbone.logit_scale == pytest.approx(end.backbone.logit_scale)
        assert (found.name, found.settings) == (model.name, tuned.settings)


@given(alpha=st.floats(0, 1))
def test_every_weight_lies_between(model, tuned, alpha):
    first, last, found = tower(model), tower(tuned), tower(interpolate_weights(model, tuned, alpha))
    for name, tensor in found.items():
        torch.testing.assert_close(tensor, (1 - alpha) * first[name] + alpha * last[name], atol=1e-5, rtol=1e-5)


def test_pocket_with_its_batch_norms_lies_between_too(untrained_pocket):
    model = clip2point.load(untrained_pocket, dtype="fp32")
    found = interpolate_weights(model, changed(model, 0.5), 0.5)
    assert all(torch.equal(tensor, tower(model)[name]) for name, tensor in tower(found).items() if "running" in name)
    assert found.backbone.encode_depth(torch.rand(1, 2, 112, 112)).isfinite().all()
    assert found.backbone.logit_scale == pytest.approx(2 * model.backbone.logit_scale)


def test_what_makes_no_sense_is_refused(model, tuned, untrained_pocket):
    with pytest.raises(OptionError, match="wise_ft_alpha is 1.5: expected 0 "):
        interpolate_weights(model, tuned, 1.5)
    with pytest.raises(OptionError, match="depth towers of different kinds"):
        interpolate_weights(clip2point.load(untrained_pocket, dtype="fp32"), tuned, 0.5)
