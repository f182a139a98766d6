"""Notebook views are looked up by the name of the class, and imported only when one is shown."""

import sys
from dataclasses import dataclass

import clip2point
from clip2point.core import display
from clip2point.core.display import NotebookDisplay, register_renderer


@dataclass(frozen=True)
class Thing(NotebookDisplay):
    name: str


class Special(Thing):
    pass


def render_thing(thing):
    return f"<b>{thing.name}</b>"


def test_a_registered_renderer_draws_objects_of_the_class_and_of_its_subclasses(monkeypatch):
    monkeypatch.setattr(display, "_RENDERERS", {})
    assert Thing("a")._repr_html_() is None  # notebooks fall back to repr
    register_renderer("Thing", f"{__name__}:render_thing")
    assert Thing("a")._repr_html_() == Special("a")._repr_html_() == "<b>a</b>"


def test_every_registered_renderer_exists():
    for place in clip2point._NOTEBOOK_VIEWS.values():
        module, _, function = place.partition(":")
        __import__(module)
        assert callable(getattr(sys.modules[module], function))
