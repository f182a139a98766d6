"""ModelNet10 and ModelNet40: folders of .off files, resampled .txt clouds, HDF5, and what others made of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from clip2point.core.class_names import MODELNET10, MODELNET40
from clip2point.core.errors import DataError
from clip2point.data.dataset import Dataset, FileItems
from clip2point.data.hdf5 import read_hdf5
from clip2point.data.layouts import SAFE_NAME, Origin, check_size, find_root, read_list
from clip2point.data.own_arrays import read_pickle

#: Shapes of the official splits. The HDF5 files lack three of the train shapes.
_SIZES = {"modelnet10": {"train": 3991, "test": 908}, "modelnet40": {"train": 9843, "test": 2468}}
_HDF5_TRAIN = 9840

_FOLDERS = {
    "modelnet10": ("ModelNet10",),
    "modelnet40": (
        *("ModelNet40", "modelnet40_manually_aligned", "ModelNet40_Align", "ModelNet40_Aligned", "ModelNet40_Ply"),
        *("modelnet40_normal_resampled", "modelnet40_ply_hdf5_2048", "modelnet40_hdf5_2048"),
    ),
}
#: Files of ModelNet40_Ply, the clouds of the public code: number of the class, then anything.
_NUMBERED = re.compile(r"(?P<label>\d{1,2})_.*\.ply", re.IGNORECASE)
#: Files of ModelNet40's HDF5, and of Point-BERT's pickles.
_HDF5 = "ply_data_{split}*.h5"
_PICKLE = "{name}_{split}_*.dat"
_CLASSES = {"modelnet10": MODELNET10, "modelnet40": MODELNET40}
_TITLES = {"modelnet10": "ModelNet10", "modelnet40": "ModelNet40"}


def open_modelnet(name: str, root: Path | None, split: str) -> Dataset:
    """Open "modelnet10" or "modelnet40", official split "train" or "test", in any of its layouts.

    Folders of .off files and ModelNet40_Ply, drawn from them, are z-up; the resampled releases, Point-BERT's pickles of
    these among them, are y-up. ModelNet10 is also taken out of a ModelNet40
    folder, but only if that holds exactly as many shapes of the ten classes.

    Raises:
        DataError: If it is missing or broken.
    """
    origin = _describe(name)
    folders = _FOLDERS[name] if name == "modelnet40" else (*_FOLDERS["modelnet10"], *_FOLDERS["modelnet40"])
    folder = find_root(origin, root, _prefer_ten(root, folders), lambda path: _find_layout(path) is not None)
    layout = _find_layout(folder)
    assert layout is not None
    if name == "modelnet10" and _holds_forty(folder, layout):
        return replace(_take_ten(folder, layout, split), note=origin.note())
    dataset = _READERS[layout](name, folder, split, _CLASSES[name])
    official = _HDF5_TRAIN if layout == "hdf5" and split == "train" else _SIZES[name][split]
    return replace(dataset, note=origin.note(check_size(_TITLES[name], split, len(dataset), official)))


def _describe(name: str) -> Origin:
    title = _TITLES[name]
    return Origin(
        title,
        f"{title}/CLASS/{{train,test}}/*.off, or modelnet40_normal_resampled/CLASS/*.txt with its lists, or "
        "modelnet40_ply_hdf5_2048/*.h5 with its lists, or ModelNet40_Ply/NUMBER_*.ply (test), or "
        "modelnet40_{train,test}_8192pts_fps.dat",
        "the Princeton ModelNet page (modelnet.cs.princeton.edu; the aligned ModelNet40 is linked there), or the "
        "resampled clouds from the pages of PointNet and PointNet++",
        "For academic research; the models belong to their authors",
    )


def _prefer_ten(root: Path | None, folders: tuple[str, ...]) -> tuple[str, ...]:
    """Put a ModelNet10 folder below the root before a ModelNet40 folder that holds the same shapes."""
    ten = tuple(folder for folder in folders if folder in _FOLDERS["modelnet10"])
    if root is not None and any(_find_layout(root.expanduser() / folder) for folder in ten):
        return ten
    return folders


def _find_layout(folder: Path) -> str | None:
    """Return which of the layouts a folder has, if any."""
    if (folder / "test_files.txt").is_file() or (folder / "train_files.txt").is_file():
        return "hdf5"
    if any(any(folder.glob(_HDF5.format(split=split))) for split in ("train", "test")):
        return "hdf5"
    named = any((folder / f"{name}_shape_names.txt").is_file() for name in _TITLES)
    if named and any((folder / name).is_dir() for name in MODELNET10):
        return "txt"
    if any(any(folder.glob(_PICKLE.format(name=name, split="*"))) for name in _TITLES):
        return "dat"
    if named:
        return "txt"
    if any((folder / name / split).is_dir() for name in MODELNET10 for split in ("train", "test")):
        return "off"
    numbered = folder.is_dir() and any(_NUMBERED.fullmatch(path.name) for path in folder.glob("*.[pP][lL][yY]"))
    return "ply" if numbered else None


def _holds_forty(folder: Path, layout: str) -> bool:
    """Tell whether a folder is ModelNet40's rather than ModelNet10's."""
    if layout == "off":
        return any((folder / name).is_dir() for name in set(MODELNET40) - set(MODELNET10))
    if layout == "dat":
        return not any(folder.glob(_PICKLE.format(name="modelnet10", split="*")))
    return layout in ("hdf5", "ply") or not (folder / "modelnet10_shape_names.txt").is_file()


def _take_ten(folder: Path, layout: str, split: str) -> Dataset:
    """Open ModelNet10 out of a ModelNet40 folder."""
    forty = MODELNET40
    sizes = {}
    for part in ("train", "test") if layout != "ply" else ("test",):
        whole = _READERS[layout]("modelnet10", folder, part, forty)
        rows = np.flatnonzero(np.isin(whole.labels, [forty.index(name) for name in MODELNET10]))
        sizes[part] = len(rows)
        if part == split:
            labels = np.array([MODELNET10.index(forty[label]) for label in whole.labels[rows]], dtype=np.int64)
            dataset = whole.take(rows, labels=labels, classes=MODELNET10)
    if sizes != {part: _SIZES["modelnet10"][part] for part in sizes}:
        raise DataError(
            f"{folder}: is ModelNet40, whose ten classes of ModelNet10 have {sizes.get('train', 0):,} train and "
            f"{sizes['test']:,} test shapes here: expected ModelNet10's 3,991 and 908; give a ModelNet10 folder"
        )
    return dataset


def _read_off(name: str, folder: Path, split: str, classes: tuple[str, ...]) -> Dataset:
    """Read Princeton's layout: CLASS/{train,test}/*.off, z up."""
    paths, labels = [], []
    for label, class_name in enumerate(classes):
        part = folder / class_name / split
        if not part.is_dir():
            raise _describe(name).missing(f"no such folder, so the class {class_name!r} is missing", part)
        found = sorted(path for path in part.glob("*.off") if not path.name.startswith("."))
        paths += found
        labels += [label] * len(found)
    names = tuple(path.relative_to(folder).as_posix() for path in paths)
    return Dataset(name, split, classes, "z", np.array(labels, dtype=np.int64), names, FileItems.of(paths))


