import pytest
import torch

from clip2point.core.errors import OptionError
from clip2point.heads import Examples, join


def test_rows_keep_all_their_augmented_views(problem):
    examples, _ = problem
    rows = torch.tensor([4, 0, 7])
    taken = examples.take(rows)
    assert len(taken) == 3
    assert taken.augmentations == 2
    assert torch.equal(taken.labels, examples.labels[rows])
    assert torch.equal(taken.features, examples.features[:, rows])
    assert torch.equal(taken.unaugmented, examples.features[0, rows])
    assert torch.equal(examples.take(examples.labels == 1).labels, torch.ones(10, dtype=torch.int64))


def test_joining_the_parts_gives_the_whole(problem):
    examples, _ = problem
    whole = join(examples.take(torch.arange(11)), examples.take(torch.arange(11, 30)))
    assert torch.equal(whole.features, examples.features)
    assert torch.equal(whole.labels, examples.labels)


def test_other_numbers_of_augmented_or_camera_views_cannot_be_joined(problem):
    features, labels = problem[0].features, problem[0].labels
    with pytest.raises(OptionError, match=r"\[2\] and \[1\] augmented views cannot be joined"):
        join(problem[0], Examples(features[:1], labels))
    with pytest.raises(OptionError, match=r"\[2, 4, 8\] and \[2, 3, 8\] paths, views and dimensions"):
        join(problem[0], Examples(features[..., :3, :], labels))


def test_mismatched_features_and_labels_are_refused(problem):
    features, labels = problem[0].features, problem[0].labels
    with pytest.raises(OptionError, match=r"expected features \[K, N, P, V, D\] .* got \[30, 2, 4, 8\]"):
        Examples(features[0], labels)
    with pytest.raises(OptionError, match="at least one augmented view"):
        Examples(features[:0], labels)
    with pytest.raises(OptionError, match=r"of torch.int64"):
        Examples(features.long(), labels)
    with pytest.raises(OptionError, match=r"expected 30 labels of type int64, got \[7\]"):
        Examples(features, labels[:7])
    with pytest.raises(OptionError, match="got .* of torch.float32"):
        Examples(features, labels.float())
