"""The formulas on arrays, by which heads answer, against the modules that are trained."""

from itertools import product

import numpy as np
import pytest
import torch

from clip2point.heads import Examples, TrainedHead, make_head
from clip2point.heads.network_training import describe_network, run_network
from clip2point.heads.trained import NETWORK

KINDS = [
    *((name, {}) for name in ("dpa", "depth-path", "image-path")),
    *(("inter-view", {"path": path}) for path in ("depth", "image", "both")),
    *(
        ("gdpa", {"on": on, "gate": gate, "source": source, "shared": shared, "lean": lean})
        for on, gate, source, (shared, lean) in product(
            ("features", "logits"), ("scalar", "channel"), ("input", "free"), ((False, -0.7), (True, 0.0))
        )
    ),
]


@pytest.fixture(params=KINDS, ids=str)
def head(request, problem):
    """A head that was trained for a few steps, so that no tensor is as it began."""
    name, options = request.param
    examples, text = problem
    head = make_head(name, {"epochs": 4, "batch_size": 8, "lr": 1e-2, **options})
    return head.fit(examples, text, logit_scale=10.0, seed=1)


def test_the_arrays_give_what_the_modules_give(head, problem):
    features = head.prepare(problem[0].unaugmented.numpy())
    np.testing.assert_allclose(
        head.network_cosines(features), run_network(head, head.state, features), rtol=0, atol=1e-5
    )
    np.testing.assert_allclose(
        head.network_cosines(3 * features), run_network(head, head.state, 3 * features), rtol=0, atol=1e-5
    )


def test_the_arrays_have_the_shapes_of_the_modules(head):
    for views, dim in ((1, 1), (4, 8), (10, 384)):
        shapes = head.network_shapes(views, dim)
        assert shapes == {NETWORK + name: shape for name, shape in describe_network(head, views, dim).items()}


def test_a_network_of_a_plug_in_needs_no_formula_on_arrays(problem):
    from clip2point.heads import GlobalView

    class Plain(TrainedHead):
        name, views_tensor = "plain", "ratio"

        def build_network(self, views, dim):
            return GlobalView(views, dim)

        def compute_cosines(self, network, features, text):
            return torch.nn.functional.normalize(network(features[:, 0]), dim=-1) @ text.T

    examples, text = problem
    options = {"epochs": 3, "batch_size": 8, "blend": 0.5}
    plain = Plain(**options).fit(examples, text, logit_scale=10.0)
    same = make_head("depth-path", options).fit(examples, text, logit_scale=10.0)
    for values in (examples.unaugmented, examples.unaugmented.numpy()):
        np.testing.assert_allclose(plain.scores(values), same.scores(values), rtol=0, atol=1e-4)
    assert Plain(**options).load_state(plain.state).derive_shapes(plain.state) == same.derive_shapes(same.state)


@pytest.mark.parametrize("name", ["zero-shot", "nearest-mean", "linear", "tip-adapter", "gdpa"])
def test_scores_come_in_the_container_of_the_features(name, problem):
    examples, text = problem
    head = make_head(name, {"epochs": 1} if name == "gdpa" else {}).fit(examples, text, logit_scale=10.0)
    arrays = head.scores(examples.unaugmented.numpy())
    assert isinstance(arrays, np.ndarray)
    assert arrays.dtype == np.float32
    tensors = head.scores(examples.unaugmented)
    assert torch.equal(tensors, torch.from_numpy(arrays))
    same = make_head(name, head.options).fit(examples.to_arrays(), text.numpy(), logit_scale=10.0)
    assert all(np.array_equal(same.state[key], head.state[key]) for key in head.state)
    assert isinstance(
        Examples(examples.features.numpy(), examples.labels.numpy()).take(np.array([0, 2])).features, np.ndarray
    )
