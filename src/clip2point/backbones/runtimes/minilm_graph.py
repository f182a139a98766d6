"""MiniLM as a graph of the inference engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from openvino import Model, Node

Weights = Mapping[str, NDArray[Any]]


def build_minilm_graph(weights: Weights, config: Mapping[str, Any], shape: tuple[int, ...]) -> Model:
    """Build the graph from tokens to embeddings; see ``minilm.MiniLM`` for the network.

    Args:
        weights: Arrays by the names of ``minilm.MiniLM``; those of the words are not used.
        config: Contents of the ``config.json`` of the BERT model.
        shape: [C, L, D], numbers of texts and of tokens of each, and width.

    Returns:
        Graph from the vectors [C, L, D] of words (rows of ``words.weight``, most of which are never needed) and a mask
        [C, L] float32, 1 on tokens and 0 on padding, to the mean [C, D] over the tokens, not normalised.
    """
    import openvino as ov
    import openvino.opset13 as ops

    words = ops.parameter(list(shape), np.float32, name="words")
    present = ops.parameter(list(shape[:2]), np.float32, name="present")
    eps, heads = float(config["layer_norm_eps"]), int(config["num_attention_heads"])
    places = weights["positions.weight"][: shape[1]] + weights["segments.weight"][0]
    x = _normalize(ops.add(words, ops.constant(places[None])), weights, "norm", eps)
    # Attention to padding: a bias so low that its exponential is 0.
    lowest = ops.constant(np.float32(-1e9))
    absent = ops.multiply(ops.subtract(ops.constant(np.float32(1)), present), lowest)
    bias = ops.unsqueeze(absent, ops.constant(np.array([1, 2])))
    for number in range(int(config["num_hidden_layers"])):
        x = _layer(x, weights, f"layers.{number}", heads, bias, eps)
    weight = ops.unsqueeze(present, ops.constant(np.array([2])))
    tokens = ops.constant(np.array([1]))
    total = ops.reduce_sum(ops.multiply(x, weight), tokens, False)
    return ov.Model([ops.divide(total, ops.reduce_sum(weight, tokens, False))], [words, present], "minilm")


def _layer(x: Node, weights: Weights, name: str, heads: int, bias: Node, eps: float) -> Node:
    """Return one transformer layer with normalisations after its halves."""
    import openvino.opset13 as ops

    attended = _attend(x, weights, f"{name}.attention", heads, bias)
    x = _normalize(ops.add(x, attended), weights, f"{name}.attention.norm", eps)
    hidden = ops.gelu(_linear(x, weights, f"{name}.expand"), "erf")
    return _normalize(ops.add(x, _linear(hidden, weights, f"{name}.contract")), weights, f"{name}.norm", eps)


def _attend(x: Node, weights: Weights, name: str, heads: int, bias: Node) -> Node:
    """Return multi-head self-attention [C, L, D]."""
    import openvino.opset13 as ops

    width = weights[f"{name}.query.weight"].shape[0]
    order = ops.constant(np.array([0, 2, 1, 3]))

    def split(part: str) -> Node:
        parted = ops.reshape(_linear(x, weights, f"{name}.{part}"), [0, 0, heads, width // heads], True)
        return ops.transpose(parted, order)

    scale = ops.constant(np.float32((width // heads) ** -0.5))
    scores = ops.add(ops.matmul(ops.multiply(split("query"), scale), split("key"), False, True), bias)
    mixed = ops.transpose(ops.matmul(ops.softmax(scores, -1), split("value"), False, False), order)
    return _linear(ops.reshape(mixed, [0, 0, width], True), weights, f"{name}.dense")


def _linear(x: Node, weights: Weights, name: str) -> Node:
    """Return a linear map with a bias."""
    import openvino.opset13 as ops

    return ops.add(
        ops.matmul(x, ops.constant(weights[f"{name}.weight"], shared_memory=True), False, True),
        ops.constant(weights[f"{name}.bias"]),
    )


def _normalize(x: Node, weights: Weights, name: str, eps: float) -> Node:
    """Return a layer normalisation over the last axis."""
    import openvino.opset13 as ops

    normal = ops.mvn(x, ops.constant(np.array([-1])), True, eps, "inside_sqrt")
    return ops.add(ops.multiply(normal, ops.constant(weights[f"{name}.weight"])), ops.constant(weights[f"{name}.bias"]))
