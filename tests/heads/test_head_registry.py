import pytest
import torch

from clip2point.core.errors import ModelError, OptionError, PluginError
from clip2point.core.registries import HEADS
from clip2point.heads import Examples, Head, NearestClassMean, PointClassifier, grid, make_head, register_head
from clip2point.heads.head_registry import (
    find_head,
    head_from_state,
    make_point_classifier,
    parse_head,
    reads_points,
)

#: All that a head has to be.
SMALL = """
import torch

from clip2point.heads import Head


class First(Head):
    name = "{name}"

    def fit_state(self, examples, text, logit_scale, seed):
        return {{"first": examples.unaugmented[:, 0, 0]}}

    def score_batch(self, features):
        return features[:, 0, 0] @ self.state["first"].T

    def derive_shapes(self, state):
        return {{"first": self.read_shape(state, "first", 2)}}

    @property
    def feature_sizes(self):
        return None, self.state["first"].shape[1]
"""
POINTS = """
import numpy as np

from clip2point.heads import PointClassifier


class Coin(PointClassifier):
    name = "coin"

    def __init__(self, sides=2):
        self.sides = sides

    @property
    def options(self):
        return {"sides": self.sides}

    def fit(self, train, validation, *, seed, progress=None):
        return True

    def probabilities(self, points, up):
        return np.full((len(points), self.sides), 1 / self.sides)
"""


@pytest.fixture
def first(plugins):
    plugins.install(SMALL.format(name="first"), "[clip2point.heads]\nfirst = MODULE:First\n")
    return "first"


@pytest.fixture
def coin(plugins):
    plugins.install(POINTS, "[clip2point.heads]\ncoin = MODULE:Coin\n")
    return "coin"


@pytest.mark.parametrize("name", HEADS.built_in)
def test_the_table_says_what_each_built_in_is(name):
    kind, entry = find_head(name), HEADS.built_in[name]
    assert issubclass(kind, Head)
    assert (kind.name, kind.words) == (name, entry.takes_words)
    assert not reads_points(name)


def test_a_plug_in_needs_public_methods_only(first):
    features = torch.eye(3)[None, :, None, None].expand(1, 3, 2, 1, 3).contiguous()
    head = make_head(first).fit(Examples(features, torch.arange(3)), torch.eye(3), logit_scale=10.0)
    assert torch.equal(head.scores(features[0]), torch.eye(3))
    assert (head.options, grid(first)) == ({}, [{}])
    again = head_from_state(first, {}, head.state)
    assert torch.equal(again.scores(features[0]), torch.eye(3))
    with pytest.raises(OptionError, match="first cannot take new classes"):
        head.with_classes(torch.eye(3)[:1])
    with pytest.raises(OptionError, match="first has no option 'x': expected one of none"):
        make_head(first, {"x": 1})


def test_a_class_must_have_the_name_of_its_entry(plugins):
    plugins.install(SMALL.format(name="one"), "[clip2point.heads]\nother = MODULE:First\n")
    with pytest.raises(PluginError, match="the head 'other' calls itself 'one'"):
        make_head("other")


@pytest.mark.parametrize("source", ["value = 1", "from clip2point.heads import Head as value"])
def test_what_is_no_head_is_refused(plugins, source):
    plugins.install(source, "[clip2point.heads]\nvalue = MODULE:value\n", package="some-heads")
    with pytest.raises(PluginError, match="the package some-heads 1.2 .*: expected a class that derives from"):
        make_head("value")


def test_a_model_whose_head_is_not_installed():
    with pytest.raises(ModelError, match="the head 'first', which no installed package provides"):
        head_from_state("first", {}, {})


def test_a_classifier_of_points_is_no_head_on_view_features(coin):
    assert reads_points(coin)
    assert parse_head("coin:sides=3") == ("coin", {"sides": 3})
    assert make_point_classifier(coin, {"sides": 3}).probabilities(torch.zeros(2, 5, 3).numpy(), "y").shape == (2, 3)
    with pytest.raises(OptionError, match="coin reads points, .* evaluate --protocol supervised"):
        make_head(coin)
    with pytest.raises(OptionError, match="'linear' reads view features"):
        make_point_classifier("linear")


def test_a_class_is_registered_by_its_name():
    class Mean(NearestClassMean):
        name = "my-mean"

    register_head(Mean)
    try:
        assert type(make_head("my-mean")) is Mean
        assert grid("my-mean") == grid("nearest-mean")
    finally:
        HEADS.unregister("my-mean")


def test_what_cannot_be_registered():
    for kind, message in (
        (NearestClassMean, "is built in"),
        (Head, "is no head"),
        (PointClassifier, "is no head"),
        (int, "is no head"),
    ):
        with pytest.raises(OptionError, match=message):
            register_head(kind)


def test_words_of_the_command_line():
    assert parse_head("gdpa:gate=channel:epochs=50") == ("gdpa", {"gate": "channel", "epochs": 50})
    with pytest.raises(OptionError, match="'fast' is no option: expected NAME=VALUE"):
        parse_head("gdpa:fast")
    with pytest.raises(OptionError, match="gdpa has no option 'speed'"):
        parse_head("gdpa:speed=1")
