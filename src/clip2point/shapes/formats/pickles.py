"""Pickles of NumPy arrays, such as Point-BERT's .dat: nothing in them runs.

An unpickler of our own knows lists, dicts, numbers and arrays, which it builds itself, and refuses all else. It works
in a child process, because a few bytes of a pickle can ask for any memory.
"""

from __future__ import annotations

import io
import pickle
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import ShapeError
from clip2point.core.native import Arrays, Limits, run_native
from clip2point.shapes.companions import Companions
from clip2point.shapes.formats.array_choice import choose_arrays
from clip2point.shapes.formats.numpy_files import to_parsed
from clip2point.shapes.parsed import Parsed

_REMEDY = "evaluate them as a data set, pickle:FILE, or save each with numpy.save"
_KINDS = "fiub"


def read(data: bytes, companions: Companions) -> Parsed:
    """Read the only cloud of a pickle: an array, or one among others in a list or dict."""
    return to_parsed(read_arrays(data, one=True))


def read_arrays(data: bytes, one: bool) -> Arrays:
    """Read a pickle in a child process.

    Args:
        data: Bytes of the file.
        one: True for the arrays of one shape, by the names that ``to_parsed`` takes; False for a data set: "points"
            [N, P, C] and "labels" [N].

    Raises:
        ShapeError: The pickle holds something else.
    """
    if not data.startswith(b"\x80"):
        raise ShapeError("is no pickle of NumPy arrays: expected one as Point-BERT's .dat; save points with numpy.save")
    limits = Limits(seconds=60 + len(data) / 20e6, memory=1024**3 + 6 * len(data))
    return run_native(f"{__name__}:read_here", data, limits, one=one)


def holds_points(begin: bytes, size: int) -> bool:
    """Return whether a file that begins so is a pickle with arrays."""
    return begin.startswith(b"\x80") and b"numpy" in begin and (b"_reconstruct" in begin or b"_frombuffer" in begin)


def read_here(payload: bytes, one: bool) -> Arrays:
    """Unpickle arrays; called in the child."""
    try:
        content = _Unpickler(io.BytesIO(payload)).load()
    except (ShapeError, MemoryError):
        raise
    except Exception as error:  # a broken pickle can raise anything
        reason = str(error).splitlines()[0][:100] if str(error) else type(error).__name__
        raise ShapeError(f"is damaged, or no pickle of NumPy arrays ({reason}): save it again") from None
    return _take_shape(content) if one else _take_data_set(content)


def _take_shape(content: Any) -> Arrays:
    arrays = {name: array for name, value in _name_entries(content) if (array := _to_array(value)) is not None}
    several = next((value for _, value in _name_entries(content) if isinstance(value, list) and len(value) > 1), [])
    if len(several) > 1 and isinstance(several[0], _Array) and len(several[0].shape) == 2:
        raise ShapeError(f"holds {len(several):,} clouds: expected one shape a file; {_REMEDY}")
    choice = choose_arrays(arrays, _REMEDY)
    names = ("x", "y", "z") if len(choice.positions) == 3 else ("points",)
    found = {name: arrays[place] for name, place in zip(names, choice.positions, strict=True)}
    return found | ({"faces": arrays[choice.faces]} if choice.faces is not None else {})


def _name_entries(content: Any) -> list[tuple[str, Any]]:
    if isinstance(content, dict):
        return [(str(name), value) for name, value in content.items()]
    if isinstance(content, list | tuple):
        return [(str(place), value) for place, value in enumerate(content)]
    return [("points", content)]


def _to_array(value: Any) -> NDArray[Any] | None:
    if isinstance(value, _Array):
        return value.read()
    if isinstance(value, list | tuple) and len(value) == 1 and isinstance(value[0], _Array):
        return value[0].read()
    if isinstance(value, list | tuple) and value and all(isinstance(number, int | float) for number in value):
        return np.array(value)
    return None


