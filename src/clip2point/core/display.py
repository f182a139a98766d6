"""Notebook views of results: a mixin whose HTML renderer is looked up by the name of the class.

Records of lower rooms do not know what draws them. The package's ``__init__`` registers one renderer for each, as the
text "module:function", which is imported when a notebook shows the first object.
"""

from importlib import import_module

_RENDERERS: dict[str, str] = {}


def register_renderer(kind: str, place: str) -> None:
    """Set the function that draws objects of a class in notebooks.

    Args:
        kind: Name of the class.
        place: Function from an object to HTML, as "module:function".
    """
    _RENDERERS[kind] = place


class NotebookDisplay:
    """Mixin of results that notebooks show as HTML."""

    __slots__ = ()

    def _repr_html_(self) -> str | None:
        """Return the object as HTML, or None if no renderer is registered for its class or a base of it."""
        for kind in type(self).__mro__:
            if place := _RENDERERS.get(kind.__name__):
                module, _, function = place.partition(":")
                return str(getattr(import_module(module), function)(self))
        return None
