"""EfficientNet-Lite as a graph of the inference engine, made of fused weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clip2point.backbones.efficientnet_weights import MEAN, STD, list_blocks, pad_same

if TYPE_CHECKING:
    from openvino import Model, Node

Weights = Mapping[str, NDArray[Any]]


def build_efficientnet(
    weights: Weights, shape: tuple[int, ...], head: tuple[NDArray[Any], NDArray[Any]] | None = None
) -> Model:
    """Build the graph from images to features.

    Args:
        weights: Fused weights by the names of ``efficientnet.EfficientNetLite``.
        shape: [I, 1, H, W] for grayscale images in [0, 1], or [I, 3, H, W] for normalised ones.
        head: Weight [D, 1280] and bias [D] of a linear map behind the network, or None.

    Returns:
        Graph from images to features [I, 1280] or [I, D].
    """
    import openvino as ov
    import openvino.opset13 as ops

    images = ops.parameter(list(shape), np.float32, name="images")
    stem: Node = images
    kernel = weights["_conv_stem.weight"]
    if shape[1] == 1:  # the three channels fold into one, as in ``EfficientNetLite.forward_grayscale``
        kernel = kernel.sum(axis=1, keepdims=True, dtype=np.float32) / np.float32(STD)
        stem = ops.subtract(images, ops.constant(np.float32(MEAN)))
    size: tuple[int, ...] = shape[2:]
    x = _relu6(_convolve(stem, kernel, weights["_conv_stem.bias"], size, stride=2))
    size = _halve(size, 2)
    for number, layout in enumerate(list_blocks()):
        names = {part: f"_blocks.{number}._{part}_conv" for part in ("expand", "depthwise", "project")}
        y = x
        if layout.expansion > 1:
            y = _relu6(_convolve(y, weights[f"{names['expand']}.weight"], weights[f"{names['expand']}.bias"], size))
        kernel, bias = (weights[f"{names['depthwise']}.{part}"] for part in ("weight", "bias"))
        y = _relu6(_convolve(y, kernel, bias, size, stride=layout.stride, depthwise=True))
        size = _halve(size, layout.stride)
        y = _convolve(y, weights[f"{names['project']}.weight"], weights[f"{names['project']}.bias"], size)
        x = ops.add(y, x) if layout.residual else y
    x = _relu6(_convolve(x, weights["_conv_head.weight"], weights["_conv_head.bias"], size))
    x = ops.reduce_mean(x, ops.constant(np.array([2, 3])), False)
    if head is not None:
        x = ops.add(ops.matmul(x, ops.constant(head[0]), False, True), ops.constant(head[1]))
    return ov.Model([x], [images], "efficientnet")


def _convolve(
    x: Node,
    kernel: NDArray[Any],
    bias: NDArray[Any],
    size: tuple[int, ...],
    *,
    stride: int = 1,
    depthwise: bool = False,
) -> Node:
    """Return a convolution of images of a size, with "same" padding and a bias."""
    import openvino.opset13 as ops

    pads = [pad_same(length, kernel.shape[-1], stride) for length in size]
    geometry = [stride, stride], [low for low, _ in pads], [high for _, high in pads], [1, 1]
    if depthwise:
        convolved = ops.group_convolution(x, ops.constant(kernel[:, None]), *geometry)
    else:
        convolved = ops.convolution(x, ops.constant(np.ascontiguousarray(kernel), shared_memory=True), *geometry)
    return ops.add(convolved, ops.constant(bias.reshape(1, -1, 1, 1)))


def _relu6(x: Node) -> Node:
    """Return values cut to [0, 6]."""
    import openvino.opset13 as ops

    return ops.clamp(x, 0.0, 6.0)


def _halve(size: tuple[int, ...], stride: int) -> tuple[int, ...]:
    """Return the size of images after a convolution with a stride."""
    return tuple(math.ceil(length / stride) for length in size)
