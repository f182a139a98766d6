"""The adapters' networks as formulas on arrays: what fitted heads answer by.

The modules of ``aggregator``, ``dpa``, ``gdpa`` and ``inter_view`` compute the same in training. Each function reads
the tensors of its module from a state, under names that begin with a prefix.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from clip2point.core.arrays import Float32, normalize_rows, softmax
from clip2point.heads.head_options import GDPASettings

State = Mapping[str, Float32]
Shapes = dict[str, tuple[int, ...]]

#: Factor on cosines where it is fixed.
FIXED_SCALE = 100.0

#: Added to variances, as by PyTorch's batch norm.
_NORM_EPS = 1e-5

#: Feature width / bottleneck width of the inter-view adapter. The paper gives no width; this is CLIP-Adapter's.
REDUCTION = 4


def global_view(state: State, prefix: str, features: Float32) -> Float32:
    """Return the global features [B, D] of view features [B, V, D], neither of them unit, as ``GlobalView`` does."""
    weighted = features * state[prefix + "ratio"][:, None]
    normed = _batch_norm(state, prefix + "view_norm.", weighted)
    mixed = _linear(state, prefix + "mix.", _flatten(normed))
    mixed = _batch_norm(state, prefix + "mix_norm.", mixed)
    return _linear(state, prefix + "out.", np.maximum(mixed, 0))


def list_global_view_shapes(prefix: str, views: int, dim: int) -> Shapes:
    """Return the shapes of all tensors that ``global_view`` reads.

    Examples:
        >>> list_global_view_shapes("", 6, 8)["mix.weight"]
        (8, 48)
    """
    return {
        f"{prefix}ratio": (views,),
        **_norm_shapes(f"{prefix}view_norm.", dim),
        **_linear_shapes(f"{prefix}mix.", views * dim, dim),
        **_norm_shapes(f"{prefix}mix_norm.", dim),
        **_linear_shapes(f"{prefix}out.", dim, dim),
    }


def inter_view(state: State, prefix: str, features: Float32) -> Float32:
    """Return the unit features [B, D] of view features [B, V, D] of any length, as ``InterView`` does."""
    unit = normalize_rows(features)
    squeezed = np.maximum(_linear(state, prefix + "squeeze.", _flatten(unit)), 0)
    added = _linear(state, prefix + "to_views.", _linear(state, prefix + "expand.", squeezed))
    adapted = normalize_rows(unit + np.maximum(added, 0).reshape(unit.shape))
    return normalize_rows(np.einsum("bvd,v->bd", adapted, state[prefix + "view_weights"]))


def list_inter_view_shapes(prefix: str, views: int, dim: int) -> Shapes:
    """Return the shapes of all tensors that ``inter_view`` reads."""
    width = max(1, dim // REDUCTION)
    return {
        f"{prefix}view_weights": (views,),
        **_linear_shapes(f"{prefix}squeeze.", views * dim, width),
        **_linear_shapes(f"{prefix}expand.", width, dim),
        **_linear_shapes(f"{prefix}to_views.", dim, views * dim),
    }


def fuse_paths(
    state: State, prefix: str, settings: GDPASettings, features: Float32, text: Float32
) -> tuple[Float32, Float32]:
    """Return what ``GDPA`` gives for view features.

    Args:
        state: State of the head.
        prefix: Prefix of the network's tensors.
        settings: Options of the network.
        features: [B, 2, V, D] view features of both paths.
        text: [C, D] unit text features.

    Returns:
        Cosines [B, C], and the weights of the paths [B, K, 2] for one or D channels.
    """
    names = ("depth.", "depth." if settings.shared else "clip.")
    paths = np.stack([global_view(state, prefix + name, features[:, i]) for i, name in enumerate(names)], axis=-1)
    gates = _weigh_paths(state, prefix + "gate.", settings.lean, paths)
    if settings.on == "logits":
        fused = (gates * normalize_rows(paths.swapaxes(1, 2)).swapaxes(1, 2)).sum(-1)
    else:
        fused = normalize_rows((gates * paths).sum(-1))
    return fused @ text.T, gates


def list_gdpa_shapes(prefix: str, settings: GDPASettings, views: int, dim: int) -> Shapes:
    """Return the shapes of all tensors that ``fuse_paths`` reads."""
    channels = dim if settings.gate == "channel" else 1
    return {
        **list_global_view_shapes(f"{prefix}depth.", views, dim),
        **({} if settings.shared else list_global_view_shapes(f"{prefix}clip.", views, dim)),
        f"{prefix}gate.bias": (channels, 2),
        **({f"{prefix}gate.weight": (channels, 2, 2 * dim)} if settings.source == "input" else {}),
    }


def _weigh_paths(state: State, prefix: str, lean: float, paths: Float32) -> Float32:
    """Return the weights [B, K, 2] of global features [B, D, 2] of the paths."""
    scores = state[prefix + "bias"] + np.array([lean, 0.0], np.float32)
    scores = np.broadcast_to(scores, (len(paths), *scores.shape))
    if prefix + "weight" in state:
        weight = state[prefix + "weight"]
        product = _flatten(paths) @ weight.reshape(-1, weight.shape[-1]).T
        scores = scores + product.reshape(scores.shape)
    return softmax(scores).astype(np.float32)


def _flatten(inputs: Float32) -> Float32:
    """Return rows [B, F] of inputs [B, ...], of which there may be none."""
    return inputs.reshape(len(inputs), math.prod(inputs.shape[1:]))


def _linear(state: State, prefix: str, inputs: Float32) -> Float32:
    found: Float32 = inputs @ state[prefix + "weight"].T + state[prefix + "bias"]
    return found


def _linear_shapes(prefix: str, inputs: int, outputs: int) -> Shapes:
    return {f"{prefix}weight": (outputs, inputs), f"{prefix}bias": (outputs,)}


def _batch_norm(state: State, prefix: str, inputs: Float32) -> Float32:
    """Normalise the last axis by the means and variances of training."""
    factor = state[prefix + "weight"] / np.sqrt(state[prefix + "running_var"] + np.float32(_NORM_EPS))
    return (inputs - state[prefix + "running_mean"]) * factor + state[prefix + "bias"]


def _norm_shapes(prefix: str, dim: int) -> Shapes:
    names = ("weight", "bias", "running_mean", "running_var")
    return {**{prefix + name: (dim,) for name in names}, f"{prefix}num_batches_tracked": ()}
