"""Sources of models, opened by name: built in, registered by a program, or added by an installed package."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from clip2point.core.class_names import SHAPENET55
from clip2point.core.errors import DataError, OptionError, PluginError
from clip2point.core.registries import SOURCES
from clip2point.data.pairs import is_key
from clip2point.pretraining.pairs.mesh_sources import FOLDER, SAMPLES, SHAPENET, list_meshes, list_shapenet
from clip2point.pretraining.pairs.rendered_source import RENDERED, find_clouds, list_rendered
from clip2point.pretraining.pairs.source_model import SourceModel, SourceRequest
from clip2point.shapes import check_up

#: Lists the models of a source of one kind; none of them is opened.
SourceLister = Callable[[SourceRequest], Iterable[SourceModel]]

#: Kind of source by the endings of files that release 0.1.0 read by their paths alone.
_MOVED = {".sh3f": "sweethome3d", ".jar": "sweethome3d", ".yaml": "manifest", ".yml": "manifest"}
_CATALOGUE_TABLE = "FurnitureCatalog.properties"


@dataclass(frozen=True)
class Source:
    """Models to make pairs of.

    Attributes:
        kind: Kind of the source: "shapenetcore.v2", "folder", "samples", or one that a package adds.
        models: Models, sorted by key.
        up: Up-axis that its meshes were read with; "auto" goes by the file format and takes y where that does
            not say.
        excluded: Number of models that were left out as asked for.
    """

    kind: str
    models: tuple[SourceModel, ...]
    up: str = "y"
    excluded: int = 0


def register_source(kind: str, list_models: SourceLister) -> None:
    """Have ``open_source`` and all that is built on it know another kind of source, for the rest of this process.

    It is opened as ``KIND:TEXT``. Packages use the entry points ``clip2point.sources`` instead, which name the lister.

    Args:
        kind: Name without a colon.
        list_models: Lister of the models, which come y-up with their front towards -z, have keys as ``make_keys``
            makes them, and can be pickled.

    Raises:
        OptionError: If the name has a colon or is built in.

    Examples:
        >>> from functools import partial
        >>> from clip2point.data.pairs import PairInfo
        >>> from clip2point.pretraining.pairs import SourceModel, open_source, register_source
        >>> from clip2point.shapes import load_shape
        >>> def list_toys(request):
        ...     info = PairInfo("ball", ("ball", "red ball"), "toy", "CC0-1.0", "", "toys")
        ...     return [SourceModel(info, partial(load_shape, f"{request.text}/ball.obj", up="y"))]
        >>> register_source("toys", list_toys)
        >>> open_source("toys:shelf").models[0].info.caption
        'ball'
    """
    if ":" in kind or kind in _map_kinds():
        raise OptionError(f"{kind!r} is no name for a source: expected one without a colon that is not built in")
    SOURCES.register(kind, list_models)


def open_source(
    spec: str, *, up: str | None = None, excluded: Collection[str] = (), seed: int = 0, limit: int | None = None
) -> Source:
    """List the models of a source; none of them is opened.

    Args:
        spec: Path of ShapeNetCore.v2 (``SYNSET/MODEL/models/model_normalized.obj``) or of any other folder of meshes;
            ``folder:PATH`` to have any folder read as such; ``samples:N``, N shapes of each style of clip2point-shapes;
            or ``KIND:TEXT`` for a kind that a package or program has added.
        up: Up-axis of a folder of meshes; the other sources know theirs.
        excluded: Keys of models to leave out; of ShapeNet the model ids will do, and
            SYNSET-MODEL up to the next hyphen, as the public code writes them.
        seed: Seed of generated models.
        limit: Largest number of models, spread evenly over their order.

    Raises:
        OptionError: If there is no such source or an argument does not fit it.
        DataError: If it is damaged or has no models.
        PluginError: If an added source is broken.

    Examples:
        >>> from pathlib import Path
        >>> from tempfile import mkdtemp
        >>> folder = Path(mkdtemp())
        >>> (folder / "office_chairs").mkdir()
        >>> (folder / "office_chairs" / "swivel_01.obj").touch()
        >>> source = open_source(f"folder:{folder}", up="z")
        >>> source.models[0].key, source.models[0].info.captions
        ('office_chairs-swivel_01', ('office chairs', 'swivel'))
    """
    if seed < 0:
        raise OptionError(f"seed {seed} is negative: expected 0 or more")
    kind, models = _list_models(spec, SourceRequest(spec, seed, check_up(up or "auto", auto=True)))
    if up is not None and kind != FOLDER:
        raise OptionError(f"an up-axis ({up}) is given, but models of {kind} have their own; only folders take one")
    if not models:
        raise DataError(f"{spec}: has no models: expected {_describe_choices()}")
    unwanted = set(excluded)
    kept = [model for model in models if not unwanted & _list_ids(model.key)]
    if not kept:
        raise DataError(f"{spec}: all {len(models)} models are excluded; shorten the list")
    kept.sort(key=lambda model: model.key)
    count = min(limit or len(kept), len(kept))
    chosen = tuple(kept[number * len(kept) // count] for number in range(count))
    return Source(kind, chosen, up or "auto" if kind == FOLDER else "y", len(models) - len(kept))


def absolute_spec(spec: str, base: Path | None = None) -> str:
    """Return the name of a source for a process that runs elsewhere: a path in it becomes absolute.

    Args:
        spec: Name of a source, see ``open_source``.
        base: Folder that relative paths count from; the working directory if not given.

    Returns:
        ``spec`` itself if there is no such path; what follows a "#" need not be part of the path.
    """
    kind, colon, text = spec.partition(":")
    if not colon or not _is_kind(kind):
        kind, colon, text = "", "", spec
    for file, mark, rest in ((text, "", ""), text.partition("#")):
        path = (base or Path()) / Path(file).expanduser()
        if kind != SAMPLES and path.exists():
            return f"{kind}{colon}{path.absolute()}{mark}{rest}"
    return spec


def _list_models(spec: str, request: SourceRequest) -> tuple[str, list[SourceModel]]:
    """Return the kind of a source and its models."""
    kind, colon, text = spec.partition(":")
    if not colon or not _is_kind(kind):
        return _list_path(spec, request)
    request = SourceRequest(text, request.seed, request.up)
    list_models: SourceLister = SOURCES.load(_map_kinds().get(kind, kind))
    models = list(list_models(request))
    if kind not in _map_kinds():
        _check_models(kind, models)
    return kind, models


def _list_path(spec: str, request: SourceRequest) -> tuple[str, list[SourceModel]]:
    """Return the same for a source that is named by its path alone."""
    path = Path(spec).expanduser()
    if not path.is_dir():
        _refuse_moved(spec, Path(spec.partition("#")[0]).suffix.lower())
        raise OptionError(
            f"{path}: {'is no source' if path.exists() else 'no such source'}: expected {_describe_choices()}"
        )
    if models := list_shapenet(request):
        return SHAPENET, models
    if find_clouds(path) is not None:
        return RENDERED, list_rendered(request)
    if any(entry.suffix.lower() == ".sh3f" or entry.name.endswith(_CATALOGUE_TABLE) for entry in path.rglob("*")):
        _refuse_moved(spec, ".sh3f")
    return FOLDER, list_meshes(request)


def _list_ids(key: str) -> set[str]:
    """Return what a list may call a model by: its key, ShapeNet's id, and the key that the public code cuts off."""
    synset, _, model = key.partition("-")
    return {key, model, f"{synset}-{model.partition('-')[0]}" if synset in SHAPENET55 else key}


