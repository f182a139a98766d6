import pytest
import torch
from torch import nn

from clip2point.backbones.single_channel import fold_first_convolution
from clip2point.core.errors import ModelError

MEAN, STD = (0.48, 0.46, 0.41), (0.27, 0.26, 0.28)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("kernel", "stride"), [(8, 8), (5, 2)])
def test_equals_repeat_normalise_convolve(bias, kernel, stride):
    torch.manual_seed(0)
    convolution = nn.Conv2d(3, 16, kernel, stride, bias=bias)
    depth = torch.rand(4, 1, 32, 32)
    mean, std = (torch.tensor(values)[:, None, None] for values in (MEAN, STD))
    plain = convolution((depth.expand(-1, 3, -1, -1) - mean) / std)
    torch.testing.assert_close(fold_first_convolution(convolution, MEAN, STD)(depth), plain, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "convolution", [nn.Conv2d(1, 4, 3), nn.Conv2d(3, 3, 3, groups=3), nn.Conv2d(3, 4, 3, padding=1)]
)
def test_other_convolutions_are_refused(convolution):
    with pytest.raises(ModelError, match="expected 3 input channels, one group and no padding"):
        fold_first_convolution(convolution, MEAN, STD)
