"""One step's loss and gradients on several processes; run by test_distributed.py, and imported for its model."""

import sys
from pathlib import Path

import torch

from clip2point.pretraining.batches import Batch
from clip2point.pretraining.module import LossSettings, PretrainingModel
from clip2point.training.distributed import DeviceSettings, Process, gather, make_fabric

PAIRS, PIXELS, WIDTH = 6, 4, 5


def make_model():
    torch.manual_seed(0)
    tower = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(PIXELS**2, 8), torch.nn.GELU(), torch.nn.Linear(8, WIDTH)
    )
    captions = torch.nn.functional.normalize(torch.randn(3, WIDTH), dim=-1)
    return PretrainingModel(tower, LossSettings(caption=0.5, distance=0.3), captions)


def make_batch(part):
    """A slice of one fixed batch."""
    generator = torch.Generator().manual_seed(1)
    depth = torch.rand(2, PAIRS, 1, PIXELS, PIXELS, generator=generator)
    image = torch.randn(PAIRS, WIDTH, generator=generator)
    caption = torch.arange(PAIRS) % 3
    return Batch(depth[:, part], image[part], caption[part])


def main(out, ranks):
    fabric = make_fabric(DeviceSettings(devices=ranks))
    fabric.launch()
    model = make_model()
    wrapped, _ = fabric.setup(model, torch.optim.SGD(model.parameters(), lr=0.1))
    places = Process.of(fabric).part(PAIRS)
    part = slice(places.start, places.stop)
    losses = model.losses(gather(fabric, wrapped(make_batch(part))))
    fabric.backward(losses["total"])
    found = {name: loss.detach() for name, loss in losses.items()}
    gradients = {name: weight.grad for name, weight in model.named_parameters()}
    torch.save({"losses": found, "gradients": gradients}, out / f"{fabric.global_rank}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
