import pytest

from clip2point.core.errors import OptionError, PluginError
from clip2point.core.registry import Entry, Registry

GROUP = "clip2point.test_roots"


@pytest.fixture
def roots(plugins):
    """A registry of its own, which the packages of a test add to."""
    registry = Registry("root", GROUP, {"square": Entry("math:sqrt", "square root")}, {"cube": "pip install roots"})
    install = plugins.install

    def install_root(source, name, package=None):
        install(source, f"[{GROUP}]\n{name} = MODULE:value\n", package)
        registry.refresh()

    registry.install = install_root
    return registry


def test_a_built_in_is_imported_when_it_is_asked_for(roots):
    assert roots.load("square")(9.0) == 3.0
    assert "square" in roots


def test_entry_points_are_read_for_other_names_only(roots, monkeypatch):
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **group: pytest.fail("looked"))
    roots.load("square")
    roots.register("own", len)
    assert "square" in roots
    assert roots.load("own") is len


def test_names_are_listed_in_order(roots):
    roots.install("value = len", "z")
    roots.install("value = len", "a")
    roots.register("own", len)
    assert roots.names() == ("square", "own", "a", "z")


def test_what_a_package_offers_is_loaded(roots):
    roots.install("def value(x): return x + 1", "next")
    assert roots.load("next")(1) == 2
    assert "next" in roots


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sqare", r"unknown root 'sqare': expected one of square; the nearest is square"),
        ("x", r"unknown root 'x': expected one of square$"),
        ("cube", r"the root 'cube' is not installed: pip install roots"),
    ],
)
def test_unknown_names_are_answered_with_what_to_do(roots, name, message):
    with pytest.raises(OptionError, match=message):
        roots.load(name)


def test_a_broken_package_is_named_and_stops_nothing_else(roots):
    roots.install("import no_such_module", "broken", package="my-roots")
    assert roots.names() == ("square", "broken")
    assert roots.load("square")(4.0) == 2.0
    with pytest.raises(
        PluginError, match=r"the root 'broken' of the package my-roots 1.2 .*ModuleNotFoundError: No module .*update"
    ):
        roots.load("broken")


def test_a_value_of_the_wrong_kind_is_refused(roots):
    roots.install("value = 1", "one", package="my-roots")
    with pytest.raises(PluginError, match=r"my-roots 1.2 .* is an object of type int: expected a function"):
        roots.load("one")


def test_a_name_that_two_packages_offer_is_refused(roots):
    roots.install("value = len", "same", package="first")
    roots.install("value = len", "same", package="second")
    with pytest.raises(PluginError, match=r"'same' is offered by the package (first|second) 1.2 and .*uninstall"):
        roots.load("same")


def test_no_package_replaces_a_built_in(roots):
    roots.install("value = len", "square", package="my-roots")
    with pytest.warns(UserWarning, match="the root 'square' of the package my-roots 1.2 is left out"):
        assert roots.names() == ("square",)
    assert roots.load("square")(9.0) == 3.0


def test_registered_names_may_be_replaced_and_built_in_ones_not(roots):
    roots.register("own", len)
    roots.register("own", max)
    assert roots.load("own") is max
    assert roots.is_registered("own")
    roots.unregister("own")
    assert "own" not in roots
    for name, message in (("square", "is built in"), ("", "is no name"), (" x", "is no name"), (3, "is no name")):
        with pytest.raises(OptionError, match=message):
            roots.register(name, len)
