import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy, normalize
from torch.testing import assert_close

from clip2point.core.errors import OptionError
from clip2point.heads import DPA, GDPA, DPAHead, Examples, GDPAHead, GlobalView, InterView, make_head
from clip2point.heads.calibration import rate_scores
from clip2point.heads.head_options import GDPASettings
from clip2point.heads.network_training import Scorer
from clip2point.heads.tensors import to_tensor
from clip2point.heads.trained import _find_best

QUICK = {"epochs": 8, "batch_size": 8, "lr": 1e-2}


def fit(name, problem, **options):
    examples, text = problem
    return make_head(name, {**QUICK, **options}).fit(examples, text, logit_scale=10.0)


def network(head, module):
    """A module with the weights of a head."""
    prefix = "network."
    module.load_state_dict(
        {k.removeprefix(prefix): to_tensor(v) for k, v in head.state.items() if k.startswith(prefix)}
    )
    return module.eval()


def test_scores_are_cosines_of_the_modules(problem):
    examples, text = problem
    depth, image = examples.unaugmented.unbind(1)
    unit = normalize(text, dim=-1)
    settings = GDPASettings(gate="channel")
    plain = {"scale": "off", "blend": 0, "unit": False}
    for name, module, arguments, options in [
        ("dpa", DPA(4, 8), (depth, image), {}),
        ("gdpa", GDPA(4, 8, settings), (depth, image), {"gate": "channel", "on": "features", "source": "input"}),
        ("inter-view", InterView(8, 8), (torch.cat([depth, image], dim=1),), {"path": "both"}),
        ("inter-view", InterView(4, 8), (image,), {"path": "image"}),
        ("depth-path", GlobalView(4, 8), (depth,), {}),
        ("image-path", GlobalView(4, 8), (image,), {}),
    ]:
        head = fit(name, problem, **plain, **options)
        with torch.no_grad():
            features = normalize(network(head, module)(*arguments), dim=-1)
        assert_close(head.scores(examples.unaugmented), features @ unit.T)


def test_unit_heads_do_not_mind_the_length_of_features(problem):
    examples, _ = problem
    lengths = 0.5 + torch.rand(2, 30, 2, 4, 1, generator=torch.Generator().manual_seed(2))
    for unit, same in ((True, True), (False, False)):
        one = fit("gdpa", problem, unit=unit)
        scaled = one.scores(lengths[0] * examples.unaugmented)
        assert torch.allclose(scaled, one.scores(examples.unaugmented), atol=1e-4) == same


def test_few_rounds_over_large_sets(problem):
    examples, text = problem
    one = fit("dpa", problem, epochs=2)  # of 3 steps each, as batches of 8 go into 30
    cut = make_head("dpa", {**QUICK, "epochs": 100, "steps": 7}).fit(examples, text, logit_scale=10.0)
    for name, values in cut.state.items():
        np.testing.assert_allclose(values, one.state[name], rtol=1e-5, atol=1e-6)


def test_the_lean_that_validation_prefers(problem):
    examples, text = problem
    broken = Examples(examples.features.clone(), examples.labels)
    broken.features[:, :, 1] = torch.randn(broken.features[:, :, 1].shape, generator=torch.Generator().manual_seed(3))
    head = make_head("gdpa", QUICK).fit(examples, text, logit_scale=10.0)
    tuned = head.tune(broken)
    assert tuned.options["lean"] > 0
    assert head.options["lean"] == 0
    assert (tuned.gates(broken.unaugmented)[:, 0] > head.gates(broken.unaugmented)[:, 0]).all()
    assert head.tune(broken, fixed=("lean", "blend")) is head
    alone = make_head("gdpa", {**head.options, "lean": 50.0}).load_state(head.state)
    assert_close(alone.gates(examples.unaugmented), torch.tensor([[1.0, 0.0]]).expand(30, 2))


def test_the_blend_that_validation_prefers(problem):
    examples, _ = problem
    centers = examples.unaugmented.mean((1, 2))
    names = torch.stack([centers[examples.labels == label].mean(0) for label in range(3)])  # as good as examples
    wrong = Examples(examples.features, examples.labels.roll(1))
    head = make_head("dpa", QUICK).fit(wrong, names, logit_scale=10.0)
    tuned = head.tune(examples)
    assert tuned.options["blend"] > 0
    rate = [(one.scores(examples.unaugmented).argmax(1) == examples.labels).float().mean() for one in (head, tuned)]
    assert rate[1] > rate[0]
    assert head.tune(examples, fixed=("blend",)) is head