def _take_data_set(content: Any) -> Arrays:
    """Return clouds and labels: a list of two, as Point-BERT stores them, or a dict."""
    entries = _name_entries(content)
    if len(entries) < 2:
        raise ShapeError("holds no data set: expected clouds and labels, as in Point-BERT's .dat")
    if isinstance(content, dict):
        named = {name.lower(): value for name, value in entries}
        clouds = next((named[name] for name in ("points", "data", "xyz", "pc") if name in named), None)
        labels = next((named[name] for name in ("labels", "label", "y") if name in named), None)
    else:
        clouds, labels = entries[0][1], entries[1][1]
    points, numbers = _stack(clouds), _stack(labels)
    if points is None or numbers is None or points.ndim != 3 or points.shape[2] < 3 or len(points) != numbers.size:
        raise ShapeError("holds no data set: expected clouds [N, P, 3 or more] with as many points each, and N labels")
    return {"points": points, "labels": numbers.ravel()}


def _stack(values: Any) -> NDArray[Any] | None:
    if isinstance(values, _Array):
        return values.read()
    if not isinstance(values, list | tuple) or not values:
        return None
    rows = [value.read() if isinstance(value, _Array) else np.asarray(value) for value in values]
    if len({row.shape for row in rows}) != 1 or rows[0].dtype.kind not in _KINDS:
        return None
    return np.stack(rows)


class _Type:
    """Stand-in for numpy.dtype: the type of plain numbers, whose byte order comes as its state."""

    def __init__(self, name: str = "", *_: Any) -> None:
        self.plain = np.dtype(name) if isinstance(name, str) and len(name) < 16 else np.dtype("V")
        if self.plain.kind not in _KINDS:
            raise pickle.UnpicklingError(f"holds an array of type {str(name)[:40]!r}")

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[1] in ("<", ">"):
            self.plain = self.plain.newbyteorder(state[1])


class _Array:
    """Stand-in for numpy.ndarray, which becomes one when it is read."""

    def __init__(self) -> None:
        self.shape: tuple[int, ...] = (0,)
        self._data: bytes | bytearray | memoryview = b""
        self._type: np.dtype[Any] = np.dtype("f4")
        self._fortran = False

    @classmethod
    def of(cls, data: Any, kind: Any, shape: Any, order: Any) -> _Array:
        """Make an array of its parts."""
        if not isinstance(kind, _Type) or not isinstance(data, bytes | bytearray | memoryview):
            raise pickle.UnpicklingError("holds an array of objects")
        array = cls()
        array.shape = tuple(map(int, shape))
        array._data, array._type, array._fortran = data, kind.plain, order == "F"
        return array

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, fortran, data = state
        data = data.encode("latin-1") if isinstance(data, str) else data
        self.__dict__.update(_Array.of(data, kind, shape, "F" if fortran else "C").__dict__)

    def read(self) -> NDArray[Any]:
        """Return the array; ValueError where there are too few bytes for it."""
        array = np.ndarray(self.shape, self._type, bytes(self._data), order="F" if self._fortran else "C")
        return array.astype(self._type.newbyteorder("="))


def _make_scalar(kind: Any, data: Any) -> float | int | bool:
    value = _Array.of(data, kind, (), "C").read()[()]
    return value.item()


def _encode(text: Any, *_: Any) -> bytes:
    return str(text).encode("latin-1")


#: What a pickle may name, by the last part of its module and its name.
_KNOWN: dict[tuple[str, str], Any] = {
    ("multiarray", "_reconstruct"): lambda *_: _Array(),
    ("multiarray", "scalar"): _make_scalar,
    ("numeric", "_frombuffer"): _Array.of,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Type,
    ("_codecs", "encode"): _encode,
}


class _Unpickler(pickle.Unpickler):
    """Unpickler of numbers, texts, lists, dicts and arrays."""

    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in of a name; all others are refused."""
        parts = module.split(".")
        if parts[0] in ("numpy", "_codecs") and (found := _KNOWN.get((parts[-1], name))) is not None:
            return found
        raise pickle.UnpicklingError(f"holds {module}.{name}"[:100])
