"""Data sets: benchmarks in the layouts in which people have them, their splits, and points drawn from them."""

from clip2point.data.dataset import ArrayItems, Dataset, FileItems
from clip2point.data.opening import open_dataset, register_dataset
from clip2point.data.sampled import SampledDataset, sample_dataset
from clip2point.data.shapenet import shapenet_mesh
from clip2point.data.splits import SPLITS

__all__ = [
    "SPLITS",
    "ArrayItems",
    "Dataset",
    "FileItems",
    "SampledDataset",
    "open_dataset",
    "register_dataset",
    "sample_dataset",
    "shapenet_mesh",
]