def _refuse_moved(spec: str, ending: str) -> None:
    """Raise OptionError for what release 0.1.0 read without being told its kind."""
    if (kind := _MOVED.get(ending)) is None:
        return
    what = "is a manifest" if kind == "manifest" else "is or holds a furniture catalogue"
    missing = "" if kind in SOURCES else f", after installing its reader: {SOURCES.elsewhere[kind]}"
    raise OptionError(f"{spec}: {what}, which since release 0.2.0 is given as {kind}:{spec}{missing}")


def _check_models(kind: str, models: list[SourceModel]) -> None:
    """Raise PluginError if models of an added source are not what they should be."""
    if not all(isinstance(model, SourceModel) for model in models):
        raise PluginError(f"the source {kind!r} lists something else than SourceModels: update its package")
    keys = [model.key for model in models]
    if odd := [key for key in keys if not is_key(key)]:
        raise PluginError(f"the source {kind!r} has the key {odd[0]!r}: expected keys as make_keys makes them")
    if len(set(keys)) < len(keys):
        raise PluginError(f"the source {kind!r} has a key twice: expected keys as make_keys makes them")


def _is_kind(name: str) -> bool:
    """Tell whether a name is that of a kind of source, installed or not."""
    return name in _map_kinds() or name in SOURCES or name in SOURCES.elsewhere


def _map_kinds() -> dict[str, str]:
    """Return the names in the table by kind: "folder:PATH" by "folder"."""
    return {name.partition(":")[0]: name for name in SOURCES.built_in}


def _describe_choices() -> str:
    """Return all that can be given."""
    names = [name if ":" in name else f"{name}:..." for name in SOURCES.names()]
    return f"a folder of ShapeNetCore.v2 or of meshes, or {', '.join(names[:-1])} or {names[-1]}"
