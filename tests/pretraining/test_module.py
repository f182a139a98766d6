import pytest
import torch
from torch.nn.functional import normalize

from clip2point.core.errors import OptionError
from clip2point.pretraining.losses import caption_loss, nt_xent, pretraining_loss
from clip2point.pretraining.module import Features, LossSettings, PretrainingModel


class Tower(torch.nn.Module):
    """Keeps the images' first eight pixels, scaled."""

    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(8))

    def forward(self, images):
        return images.flatten(1)[:, :8] * self.scale


@pytest.fixture
def features():
    torch.manual_seed(0)
    depth1, depth2, image = torch.randn(3, 6, 8).unbind()
    return Features(depth1, depth2, image, torch.arange(6) % 4)


@pytest.fixture
def captions():
    return normalize(torch.randn(4, 8, generator=torch.Generator().manual_seed(1)), dim=-1)


def losses(features, captions=None, **settings):
    return PretrainingModel(Tower(), LossSettings(**settings), captions).losses(features)


def test_the_default_is_the_papers_loss(features):
    parts = losses(features)
    expected = pretraining_loss(*features[:3], sigma=1.0)
    assert torch.equal(parts["total"], expected.total)
    assert torch.equal(parts["cross"], expected.cross)
    assert torch.equal(parts["intra"], expected.intra)


def test_each_loss_can_be_switched(features, captions):
    mean = (features.depth1 + features.depth2) / 2
    assert torch.equal(losses(features, intra=False)["total"], nt_xent(mean, features.image))
    assert torch.equal(losses(features, cross=False)["total"], nt_xent(features.depth1, features.depth2))
    distance = losses(features, cross=False, intra=False, distance=2.0)
    expected = 2 - 2 * torch.cosine_similarity(mean, features.image).mean()
    assert torch.allclose(distance["total"], 2 * expected, atol=1e-5)
    both = losses(features, captions, caption=0.5)
    assert torch.allclose(both["total"], losses(features)["total"] + 0.5 * both["caption"])
    without_images = features._replace(image=None)
    assert set(losses(without_images, captions, cross=False, intra=False, caption=1.0)) == {"caption", "total"}


def test_parts_of_the_loss_are_reported(features, captions):
    assert set(losses(features, captions, caption=0.5, distance=0.5)) == {
        *("cross", "intra", "sigma", "caption", "distance", "total")
    }
    assert set(losses(features, intra=False)) == {"cross", "total"}
    assert set(losses(features, cross=False)) == {"intra", "total"}


def test_weights_below_one_count(features, captions):
    alone = losses(features, captions)["total"]
    parts = losses(features, captions, caption=0.5, distance=0.25)
    torch.testing.assert_close(parts["total"], alone + 0.5 * parts["caption"] + 0.25 * parts["distance"])


@pytest.mark.parametrize(
    ("settings", "needed"),
    [({}, True), ({"cross": False}, False), ({"cross": False, "distance": 0.5}, True)],
)
def test_images_are_needed_where_a_loss_reads_them(settings, needed):
    assert LossSettings(**settings).needs_images == needed


def test_both_depth_maps_are_compared_with_the_caption_of_their_own_model(captions):
    numbers = torch.tensor([2, 0, 3])
    exact = Features(captions[numbers], captions[numbers], None, numbers)
    settings = {"cross": False, "intra": False, "caption": 1.0}
    assert losses(exact, captions, **settings)["caption"].abs() < 1e-5
    # Each half alone has to match, too.
    for swapped in ("depth1", "depth2"):
        other = exact._replace(**{swapped: captions[numbers.roll(1)]})
        expected = caption_loss(captions[numbers.roll(1)], captions, numbers) / 2
        torch.testing.assert_close(losses(other, captions, **settings)["caption"], expected, atol=1e-5, rtol=0)


def test_the_caption_loss_is_least_at_the_captions_own_features(captions):
    numbers = torch.tensor([0, 3, 1])
    assert caption_loss(captions[numbers] * 3, captions, numbers, 0.07).abs() < 1e-5
    depth = (captions[numbers] + 0.3 * torch.randn(3, 8, generator=torch.Generator().manual_seed(2))).requires_grad_()
    loss = caption_loss(depth, captions, numbers, 0.07)
    assert loss > 0
    (gradient,) = torch.autograd.grad(loss, depth)
    assert caption_loss(depth - 0.01 * gradient, captions, numbers, 0.07) < loss


def test_forward_reads_both_depth_maps_and_trains_tower_and_sigma(features):
    from clip2point.pretraining.batches import Batch

    model = PretrainingModel(Tower(), LossSettings())
    depth = torch.rand(2, 6, 1, 4, 4)
    found = model(Batch(depth, features.image, None))
    assert torch.equal(found.depth1, depth[0].flatten(1)[:, :8])
    assert torch.equal(found.depth2, depth[1].flatten(1)[:, :8])
    model.losses(found)["total"].backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    assert "captions" not in model.state_dict()


def test_features_of_captions_are_no_weights_and_belong_to_their_loss_alone(captions):
    model = PretrainingModel(Tower(), LossSettings(caption=0.5), captions)
    assert torch.equal(model.captions, captions)
    assert set(model.state_dict()) == {"tower.scale", "sigma"}
    assert PretrainingModel(Tower(), LossSettings(), captions).captions is None


def test_sigma_is_fixed_where_nothing_is_to_be_weighed():
    assert not PretrainingModel(Tower(), LossSettings(cross=False)).sigma.requires_grad


def test_invalid_settings_are_refused():
    with pytest.raises(OptionError, match="no loss is asked for"):
        LossSettings(cross=False, intra=False)
    with pytest.raises(OptionError, match="temperature is 0: expected above 0"):
        LossSettings(temperature=0)
    with pytest.raises(OptionError, match="caption is -1"):
        LossSettings(caption=-1)
    with pytest.raises(OptionError, match="needs the features of the captions"):
        PretrainingModel(Tower(), LossSettings(caption=1.0))
