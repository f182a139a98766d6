"""Names of folders: which are splits, which are classes, and which say nothing about what is in them."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable

from clip2point.core.class_names import SHAPENET55
from clip2point.core.listing import list_some

TRAIN, VALIDATION, TEST = "train", "validation", "test"
_SPLITS = {
    **dict.fromkeys(("train", "training", "trn"), TRAIN),
    **dict.fromkeys(("val", "valid", "validation", "validate", "validating", "dev"), VALIDATION),
    **dict.fromkeys(("test", "testing", "tst", "eval", "evaluation"), TEST),
}
#: Words that may stand beside the one that names a split: train_set, test-split, val_data.
_FILLERS = frozenset(
    ("set", "sets", "split", "splits", "data", "dataset", "shapes", "models", "meshes", "files", "off")
)
_WORDS = re.compile(r"[^\W\d_]+|\d+")

#: Synsets of ShapeNetCore.v1 that are not in ShapeNet-55: WordNet 3.0's offsets of these nouns.
_FURTHER_SYNSETS = {"02834778": "bicycle", "02858304": "boat"}
SYNSETS: dict[str, str] = {**SHAPENET55, **_FURTHER_SYNSETS}
_SYNSET = re.compile(r"(?:(?P<before>.+?)[\s_.-]+)?n?(?P<synset>\d{8})(?:[\s_.-]+(?P<after>.+))?")

#: Numbers, ranges of them and ids: 0, 000-000, 12_34, a hash or a UUID, in which there is at least one digit.
_NUMBER = re.compile(r"[\d\W_]*\d[\d\W_]*|(?=[^\d]*\d)(?:[0-9a-f]{8,}|[0-9a-f]{2}|[0-9a-f-]{36})", re.IGNORECASE)
#: A number behind a word that counts pieces of a whole: part1, batch_02, shard-3.
_PIECE = re.compile(r"(?:part|piece|batch|shard|chunk|dir|folder|class|cls|label|category|cat)[\s_-]*\d+")
#: A number behind a word for versions or splits of the same: fold0, v2, split_1.
_VERSION = re.compile(r"(?:fold|split|set|run|seed|version|ver|v|release|rel|r)[\s_.-]*\d+(?:[._]\d+)*", re.IGNORECASE)
_PLAIN = frozenset(
    (
        *("all", "archive", "assets", "categories", "category", "cats", "class", "classes", "clouds", "collection"),
        *("content", "contents", "data", "database", "dataset", "datasets", "download", "downloads", "dae", "export"),
        *("exports", "extracted", "fbx", "files", "folder", "folders", "glb", "glbs", "gltf", "gltfs", "h5", "hdf5"),
        *("input", "inputs", "labeled", "labelled", "main", "meshes", "mesh", "misc", "models", "model", "normalized"),
        *("npy", "npz", "obj", "objs", "object", "objects", "off", "original", "output", "outputs", "pc", "pcd", "pcs"),
        *("ply", "plys", "pointcloud", "pointclouds", "point_cloud", "point_clouds", "points", "processed", "public"),
        *("raw", "released", "samples", "shape", "shapes", "source", "sources", "stl", "stls", "unzipped", "xyz", "3d"),
    )
)
_BENCHMARKS = re.compile(
    r"(?:modelnet|shapenet|scanobjectnn|objaverse|abo|omniobject|thingi10k)[\w\s.-]*", re.IGNORECASE
)


def find_split(name: str) -> str | None:
    """Return the split that a word names, whatever its case and spelling: "train", "validation", "test", or None.

    Examples:
        >>> [find_split(word) for word in ("TRAIN", "val", "Test_set", "train2", "trainer")]
        ['train', 'validation', 'test', 'train', None]
    """
    words = [word for word in _WORDS.findall(name.lower()) if not word.isdigit()]
    left = [word for word in words if word not in _FILLERS] or words
    if len(left) != 1:
        return None
    word = left[0]
    for ending in ("set", "split", "data"):
        if word not in _SPLITS and word.removesuffix(ending) in _SPLITS:
            word = word.removesuffix(ending)
    return _SPLITS.get(word)


def drop_split(name: str) -> str:
    """Return a name without the word for a split in it; itself if there is none.

    Examples:
        >>> drop_split("chair_train"), drop_split("chair-test"), drop_split("test_tube"), drop_split("Chair")
        ('chair', 'chair', 'tube', 'Chair')
    """
    words = [word for word in _WORDS.findall(name.lower()) if not word.isdigit()]
    left = [word for word in words if word not in _SPLITS]
    return name if len(left) == len(words) else " ".join(left)


def find_synset(name: str) -> tuple[str, str] | None:
    """Return the WordNet synset in a name and the class that it stands for, or None.

    Examples:
        >>> find_synset("03001627"), find_synset("n04379243_table"), find_synset("chair")
        (('03001627', 'chair'), ('04379243', 'table'), None)
    """
    match = _SYNSET.fullmatch(name)
    if match is None or match["synset"] not in SYNSETS:
        return None
    return match["synset"], match["before"] or match["after"] or SYNSETS[match["synset"]]


def is_number(name: str) -> bool:
    """Tell whether a name is a number, a range, a hash or the number of a piece, which no class is called.

    Examples:
        >>> [is_number(name) for name in ("0", "000-000", "part_2", "1a6f615e8b1b5ae4", "chair", "3d_printer")]
        [True, True, True, True, False, False]
    """
    return bool(_NUMBER.fullmatch(name) or _PIECE.fullmatch(name.lower())) and not find_synset(name)


def is_wrapper(name: str) -> bool:
    """Tell whether a name is one that people give to what holds the classes: glbs, data, ModelNet40, v2, fold1.

    Examples:
        >>> [is_wrapper(name) for name in ("glbs", "ShapeNetCore.v2", "fold_0", "bin")]
        [True, True, True, False]
    """
    return bool(name.lower() in _PLAIN or _BENCHMARKS.fullmatch(name) or _VERSION.fullmatch(name))


def spell_class(name: str) -> str:
    """Return the class that a folder's name says: text, of a synset its noun.

    Names that are no UTF-8 are read as Latin-1, as which they were mostly written.

    Examples:
        >>> spell_class("02691156"), spell_class("night_stand")
        ('airplane', 'night_stand')
    """
    if not is_text(name):
        name = os.fsencode(name).decode("latin-1")
    name = printable(unicodedata.normalize("NFC", name).strip())
    found = find_synset(name)
    return found[1] if found else name


def fold_class(name: str) -> str:
    """Return what is the same for spellings of one class: "Night Stand", "night_stand".

    Examples:
        >>> fold_class("Night Stand") == fold_class("night_stand")
        True
    """
    return re.sub(r"[\s_-]+", " ", unicodedata.normalize("NFC", name)).strip().casefold()


def printable(name: str) -> str:
    r"""Return a name as text that can be printed and stored: bytes that are no UTF-8, and controls, are escaped.

    Examples:
        >>> printable("a\x1b.off")
        'a\\x1b.off'
    """
    if name.isascii() and name.isprintable():
        return name
    text = name if is_text(name) else os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(
        letter.encode("unicode_escape").decode() if unicodedata.category(letter) == "Cc" else letter for letter in text
    )


def list_names(names: Iterable[str], most: int = 6) -> str:
    """Return names as a list for messages, the first ones of many.

    Examples:
        >>> list_names(["a", "b", "c"], most=2)
        'a, b and 1 more'
    """
    return list_some([printable(name) for name in names], most)


def is_text(name: str) -> bool:
    """Tell whether the name of a file is UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
