"""ScanObjectNN: three variants of the same scanned objects, in HDF5 or as raw scans."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from clip2point.core.class_names import SCANOBJECTNN
from clip2point.core.errors import DataError
from clip2point.data.dataset import Dataset, FileItems
from clip2point.data.hdf5 import read_hdf5
from clip2point.data.layouts import SAFE_NAME, Origin, check_size, find_root, read_list

#: Folder and ending of the files of each variant.
_FILES = {
    "scanobjectnn-obj-only": ("main_split_nobg", "objectdataset.h5"),
    "scanobjectnn-obj-bg": ("main_split", "objectdataset.h5"),
    "scanobjectnn-pb-t50-rs": ("main_split", "objectdataset_augmentedrot_scale75.h5"),
}
#: Folders of the raw scans, and the list of these: file, number of the class, and "t" for test.
_RAW = ("object_dataset", "object_dataset_complete_with_parts_", "object_dataset_complete_with_parts")
_RAW_LIST = "split_new.txt"
#: Folders of splits: the one that figures are stated on, and four others.
_SPLIT_FOLDER = re.compile(r"(?:main_split|split[1-4])(?P<alone>_nobg)?")
_PREFIXES = {"train": "training", "test": "test"}
_OBJECTS = {"train": 2309, "test": 581}
_SIZES = {
    "scanobjectnn-obj-only": _OBJECTS,
    "scanobjectnn-obj-bg": _OBJECTS,
    "scanobjectnn-pb-t50-rs": {"train": 11416, "test": 2882},
}


def open_scanobjectnn(name: str, root: Path | None, split: str) -> Dataset:
    """Open a variant of ScanObjectNN, official split "train" or "test"; y-up, 2,048 points.

    The root is h5_files or a folder above, which stands for main_split; or one of the folders in it, such as split1,
    for this split; or of the variant without background object_dataset, the raw scans with their split_new.txt.

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
    if root is not None and (folder := _find_split(name, Path(root).expanduser())) is not None:
        folder_name, folder = folder.name, folder.parent
    elif root is not None and (raw := _find_raw(Path(root).expanduser())) is not None:
        return _open_raw(name, raw, split, origin)
    else:
        places = ("h5_files", "ScanObjectNN", "ScanObjectNN/h5_files")
        folder = find_root(origin, root, places, lambda path: (path / folder_name).is_dir())
    items, labels, names = read_hdf5([folder / folder_name / file_name], len(SCANOBJECTNN), origin)
    odd = check_size(name, split, len(labels), _SIZES[name][split])
    if not folder_name.startswith("main_split"):
        odd = f"{folder_name} is another split than the one of published figures" + (f". {odd}" if odd else "")
    return Dataset(name, split, SCANOBJECTNN, "y", labels, names, items, origin.note(odd))


def _find_split(name: str, root: Path) -> Path | None:
    """Return the root if it is itself a folder of one split, such as main_split or split1_nobg.

    Raises:
        DataError: If it is of a variant with, or without, background, which the other one was asked for.
    """
    match = _SPLIT_FOLDER.fullmatch(root.name)
    if match is None or not any(root.glob("*_objectdataset*.h5")):
        return None
    alone = name == "scanobjectnn-obj-only"
    if bool(match["alone"]) != alone:
        other = root.name.removesuffix("_nobg") + ("_nobg" if alone else "")
        raise DataError(
            f"{root}: holds objects {'without' if match['alone'] else 'with'} background, which {name} is not of: "
            f"give {root.with_name(other)}"
        )
    return root


def _find_raw(root: Path) -> Path | None:
    """Return the folder of the raw scans, if there are no HDF5 files beside it."""
    places = (root, *(above / folder for above in (root, root / "ScanObjectNN") for folder in _RAW))
    return next((path for path in places if (path / _RAW_LIST).is_file()), None)


def _open_raw(name: str, folder: Path, split: str, origin: Origin) -> Dataset:
    """Open the raw scans, of which each point says whether it is of the object: CLASS/SCENE_NUMBER.bin."""
    if name != "scanobjectnn-obj-only":
        raise DataError(
            f"{folder}: holds raw scans, which are read without background: expected h5_files for {name}; give these, "
            "or name scanobjectnn-obj-only"
        )
    path = folder / _RAW_LIST
    paths, labels = [], []
    for line in read_list(path, origin):
        file, *cells = line.split("\t")
        number = cells[0].strip() if cells else ""
        if not SAFE_NAME.fullmatch(file) or not number.isdecimal() or int(number) >= len(SCANOBJECTNN):
            raise DataError(f"{path}: has the line {line[:80]!r}: expected FILE, a class from 0 to 14, and t for test")
        if ("t" in map(str.strip, cells[1:])) == (split == "test"):
            paths.append(folder / SCANOBJECTNN[int(number)] / file)
            labels.append(int(number))
    items = FileItems.of(paths)
    odd = check_size(name, split, len(labels), _SIZES[name][split])
    odd = "Raw scans, of which figures are not those of the HDF5 files" + (f". {odd}" if odd else "")
    names = tuple(found.relative_to(folder).as_posix() for found in paths)
    return Dataset(name, split, SCANOBJECTNN, "y", np.array(labels, dtype=np.int64), names, items, origin.note(odd))
