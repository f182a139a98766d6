import numpy as np
import pytest
import torch

from clip2point.backbones.photos import resize_images


@pytest.mark.parametrize("shape", [(2, 3, 40, 60), (1, 3, 24, 24), (1, 1, 300, 17)])
def test_photos_are_resized_as_pytorch_does(shape):
    images = np.random.default_rng(0).random(shape, dtype=np.float32)
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(images), (32, 32), mode="bicubic", antialias=True
    ).clamp(0, 1)
    found = resize_images(images, 32)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_photos_of_the_size_stay_and_none_are_none():
    images = np.random.default_rng(0).random((2, 3, 32, 32), dtype=np.float32)
    assert resize_images(images, 32) is images
    assert resize_images(images[:0, :, :5], 32).shape == (0, 3, 32, 32)
