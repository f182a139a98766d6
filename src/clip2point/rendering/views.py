"""View sets by name: those of the public code, rings, those of plug-ins, and those that users keep in files."""

from __future__ import annotations

import json
import os
import re
from functools import lru_cache
from pathlib import Path

from clip2point.core.errors import OptionError
from clip2point.core.registries import VIEWS
from clip2point.rendering.cameras import MAX_VIEWS, Cameras, ViewSet, look_at

__all__ = ["CLIP2POINT_6", "CLIP2POINT_10", "Cameras", "ViewSet", "look_at", "register_view_set", "view_set"]

#: The sets in the public code of CLIP2Point: 10 views for pre-training and few-shot learning, 6 for zero-shot
#: classification.
CLIP2POINT_10 = ViewSet(
    "clip2point-10",
    (
        *((0, 0), (90, 0), (180, 0), (270, 0)),
        *((225, -45), (225, 45), (315, -45), (315, 45)),
        *((0, -90), (0, 90)),
    ),
)
CLIP2POINT_6 = ViewSet("clip2point-6", ((0, 0), (0, 90), (0, 180), (0, 270), (90, 0), (-90, 180)))

_RING = re.compile(r"ring-(\d+)(?:@(-?\d+(?:\.\d+)?))?")
_ELEVATION = 20.0
_FILE = ".json"
_MAX_BYTES = 1 << 20


def view_set(views: str | os.PathLike[str] | ViewSet) -> ViewSet:
    """Look up a view set.

    Args:
        views: "clip2point-10", "clip2point-6", or "ring-N" / "ring-N@E": N equally spaced azimuths, the first at 0,
            all at elevation E degrees (20 if not given); a set of a plug-in; several of these with "+" between, one
            after another, as in "ring-6@20+ring-3@50"; a ``.json`` file with cameras, whose form
            ``clip2point.rendering.cameras`` tells; or a view set, which is returned.

    Returns:
        The view set; the same object for the same built-in name.

    Raises:
        OptionError: There is no such set, or its file is broken.
        PluginError: The package that brings it is broken.

    Examples:
        >>> from clip2point.rendering import view_set
        >>> view_set("ring-4@10").angles
        ((10.0, 0.0), (10.0, 90.0), (10.0, 180.0), (10.0, 270.0))
    """
    if isinstance(views, ViewSet):
        return views
    name = os.fspath(views)
    if name.endswith(_FILE):
        return _read_file(Path(name).expanduser())
    if is_built_in(name):
        return _find_built_in(name)
    parts = [_find(part, name) for part in name.split("+")]
    return parts[0] if len(parts) == 1 else ViewSet.join(name, parts)


def name_or_content(views: str | os.PathLike[str] | ViewSet) -> str | ViewSet:
    """Return what a model has to keep of its view set: the name of a built-in one, else the cameras themselves.

    So a model that was saved with cameras from a file or a plug-in loads where there is neither.

    Raises:
        OptionError: There is no such set.
    """
    found = view_set(views)
    return found.name if is_built_in(found.name) and found == _find_built_in(found.name) else found


def register_view_set(views: ViewSet) -> None:
    """Have ``view_set`` know a set by its name, for the rest of this process.

    Packages use the entry points ``clip2point.views`` instead, which name a ``ViewSet``.

    Args:
        views: View set; its name has no "+" and is no name of a file.

    Raises:
        OptionError: The name is built in or cannot be one.

    Examples:
        >>> from clip2point.rendering import ViewSet, register_view_set, view_set
        >>> register_view_set(ViewSet("corners", ((35, 45), (35, 135), (35, 225), (35, 315))))
        >>> len(view_set("corners+clip2point-6"))
        10
    """
    _check_own_name(views.name)
    VIEWS.register(views.name, views)


def make_ring(count: int, elevation: float = _ELEVATION) -> ViewSet:
    """Return N views at equally spaced azimuths, the first at 0, all at one elevation in degrees."""
    name = f"ring-{count}@{elevation:g}"
    return ViewSet(name, tuple((elevation, 360 * i / count) for i in range(count)))


def is_built_in(name: str) -> bool:
    """Return whether a name, or each of those that "+" joins in it, is one of clip2point's own sets."""
    return all(part in VIEWS.built_in or _RING.fullmatch(part) for part in name.split("+"))


@lru_cache(maxsize=64)
def _find_built_in(name: str) -> ViewSet:
    parts = [_find(part, name) for part in name.split("+")]
    return parts[0] if name == parts[0].name else ViewSet.join(name, parts)


def _find(part: str, name: str) -> ViewSet:
    """Return one set, which is part of the one that was asked for."""
    match = _RING.fullmatch(part)
    if match and 1 <= (count := int(match[1])) <= MAX_VIEWS:
        return make_ring(count, float(match[2] or _ELEVATION))
    if not match and part in VIEWS:
        found = VIEWS.load(part, lambda value: isinstance(value, ViewSet), "a clip2point.rendering.ViewSet")
        if isinstance(found, ViewSet):
            return found
    raise OptionError(
        f"{VIEWS.explain_unknown(name)} (N from 1 to {MAX_VIEWS}, E in degrees, as in ring-8@20); several may be "
        f"joined with +, and own cameras are read from a {_FILE} file"
    )


def _read_file(path: Path) -> ViewSet:
    """Read a view set from a file."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise OptionError(f"{path}: is too large for a view set: expected a JSON file with a name and cameras")
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OptionError(f"{path}: cannot be read as a view set ({error.strerror}): check the path") from error
    except ValueError as error:
        raise OptionError(f"{path}: is no JSON ({error}): expected a view set, a name and cameras") from error
    found = ViewSet.from_dict(values, str(path))
    _check_own_name(found.name, f"{path}: ")
    return found


def _check_own_name(name: str, source: str = "") -> None:
    """Raise OptionError unless a set of a user's own can have a name."""
    if is_built_in(name) or "+" in name or name.endswith(_FILE):
        raise OptionError(
            f"{source}a view set of your own cannot be called {name!r}: expected another name than the built-in ones, "
            f"without + and {_FILE}"
        )
