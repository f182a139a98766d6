"""Fingerprints of plug-ins' code, for the keys of what they compute.

What this package computes is keyed by names and versions: its answers change with a release only. A plug-in is edited
while it is in use, so that its name says nothing; its code does.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import sys
from collections.abc import Iterator
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

_OWN = __name__.partition(".")[0]
#: Hash of a package and the module spec that it was taken for; a module that is reloaded has another spec.
_known: dict[str, tuple[object, str]] = {}


def plugin_code(value: Any) -> str | None:
    """Return a hash of the code behind something that a plug-in brings.

    It covers every source file and compiled module of the package that defines ``value``, or the one file if that is a
    module by itself, as they were when they were first asked for. What was typed into an interpreter or a notebook has
    no file: there it is the compiled function or class, not the functions that it calls. Neither covers data files,
    other packages, or values that the code was given at run time.

    Args:
        value: A function, a class, or an object, whose class counts.

    Returns:
        Hexadecimal digits, or None for what belongs to clip2point itself.

    Examples:
        >>> from clip2point.core.plugin_code import plugin_code
        >>> plugin_code(plugin_code) is None
        True
    """
    while isinstance(value, functools.partial):
        value = value.func
    name = str(getattr(value, "__module__", None) or "__main__")  # of an object, the module of its class
    if name.partition(".")[0] == _OWN:
        return None
    owner = value if isinstance(value, type) or inspect.isroutine(value) else type(value)
    root = _root(name) if _has_file(owner) else None
    if root is None:
        return hashlib.sha256("\n".join(_describe_code(owner)).encode()).hexdigest()
    spec = getattr(sys.modules.get(name), "__spec__", None)
    if name not in _known or _known[name][0] is not spec:
        _known[name] = spec, _hash_files(root)
    return _known[name][1]


@functools.cache
def room_code(*rooms: str) -> str:
    """Return a hash of the code of rooms of this package, for what must not outlive an edit of them.

    Args:
        rooms: Names of rooms, for example "shapes".
    """
    root = Path(__file__).parents[1]
    return hashlib.sha256("".join(_hash_files(root / room) for room in rooms).encode()).hexdigest()[:32]


def _has_file(owner: Any) -> bool:
    """Return whether code lies in a file; that of interpreters and notebooks has the name of none."""
    functions = vars(owner).values() if isinstance(owner, type) else [owner]
    codes = [code for function in functions if isinstance(code := getattr(function, "__code__", None), CodeType)]
    return all(Path(code.co_filename).is_file() for code in codes)


def _root(name: str) -> Path | None:
    """Return the file of a module, or the folder of the outermost package around it that has a file."""
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        module: ModuleType | None = sys.modules.get(".".join(parts[:count]))
        if module is not None and (file := getattr(module, "__file__", None)) and Path(file).is_file():
            return Path(file).parent if hasattr(module, "__path__") else Path(file)
    return None


def _hash_files(root: Path) -> str:
    """Hash a file, or the names and contents of all code below a folder."""
    files = [root]
    if root.is_dir():
        suffixes = (".py", *EXTENSION_SUFFIXES)
        files = sorted(path for path in root.rglob("*") if path.name.endswith(suffixes) and path.is_file())
    digest = hashlib.sha256()
    for path in files:
        content = path.read_bytes()
        digest.update(f"{path.relative_to(root.parent).as_posix()} {len(content)};".encode())
        digest.update(content)
    return digest.hexdigest()


def _describe_code(owner: Any) -> Iterator[str]:
    """Yield what tells a function, or a class by its own methods and constants, from an edited one."""
    if isinstance(owner, type):
        for name, value in sorted(vars(owner).items()):
            if callable(value) or isinstance(value, property | staticmethod | classmethod) or name[:2] != "__":
                yield name
                yield from [value.__qualname__] if isinstance(value, type) else _describe_code(value)
        return
    for wrapper in ("fget", "__func__"):
        owner = getattr(owner, wrapper, owner)
    code = getattr(inspect.unwrap(owner) if callable(owner) else owner, "__code__", None)
    if isinstance(code, CodeType):
        yield from _instructions(code)
        yield _text(getattr(owner, "__defaults__", None))
    else:
        yield _text(owner)


def _instructions(code: CodeType) -> Iterator[str]:
    """Yield byte code, names and constants, without line numbers."""
    yield code.co_code.hex()
    yield _text(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _instructions(constant)
        else:
            yield _text(constant)


def _text(value: Any) -> str:
    """Return a constant as text that is the same in every process; of other objects their type."""
    if isinstance(value, tuple | frozenset):
        texts = [_text(item) for item in value]
        return f"({', '.join(sorted(texts) if isinstance(value, frozenset) else texts)})"
    plain = value is None or isinstance(value, str | bytes | int | float | complex | bool)
    return repr(value) if plain else type(value).__qualname__
