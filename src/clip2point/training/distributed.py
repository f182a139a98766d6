"""Training on several devices: starting, and losses over the features of all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import torch
from torch import nn

from clip2point.backbones.precision import choose_device
from clip2point.core.errors import OptionError

if TYPE_CHECKING:
    from lightning_fabric import Fabric

_Features = TypeVar("_Features")


def make_fabric(device: str = "cpu", devices: int = 1, nodes: int = 1, precision: str = "32-true") -> Fabric:
    """Lightning Fabric for some devices; processes for them begin when its ``launch`` is called.

    These run the command of this process again, or were begun by ``torchrun`` or a cluster's scheduler.

    Args:
        device: "cpu", "cuda", "mps", or one by its number, as "cuda:1".
        devices: how many on each machine; on a CPU, how many processes.
        nodes: how many machines.
        precision: "32-true" or "bf16-mixed".

    Raises:
        OptionError: if Lightning Fabric is not installed, or there are no such devices.
    """
    try:
        from lightning_fabric import Fabric
        from lightning_fabric.strategies import DDPStrategy
    except ImportError:
        raise OptionError("this training needs Lightning Fabric: run pip install 'clip2point[train]'") from None
    chosen = choose_device(device)
    several = devices > 1 or nodes > 1
    if several and chosen.index is not None:
        raise OptionError(f"device {device} is a single one, but {devices} are asked for: name its kind alone")
    available = torch.cuda.device_count() if chosen.type == "cuda" else 1
    if chosen.type != "cpu" and devices > available:
        raise OptionError(f"got {devices} devices: expected at most {available}, all that there are here")
    return Fabric(
        accelerator=chosen.type,
        devices=devices if chosen.index is None or chosen.type == "cpu" else [chosen.index],
        num_nodes=nodes,
        strategy=DDPStrategy(gradient_as_bucket_view=True) if several else "auto",
        precision=precision,
    )


def gather(fabric: Fabric, features: _Features) -> _Features:
    """The features of all ranks, one after another, for a loss over all of them.

    Every rank then computes the same loss L. The gradient that reaches its own features is summed over the ranks,
    which makes it W times that of L for W ranks; averaging the gradients of the weights over the ranks, as
    DistributedDataParallel does, turns this into exactly the gradient of L, as in one process with the whole batch.
    Weights that act behind this function have the gradient of L on every rank, and averaging leaves it alone.

    Args:
        fabric: after its launch.
        features: tensors [N, ...] in a tuple, named tuple, dict or list; N is the same on every rank.

    Returns:
        The same structure with tensors [W * N, ...].
    """
    if fabric.world_size == 1:
        return features
    from lightning_utilities.core.apply_func import apply_to_collection

    gathered = fabric.all_gather(features, sync_grads=True)
    joined: _Features = apply_to_collection(gathered, torch.Tensor, lambda tensor: tensor.flatten(0, 1))
    return joined


def any_rank(fabric: Fabric, flag: bool) -> bool:
    """Whether a flag is set on any rank, so that all take the same way."""
    if fabric.world_size == 1:
        return flag
    return bool(fabric.all_reduce(torch.tensor(float(flag), device=fabric.device), reduce_op="max"))


def share_batch_norm(fabric: Fabric, model: nn.Module) -> nn.Module:
    """Let batch norms see the batches of all ranks.

    Torch can do so on GPUs only. On CPUs each rank goes by its own part of the batch, and the running statistics are
    those of the first.
    """
    if fabric.world_size == 1 or fabric.device.type != "cuda":
        return model
    synchronised: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    return synchronised