def _read_txt(name: str, folder: Path, split: str, classes: tuple[str, ...]) -> Dataset:
    """Read the layout of ``modelnet40_normal_resampled``: CLASS/CLASS_0001.txt and lists of their names, y up."""
    lists = "modelnet10" if len(classes) == len(MODELNET10) else "modelnet40"
    origin = _describe(name)
    _check_names(folder / f"{lists}_shape_names.txt", classes, origin)
    path = folder / f"{lists}_{split}.txt"
    paths, labels = [], []
    for line in read_list(path, origin):
        class_name = line.rpartition("_")[0]
        if not SAFE_NAME.fullmatch(line) or class_name not in classes:
            raise DataError(f"{path}: names {line!r}: expected a class and a number, such as chair_0001")
        paths.append(folder / class_name / f"{line}.txt")
        labels.append(classes.index(class_name))
    names = tuple(path.relative_to(folder).as_posix() for path in paths)
    return Dataset(name, split, classes, "y", np.array(labels, dtype=np.int64), names, FileItems.of(paths))


def _read_hdf5(name: str, folder: Path, split: str, classes: tuple[str, ...]) -> Dataset:
    """Read the layout of ``modelnet40_ply_hdf5_2048``: ply_data_train0.h5 ..., listed with paths of another machine."""
    origin = _describe(name)
    path = folder / f"{split}_files.txt"
    if path.is_file() or (folder / "shape_names.txt").is_file():
        _check_names(folder / "shape_names.txt", classes, origin)
    if path.is_file():
        files = [folder / line.replace("\\", "/").rpartition("/")[2] for line in read_list(path, origin)]
    else:  # some copies come without the lists
        files = sorted(folder.glob(_HDF5.format(split=split)))
    if not files:
        raise origin.missing(
            f"no files of the {split} split, neither {path.name} nor {_HDF5.format(split=split)}", folder
        )
    items, labels, names = read_hdf5(files, len(classes), origin)
    return Dataset(name, split, classes, "y", labels, names, items)


def _read_ply(name: str, folder: Path, split: str, classes: tuple[str, ...]) -> Dataset:
    """Read ModelNet40_Ply, the test clouds of the public code: NUMBER_*.ply, z up as the meshes that they are of."""
    if split != "test":
        raise DataError(f"{folder}: holds the test split alone, as the public code does: give ModelNet40 for {split}")
    paths, labels = [], []
    for path in sorted(folder.glob("*.[pP][lL][yY]")):
        match = _NUMBERED.fullmatch(path.name)
        if match is None or int(match["label"]) >= len(MODELNET40):
            raise DataError(
                f"{path}: is called by no class: expected a number from 0 to 39 before the first underscore"
            )
        paths.append(path)
        labels.append(int(match["label"]))
    names = tuple(path.name for path in paths)
    return Dataset(name, split, classes, "z", np.array(labels, dtype=np.int64), names, FileItems.of(paths))


def _read_dat(name: str, folder: Path, split: str, classes: tuple[str, ...]) -> Dataset:
    """Read Point-BERT's pickles of the resampled clouds: modelnet40_test_8192pts_fps.dat, y up."""
    lists = "modelnet10" if len(classes) == len(MODELNET10) else "modelnet40"
    found = sorted(folder.glob(_PICKLE.format(name=lists, split=split)))
    if not found:
        raise _describe(name).missing(f"no {_PICKLE.format(name=lists, split=split)}", folder)
    if len(found) > 1:
        raise DataError(f"{folder}: holds {found[0].name} and {found[1].name}: expected one {split} split; move others")
    return replace(read_pickle(found[0])["all"], name=name, split=split, up="y", classes=classes)


def _check_names(path: Path, classes: tuple[str, ...], origin: Origin) -> None:
    """Raise DataError if a file lists other classes, or in another order, than the one that labels count in."""
    if tuple(read_list(path, origin)) != classes:
        raise DataError(f"{path}: has other classes: expected {len(classes)}, from {classes[0]} to {classes[-1]}")


_READERS: dict[str, Callable[[str, Path, str, tuple[str, ...]], Dataset]] = {
    "off": _read_off,
    "txt": _read_txt,
    "hdf5": _read_hdf5,
    "ply": _read_ply,
    "dat": _read_dat,
}
