"""Unfreezing of depth towers: all weights, those of the last blocks, or low-rank updates of the matrices (LoRA).

Frozen parts take no gradients: their activations are not stored, and no backward pass goes through them.
"""

from __future__ import annotations

import copy
import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from clip2point.adaptation.split_attention import SplitAttention, split_attention
from clip2point.backbones import DepthTower
from clip2point.core.errors import OptionError

#: Statistics of the batch norms in trained parts: the running ones, which then stay, or those of the batch.
BatchNormMode = Literal["running", "batch"]

_LAST = re.compile(r"last-([1-9]\d{0,3})")


@dataclass(frozen=True)
class LoraSettings:
    """Low-rank updates (Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", 2022).

    Attributes:
        rank: Rank of the updates.
        alpha: Scale of the updates, which are multiplied by ``alpha / rank``.
    """

    rank: int = 8
    alpha: float = 16.0

    def __post_init__(self) -> None:
        if not 1 <= self.rank <= 1024:
            raise OptionError(f"rank is {self.rank}: expected 1 to 1024")
        if not 0 < self.alpha <= 10_000:
            raise OptionError(f"alpha is {self.alpha}: expected above 0, at most 10000")


def check_unfreeze(how: str) -> None:
    """Check the name of a set of weights to tune.

    Raises:
        OptionError: ``how`` is none of "last-N", "all" and "lora".

    Examples:
        >>> check_unfreeze("last-4")
    """
    if how not in ("all", "lora") and not _LAST.fullmatch(how):
        raise OptionError(f"unfreeze is {how!r}: expected all, lora, or last-N with a number of blocks, as in last-2")


def unfreeze(
    tower: nn.Module,
    how: str,
    *,
    lora: LoraSettings | None = None,
    batch_norm: BatchNormMode = "running",
    seed: int = 0,
) -> nn.Module:
    """Prepare a tower for tuning: trained parts in training mode and with gradients, the others without.

    Args:
        tower: Tower of a backbone's ``depth_tower()``; changed in place.
        how: "all"; "last-N", the last N blocks (transformer layers, or inverted residual blocks of ``pocket``) and
            everything after them, up to the projection; or "lora", low-rank updates of the linear layers and 1 x 1
            convolutions; torch's own attention, which pools SigLIP's tokens, is split for it.
        lora: Rank and scale of the updates; by default those of ``LoraSettings``.
        batch_norm: Statistics of trained batch norms. The default suits pre-trained networks and small batches, in
            which several views of each shape make a poor sample. Frozen ones always use their running statistics.
        seed: Seed of the initial updates, which change nothing before the first step.

    Returns:
        ``tower``.

    Raises:
        OptionError: ``how`` is invalid, the tower has fewer blocks, or PEFT is missing.
    """
    check_unfreeze(how)
    tower.eval().requires_grad_(False)
    if how == "lora":
        return _with_lora(tower, lora or LoraSettings(), seed)
    frozen = _find_frozen(tower, int(how.removeprefix("last-"))) if how != "all" else set()
    for module in set(tower.modules()) - frozen:
        for weight in module.parameters(recurse=False):
            weight.requires_grad_(True)
        module.training = not (isinstance(module, _BatchNorm) and batch_norm == "running")
    return tower


def merge_state(tower: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the state of an ordinary tower that computes the same as a tuned one, within rounding.

    Args:
        tower: Tower prepared by ``unfreeze``.
        state: State of it at any time of the training.

    Returns:
        Tensors under the names before ``unfreeze``; low-rank updates are added to their matrices.
    """
    if not any("lora_" in name for name in state):
        return dict(state)
    from peft.tuners.lora import LoraLayer

    merged = copy.deepcopy(tower).cpu()
    merged.load_state_dict(state)
    for name, layer in list(merged.named_modules()):
        if isinstance(layer, LoraLayer):
            layer.merge()
            _put(merged, name, layer.get_base_layer())
    for name, attention in list(merged.named_modules()):
        if isinstance(attention, SplitAttention):
            _put(merged, name, attention.join())
    return {name: tensor.detach() for name, tensor in merged.state_dict().items()}


def _find_frozen(tower: nn.Module, count: int) -> set[nn.Module]:
    """Find the modules that compute before the last ``count`` blocks."""
    if not isinstance(tower, DepthTower):
        raise OptionError(f"unfreeze is 'last-{count}': the blocks of this tower are not known; expected all or lora")
    blocks = tower.blocks()
    if count > len(blocks):
        raise OptionError(
            f"unfreeze is 'last-{count}': this tower has {len(blocks)} blocks; expected last-1 to last-{len(blocks)}, "
            "or all"
        )
    first = blocks[-count]
    before = itertools.takewhile(lambda module: module is not first, tower.modules())
    return {module for module in before if first not in set(module.modules())}


def _with_lora(tower: nn.Module, settings: LoraSettings, seed: int) -> nn.Module:
    """Give the matrices of a tower low-rank updates."""
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError:
        raise OptionError("unfreeze 'lora' needs PEFT: run pip install 'clip2point[train]'") from None
    for name, module in list(tower.named_modules()):
        if (attention := split_attention(module)) is not None:
            _put(tower, name, attention)
    matrices = _matrices(tower)
    for name, layer in matrices.items():
        if isinstance(layer, nn.Conv2d):  # PEFT makes its own of the same class, whose arguments it has to know
            _put(tower, name, _plain_convolution(layer))
    # A pattern, because PEFT takes a list of names as endings, of which others may have the same.
    config = LoraConfig(r=settings.rank, lora_alpha=settings.alpha, target_modules="|".join(map(re.escape, matrices)))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        adapted: nn.Module = inject_adapter_in_model(config, tower)
    for name, weight in adapted.named_parameters():
        weight.requires_grad_("lora_" in name)
    return adapted.eval()


def _matrices(tower: nn.Module) -> dict[str, nn.Module]:
    """Return linear layers and 1 x 1 convolutions, by name."""
    # Torch's own attention reads the weights of its layers without calling them; what was not taken apart stays closed.
    attentions = [module for module in tower.modules() if isinstance(module, nn.MultiheadAttention)]
    closed = {part for attention in attentions for part in attention.modules()}
    return {name: module for name, module in tower.named_modules() if _is_matrix(module) and module not in closed}


def _is_matrix(module: Any) -> bool:
    if isinstance(module, nn.Conv2d):
        return module.kernel_size == (1, 1) and module.groups == 1
    return isinstance(module, nn.Linear)


def _put(tower: nn.Module, name: str, layer: nn.Module) -> None:
    """Replace the layer of a name."""
    parent, _, child = name.rpartition(".")
    setattr(tower.get_submodule(parent), child, layer)


def _plain_convolution(layer: nn.Conv2d) -> nn.Conv2d:
    """Return torch's own convolution with the weights of a 1 x 1 convolution of another class."""
    plain = nn.utils.skip_init(
        nn.Conv2d, layer.in_channels, layer.out_channels, 1, stride=layer.stride, bias=layer.bias is not None
    )
    plain.weight, plain.bias = layer.weight, layer.bias
    return plain
