"""Training on several devices: start of the processes, and losses over the features of all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import nn

from clip2point.backbones.precision import choose_device
from clip2point.core.errors import OptionError
from clip2point.core.ranges import check_ranges, declare_range

if TYPE_CHECKING:
    from lightning_fabric import Fabric

_Features = TypeVar("_Features")


@dataclass(frozen=True)
class DeviceSettings:
    """Devices of a training.

    Attributes:
        device: Kind of the devices ("cpu", "cuda", "mps"), or a single one by its number ("cuda:1").
        devices: Number of devices on each machine (>= 1); on a CPU, number of processes.
        nodes: Number of machines (>= 1).
    """

    device: str = "cpu"
    devices: int = declare_range(1, "[1, inf)")
    nodes: int = declare_range(1, "[1, inf)")

    def __post_init__(self) -> None:
        check_ranges(self)

    @property
    def several(self) -> bool:
        """Whether there is more than one process."""
        return self.devices > 1 or self.nodes > 1


@dataclass(frozen=True)
class Process:
    """One of the processes that share each batch of a training.

    Attributes:
        rank: Number of the process, from 0.
        world_size: Number of all processes.
        device: Device of the process.
    """

    rank: int = 0
    world_size: int = 1
    device: torch.device | str = "cpu"

    @classmethod
    def of(cls, fabric: Fabric) -> Process:
        """Return this process of a launched Fabric."""
        return cls(fabric.global_rank, fabric.world_size, fabric.device)

    def part(self, batch_size: int) -> range:
        """Return the places of this process in a batch.

        Args:
            batch_size: Size of the batch, over all processes together.

        Raises:
            OptionError: If the batch cannot be divided evenly.

        Examples:
            >>> Process(rank=1, world_size=2).part(8)
            range(4, 8)
        """
        if batch_size % self.world_size:
            raise OptionError(
                f"batch_size is {batch_size}: expected a multiple of the number of processes, {self.world_size}"
            )
        size = batch_size // self.world_size
        return range(self.rank * size, (self.rank + 1) * size)


def make_fabric(devices: DeviceSettings | None = None, precision: str = "32-true") -> Fabric:
    """Return a Lightning Fabric, whose ``launch`` starts the processes.

    These run the command of this process again, or were started by ``torchrun`` or a cluster's scheduler.

    Args:
        devices: Devices of the training; one CPU by default.
        precision: Number format, "32-true" or "bf16-mixed".

    Raises:
        OptionError: If Lightning Fabric is not installed, or a device does not exist.
    """
    try:
        from lightning_fabric import Fabric
        from lightning_fabric.strategies import DDPStrategy
    except ImportError:
        raise OptionError("this training needs Lightning Fabric: run pip install 'clip2point[train]'") from None
    devices = devices or DeviceSettings()
    chosen, count = torch.device(choose_device(devices.device)), devices.devices
    if devices.several and chosen.index is not None:
        raise OptionError(f"device is {devices.device} with {count} devices: expected a kind alone, {chosen.type}")
    available = torch.cuda.device_count() if chosen.type == "cuda" else 1
    if chosen.type != "cpu" and count > available:
        raise OptionError(f"devices is {count}: expected at most {available}, the number of devices of this machine")
    return Fabric(
        accelerator=chosen.type,
        devices=count if chosen.index is None or chosen.type == "cpu" else [chosen.index],
        num_nodes=devices.nodes,
        strategy=DDPStrategy(gradient_as_bucket_view=True) if devices.several else "auto",
        precision=precision,
    )


def gather(fabric: Fabric, features: _Features) -> _Features:
    """Concatenate the features of all ranks, for a loss over all of them.

    Every rank then computes the same loss L. The gradient that reaches its own features is summed over the ranks,
    which makes it W times that of L for W ranks; averaging the gradients of the weights over the ranks, as
    DistributedDataParallel does, turns this into exactly the gradient of L, as in one process with the whole batch.
    Weights that act behind this function have the gradient of L on every rank, and averaging leaves it alone.

    Args:
        fabric: A launched Fabric.
        features: Tensors [N, ...] in a tuple, named tuple, dict or list; N is the same on every rank.

    Returns:
        The same structure with tensors [W * N, ...].
    """
    if fabric.world_size == 1:
        return features
    from lightning_utilities.core.apply_func import apply_to_collection

    stacked = fabric.all_gather(features, sync_grads=True)
    joined: _Features = apply_to_collection(stacked, torch.Tensor, lambda tensor: tensor.flatten(0, 1))
    return joined


def any_rank(fabric: Fabric, flag: bool) -> bool:
    """Return True on all ranks if a flag is set on any of them."""
    if fabric.world_size == 1:
        return flag
    return bool(fabric.all_reduce(torch.tensor(float(flag), device=fabric.device), reduce_op="max"))


def sync_batch_norm(fabric: Fabric, model: nn.Module) -> nn.Module:
    """Replace batch norms by ones that see the batches of all ranks.

    Torch can do so on GPUs only. On CPUs each rank normalises by its own part of the batch, and the running statistics
    are those of the first rank.
    """
    if fabric.world_size == 1 or fabric.device.type != "cuda":
        return model
    synchronised: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    return synchronised
