"""Properties of every head."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from clip2point.core.errors import ModelError, OptionError
from clip2point.core.registries import HEADS
from clip2point.heads import Examples, grid, head_from_state, make_head, trained
from clip2point.heads.head_registry import parse_head

QUICK = {"epochs": 5, "batch_size": 8}
#: Every head, with options that make it quick, and some with options that make it another.
KINDS = {
    **{name: (name, QUICK if "batch_size" in make_head(name).options else {}) for name in HEADS.built_in},
    "zero-shot-both": ("zero-shot", {"path": "both"}),
    "linear-image": ("linear", {"path": "image"}),
    "inter-view-depth": ("inter-view", {**QUICK, "path": "depth", "blend": 0.5}),
    "dpa-learned": ("dpa", {**QUICK, "scale": "learned", "blend": 0.5}),
    "gdpa-logits": ("gdpa", {**QUICK, "on": "logits", "gate": "channel", "shared": True, "scale": "fixed"}),
}
LEARNING = [kind for kind in KINDS if "zero-shot" not in kind]
WORDS = ("zero-shot", "inter-view", "depth-path", "image-path", "dpa", "gdpa")


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


def make(kind, **options):
    name, others = KINDS[kind]
    return make_head(name, {**others, **options})


def fit(kind, problem, seed=0, **options):
    examples, text = problem
    return make(kind, **options).fit(examples, text, logit_scale=10.0, seed=seed)


@pytest.fixture(scope="module")
def heads():
    return {}


@pytest.fixture
def head(kind, heads, problem):
    """A fitted head, the same in all tests, none of which changes it."""
    if kind not in heads:
        heads[kind] = fit(kind, problem)
    return heads[kind]


def accuracy(head, examples):
    return (head.scores(examples.unaugmented).argmax(1) == examples.labels).float().mean().item()


@pytest.mark.parametrize("kind", LEARNING)
def test_learns_from_examples(kind, problem):
    examples, text = problem
    train, rest = examples.take(torch.arange(18)), examples.take(torch.arange(18, 30))
    wanted = {"epochs": 40, "lr": 1e-2, "scale": "off"}
    changes = {name: value for name, value in wanted.items() if name in make(kind).options}
    # Against class names that lead astray.
    changes |= {name: value for name, value in (("alpha", 500.0), ("blend", 0.0)) if name in make(kind).options}
    head = fit(kind, (train, text), **changes)
    assert accuracy(head, rest) > 0.9
    assert accuracy(fit("zero-shot", problem), examples) < 0.7


def test_the_same_seed_gives_the_same_bits(kind, problem):
    before = torch.get_rng_state()
    first, second = (fit(kind, problem, seed=3) for _ in range(2))
    assert first.state.keys() == second.state.keys()
    assert all(np.array_equal(first.state[name], second.state[name]) for name in first.state)
    assert torch.equal(first.scores(problem[0].unaugmented), second.scores(problem[0].unaugmented))
    assert torch.equal(torch.get_rng_state(), before)
    if "batch_size" in first.options:
        assert not torch.equal(
            fit(kind, problem, seed=4).scores(problem[0].unaugmented), first.scores(problem[0].unaugmented)
        )


def test_scores_have_their_shape_and_follow_the_batch(head, problem):
    features = problem[0].unaugmented
    order = torch.randperm(30, generator=torch.Generator().manual_seed(0))
    assert head.scores(features).shape == (30, 3)
    assert head.scores(features).dtype == torch.float32
    assert_close(head.scores(features[order]), head.scores(features)[order], atol=1e-4, rtol=1e-4)
    assert head.scores(features[:0]).shape == (0, 3)


def test_a_head_read_back_gives_the_same_scores(head, problem, tmp_path):
    import json

    from safetensors.numpy import load_file, save_file

    save_file(head.state, tmp_path / "head.safetensors")
    options = json.loads(json.dumps(head.options))
    other = head_from_state(head.name, options, load_file(tmp_path / "head.safetensors"))
    assert torch.equal(other.scores(problem[0].unaugmented), head.scores(problem[0].unaugmented))
    assert other.options == head.options


def test_a_state_that_is_not_whole_is_refused(head):
    for name, tensor in head.state.items():
        with pytest.raises(ModelError, match=f"head {head.name}: the tensor '{name}' is missing"):
            head_from_state(head.name, head.options, {k: v for k, v in head.state.items() if k != name})
        with pytest.raises(ModelError, match=f"head {head.name}: the tensor '.*' has shape"):
            head_from_state(head.name, head.options, {**head.state, name: tensor[None]})
        with pytest.raises(ModelError, match=f"the tensor '{name}' is in float64, expected"):
            head_from_state(head.name, head.options, {**head.state, name: tensor.astype(np.float64)})
    with pytest.raises(ModelError, match="'extra' is not part of this model"):
        head_from_state(head.name, head.options, {**head.state, "extra": torch.zeros(2)})
    broken = {
        name: np.full_like(values, np.nan) if values.dtype == np.float32 else values
        for name, values in head.state.items()
    }
    with pytest.raises(ModelError, match="not finite"):
        head_from_state(head.name, head.options, broken)


def test_sizes_that_make_no_sense_are_refused(problem):
    head = fit("nearest-mean", problem)
    with pytest.raises(ModelError, match=r"'means' has shape \[3, 7, 8\]: expected V' to be even"):
        head_from_state(head.name, head.options, {**head.state, "means": torch.ones(3, 7, 8)})
    head = fit("dpa", problem, epochs=1)
    huge = torch.zeros(1).expand(10**7)
    with pytest.raises(ModelError, match="head dpa: "):
        head_from_state(head.name, {}, {**head.state, "network.depth.ratio": huge, "text": huge[None]})


def test_more_classes_leave_the_others_as_they_are(kind, problem):
    examples, text = problem
    old, new = examples.take(examples.labels < 2), examples.take(examples.labels == 2)
    new = Examples(new.features, torch.zeros(10, dtype=torch.int64))
    head = fit(kind, (old, text[:2]), **({"alpha": 500.0} if "tip" in kind else {}))
    before = head.scores(examples.unaugmented)
    if head.name == "linear":
        with pytest.raises(OptionError, match="linear cannot take new classes: fit it again .* one of zero-shot, near"):
            head.with_classes(text[2:], new)
        return
    more = head.with_classes(text[2:], new)
    assert_close(more.scores(examples.unaugmented)[:, :2], before, atol=1e-5, rtol=1e-5)
    assert torch.equal(head.scores(examples.unaugmented), before)
    restored = head_from_state(more.name, more.options, more.state)
    assert torch.equal(restored.scores(new.unaugmented), more.scores(new.unaugmented))
    if not head.words:
        assert accuracy(more, examples) > 0.9
        with pytest.raises(OptionError, match="knows classes by examples: give some of each new class"):
            head.with_classes(text[2:])


@pytest.mark.parametrize("name", HEADS.built_in)
def test_other_words(name, problem):
    examples, text = problem
    head = fit(name, problem)
    assert head.words == (name in WORDS)
    if not head.words:
        with pytest.raises(OptionError, match=f"{name} knows classes by examples"):
            head.with_words(text)
        return
    order = [2, 0]
    expected = head.scores(examples.unaugmented)[:, order]
    assert_close(head.with_words(5 * text[order]).scores(examples.unaugmented), expected, atol=1e-4, rtol=1e-4)
    assert_close(head.with_classes(text[order]).scores(examples.unaugmented)[:, 3:], expected, atol=1e-4, rtol=1e-4)
    with pytest.raises(OptionError, match=r"expected text features \[C, 8\], got \[3, 5\]"):
        head.with_words(text[:, :5])


def test_gradients_and_inference_tensors_of_the_tower_do_not_matter(kind, head, problem):
    examples, text = problem
    expected = head.scores(examples.unaugmented)
    features = examples.features.clone().requires_grad_()
    given = fit(kind, (Examples(features, examples.labels), text))
    assert not given.scores(features[0]).requires_grad
    assert features.grad is None
    with torch.inference_mode():
        seen = Examples(examples.features.clone(), examples.labels.clone()), text.clone()
        inside = fit(kind, seen).scores(seen[0].unaugmented)
    outside = fit(kind, seen).scores(seen[0].unaugmented)
    for scores in (given.scores(features[0]), inside, outside):
        assert torch.equal(scores, expected)


@pytest.mark.parametrize("name", HEADS.built_in)
def test_examples_that_do_not_fit_are_refused(name, problem):
    examples, text = problem
    features, labels = examples.features, examples.labels
    broken = features.clone()
    broken[1, 3, 1, 2, 0] = torch.inf
    for arguments, message in [
        ((features[:, :, :1], labels, text), r"expected view features \[K, N, 2, V, D\] .* got \[2, 30, 1, 4, 8\]"),
        ((features, labels, text[:, :5]), r"got \[2, 30, 2, 4, 8\] and \[3, 5\]"),
        ((features[:, :0], labels[:0], text), "at least one example"),
        ((features, labels + 1, text), "labels from 1 to 3: expected 0 to 2"),
        ((broken, labels, text), "not finite"),
    ]:
        with pytest.raises(OptionError, match=message):
            make_head(name).fit(Examples(*arguments[:2]), arguments[2], logit_scale=10.0)
    with pytest.raises(OptionError, match="a logit scale of 0: expected"):
        make_head(name).fit(examples, text, logit_scale=0)


def test_scores_need_a_fitted_head_and_its_views(kind, head, problem):
    features = problem[0].unaugmented
    with pytest.raises(OptionError, match="was not fitted yet: call fit first"):
        make(kind).scores(features)
    with pytest.raises(OptionError, match=r"expected view features \[N, 2, (V|4), 8\], got \[30, 2, 4, 5\]"):
        head.scores(features[..., :5])
    with pytest.raises(OptionError, match=r"expected view features \[N, 2, (V|4), 8\], got \[30, 4, 8\]"):
        head.scores(features[:, 0])
    if head.name == "zero-shot":
        assert head.scores(features[:, :, :3]).shape == (30, 3)
    else:
        with pytest.raises(OptionError, match=r"got \[30, 2, 3, 8\]"):
            head.scores(features[:, :, :3])


def test_classes_known_by_name_alone(problem):
    examples, text = problem
    seen = examples.take(examples.labels != 1)
    for name in HEADS.built_in:
        if name in ("nearest-mean", "linear"):
            with pytest.raises(OptionError, match=rf"class 1 of 3 .* has no example: {name} needs"):
                fit(name, (seen, text))
        else:
            assert fit(name, (seen, text)).scores(examples.unaugmented).shape == (30, 3)


def test_heads_and_options_by_name():
    for name in HEADS.built_in:
        assert make_head(name).options == make_head(name, grid(name)[0]).options
        for options in grid(name):
            assert make_head(name, options).options.items() >= options.items()
    with pytest.raises(OptionError, match="unknown head 'svm': expected one of zero-shot, nearest-mean"):
        make_head("svm")
    with pytest.raises(OptionError, match="unknown head 'svm'"):
        grid("svm")
    with pytest.raises(ModelError, match="the head 'svm', which no installed package provides"):
        head_from_state("svm", {}, {})
    with pytest.raises(OptionError, match="dpa has no option 'gate': expected one of epochs, steps, lr"):
        make_head("dpa", {"gate": "scalar"})


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("linear", {"c": 0}, "linear: c is 0: expected a number above 0"),
        ("linear", {"c": float("inf")}, "c is inf"),
        ("linear", {"c": "10"}, "c is '10'"),
        ("linear", {"c": True}, "c is True"),
        ("linear", {"path": "text"}, "path is 'text': expected one of 'depth', 'image', 'both'"),
        ("linear", {"path": ["depth"]}, r"path is \['depth'\]"),
        ("tip-adapter", {"beta": -1}, "beta is -1"),
        ("tip-adapter", {"alpha": -0.1}, "alpha is -0.1: expected a number of at least 0"),
        ("dpa", {"epochs": 2.0}, "epochs is 2.0: expected an integer of at least 1"),
        ("dpa", {"batch_size": 1}, "batch_size is 1"),
        ("gdpa", {"scale": 100}, "scale is 100: expected one of 'off', 'fixed', 'learned'"),
        ("gdpa", {"shared": 1}, "gdpa: shared is 1: expected one of True, False"),
    ],
)
def test_options_that_make_no_sense_are_refused(name, options, message):
    with pytest.raises(OptionError, match=message):
        make_head(name, options)
    with pytest.raises(ModelError, match=message):
        head_from_state(name, options, {})


def test_heads_with_options_in_words():
    assert parse_head("gdpa") == ("gdpa", {})
    name, options = parse_head("gdpa:gate=channel:shared=true:epochs=5:lean=-0.5")
    assert (name, options) == ("gdpa", {"gate": "channel", "shared": True, "epochs": 5, "lean": -0.5})
    for text, message in {
        "gdpa:channel": "'channel' is no option: expected NAME=VALUE",
        "gdpa:gate=wide": "gate is 'wide': expected one of 'scalar', 'channel'",
        "dpa:gate=scalar": "dpa has no option 'gate'",
        "svm:c=1": "unknown head 'svm'",
    }.items():
        with pytest.raises(OptionError, match=message):
            parse_head(text)


def test_validation_searches_the_candidates_that_were_measured():
    assert trained._LEANS == (0, 0.5, -0.5, 1, -1, 2, -2, 3, -3, 8, -8)
    assert trained._BLENDS == (0, 0.25, 0.5, 1, 2, 4, 8)
