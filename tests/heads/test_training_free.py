import pytest
import torch
from torch.testing import assert_close

from clip2point.core.errors import ModelError
from clip2point.heads import Examples, NearestClassMean, ZeroShot


def test_zero_shot_is_the_mean_of_the_views_cosines(problem):
    examples, text = problem
    features = examples.unaugmented
    for path, views in (("depth", features[:, 0]), ("image", features[:, 1]), ("both", features.flatten(1, 2))):
        scores = ZeroShot(path=path).fit(examples, text, logit_scale=7.0).scores(features)
        for n, c in ((0, 0), (7, 2), (29, 1)):
            assert_close(scores[n, c], 7 * torch.cosine_similarity(views[n], text[c], dim=-1).mean())


def test_the_state_of_zero_shot_is_a_matrix_of_names_and_a_factor(problem):
    examples, text = problem
    head = ZeroShot().fit(examples, text, logit_scale=7.0)
    assert head.derive_shapes(head.state) == {"text": tuple(text.shape), "logit_scale": ()}
    with pytest.raises(ModelError, match="expected 2 dimensions"):
        head.derive_shapes({**head.state, "text": text[None]})


def test_the_state_of_class_means_is_a_mean_of_each_class_and_a_factor(problem):
    examples, text = problem
    head = NearestClassMean().fit(examples, text, logit_scale=7.0)
    assert head.derive_shapes(head.state) == {name: tuple(tensor.shape) for name, tensor in head.state.items()}


def test_lengths_of_features_do_not_matter(problem):
    examples, text = problem
    for kind in (ZeroShot, NearestClassMean):
        head = kind().fit(examples, text, logit_scale=1.0)
        longer = kind().fit(Examples(3 * examples.features, examples.labels), text / 7, logit_scale=1.0)
        assert_close(longer.scores(5 * examples.unaugmented), head.scores(examples.unaugmented))


def test_the_mean_of_one_example_is_that_example(problem):
    examples, text = problem
    features = examples.features[:1, :3]
    head = NearestClassMean(path="both").fit(Examples(features, torch.arange(3)), text, logit_scale=2.0)
    cosines = torch.cosine_similarity(examples.unaugmented[:, None], features[0], dim=-1)
    assert_close(head.scores(examples.unaugmented), 2 * cosines.mean((-2, -1)))


def test_copies_count_as_more_examples(problem):
    examples, text = problem
    flat = Examples(examples.features.flatten(0, 1)[None], examples.labels.repeat(2))
    one, other = (NearestClassMean().fit(given, text, logit_scale=1.0) for given in (examples, flat))
    assert_close(torch.from_numpy(one.state["means"]), torch.from_numpy(other.state["means"]))