def test_scale_and_zero_shot_logits(problem):
    examples, text = problem
    plain = fit("dpa", problem, scale="off", blend=0)
    scores = plain.scores(examples.unaugmented)
    fixed, learned, blended = (
        make_head("dpa", {**QUICK, "scale": "off", "blend": 0, **options})
        for options in ({"scale": "fixed"}, {"scale": "learned"}, {"blend": 0.5})
    )
    fixed.load_state(plain.state)
    assert_close(fixed.scores(examples.unaugmented), 100 * scores)
    learned.load_state({**plain.state, "log_scale": torch.tensor(2.0).log()})
    assert_close(learned.scores(examples.unaugmented), 2 * scores)
    blended.load_state(plain.state)
    zero_shot = make_head("zero-shot").fit(examples, text, logit_scale=10.0)
    assert_close(blended.scores(examples.unaugmented), scores + 0.5 * zero_shot.scores(examples.unaugmented))
    assert fit("dpa", problem, scale="learned").state["log_scale"] != pytest.approx(np.log(1 / 0.07))


def test_gates_sum_to_one(problem):
    examples, _ = problem
    for options in ({"gate": "scalar", "source": "input"}, {"gate": "channel"}, {"source": "free", "on": "logits"}):
        gates = fit("gdpa", problem, **options).gates(examples.unaugmented)
        assert gates.shape == (30, 2)
        assert_close(gates.sum(1), torch.ones(30))
        assert (gates > 0).all()
    with pytest.raises(OptionError, match="gdpa was not fitted yet"):
        GDPAHead().gates(examples.unaugmented)


def test_a_free_gate_at_a_half_on_features_is_dpa(problem):
    examples, _ = problem
    plain = {"scale": "off", "blend": 0}
    dpa = fit("dpa", problem, **plain)
    gdpa = make_head("gdpa", {"source": "free", "on": "features", "gate": "scalar", **plain})
    gdpa.load_state({**dpa.state, "network.gate.bias": torch.zeros(1, 2)})
    assert_close(gdpa.scores(examples.unaugmented), dpa.scores(examples.unaugmented))
    assert_close(gdpa.gates(examples.unaugmented), torch.full((30, 2), 0.5))


def test_every_copy_is_seen(problem):
    examples, text = problem
    one = Examples(examples.features[:1], examples.labels)
    first, both = (fit("dpa", (given, text)) for given in (one, examples))
    means = [head.state["network.depth.view_norm.running_mean"] for head in (first, both)]
    assert not np.allclose(*means)


def test_a_last_batch_of_one_shape_is_left_out(problem):
    examples, text = problem
    head = make_head("dpa", {**QUICK, "epochs": 3}).fit(examples.take(torch.arange(9)), text, logit_scale=1.0)
    assert head.state["network.depth.view_norm.num_batches_tracked"] == 3
    with pytest.raises(OptionError, match="dpa needs at least 2 examples, as batch norm does, got 1"):
        DPAHead().fit(examples.take(torch.arange(1)), text, logit_scale=1.0)


def test_the_loss_of_gdpa_weighs_both_paths(problem):
    examples, text = problem
    head = GDPAHead(path_loss=0.7)
    scorer = Scorer(head.build_network(4, 8), head.compute_cosines, "off").eval()
    batch, labels = examples.unaugmented, examples.labels
    logits = scorer.network.all_logits(*batch.unbind(1), text)
    fused, depth, image = (cross_entropy(logits[:, part], labels) for part in range(3))
    assert len({round(loss.item(), 4) for loss in (fused, depth, image)}) == 3
    assert_close(head.compute_loss(scorer, batch, labels, {"text": text}), fused + 0.7 * (depth + image))


def test_a_learned_scale_begins_where_that_of_clip_does(problem):
    head = fit("dpa", problem, scale="learned", epochs=1, lr=1e-9, weight_decay=0)
    assert np.exp(head.state["log_scale"]) == pytest.approx(1 / 0.07, rel=1e-5)


def test_accuracy_ranks_before_cross_entropy():
    labels = torch.tensor([0, 0, 0, 1])
    accurate = torch.tensor([[0.1, 0.0], [0.1, 0.0], [0.1, 0.0], [9.0, 0.0]])  # 3 of 4, one far off
    cautious = torch.tensor([[0.1, 0.0], [0.1, 0.0], [0.0, 0.01], [0.0, 0.0]])  # 2 of 4, none far off
    (first, second), (one, other) = rate_scores(torch.stack([cautious, accurate]), labels)
    assert first < second
    assert one < other
    assert _find_best([cautious.numpy(), accurate.numpy()], labels) == 1
