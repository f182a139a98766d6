"""ScanObjectNN: three variants of the same scanned objects, in HDF5."""

from __future__ import annotations

from pathlib import Path

from clip2point.core.class_names import SCANOBJECTNN
from clip2point.data.dataset import Dataset
from clip2point.data.hdf5 import read_hdf5
from clip2point.data.layouts import Origin, check_size, find_root

#: Folder and ending of the files of each variant.
_FILES = {
    "scanobjectnn-obj-only": ("main_split_nobg", "objectdataset.h5"),
    "scanobjectnn-obj-bg": ("main_split", "objectdataset.h5"),
    "scanobjectnn-pb-t50-rs": ("main_split", "objectdataset_augmentedrot_scale75.h5"),
}
_PREFIXES = {"train": "training", "test": "test"}
_OBJECTS = {"train": 2309, "test": 581}
_SIZES = {
    "scanobjectnn-obj-only": _OBJECTS,
    "scanobjectnn-obj-bg": _OBJECTS,
    "scanobjectnn-pb-t50-rs": {"train": 11416, "test": 2882},
}


def open_scanobjectnn(name: str, root: Path | None, split: str) -> Dataset:
    """Open a variant of ScanObjectNN, official split "train" or "test"; y-up, 2,048 points.

    The files do not say which perturbed copies in PB_T50_RS are of the same object, so a validation split carved from
    its train split shares objects with the rest of train (never with test): choose settings on the other variants.

    Raises:
        DataError: If it is missing or broken.
    """
    folder_name, ending = _FILES[name]
    file_name = f"{_PREFIXES[split]}_{ending}"
    origin = Origin(
        "ScanObjectNN",
        f"h5_files/{folder_name}/{file_name}",
        "its official page (hkust-vgd.github.io/scanobjectnn) after agreeing to the terms there: the archive h5_files",
        "For non-commercial research and education",
    )
    folder = find_root(
        origin, root, ("h5_files", "ScanObjectNN", "ScanObjectNN/h5_files"), lambda path: (path / folder_name).is_dir()
    )
    items, labels, names = read_hdf5([folder / folder_name / file_name], len(SCANOBJECTNN), origin)
    odd = check_size(name, split, len(labels), _SIZES[name][split])
    return Dataset(name, split, SCANOBJECTNN, "y", labels, names, items, origin.note(odd))
