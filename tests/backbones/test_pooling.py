"""Pooled features are unit, whatever the lengths of what they are made of."""

import torch
from torch.nn.functional import normalize

from clip2point.backbones import shapes_per_batch
from clip2point.backbones.pooling import mean_unit_features


def test_the_mean_of_unit_features_is_unit_and_does_not_depend_on_lengths():
    features = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0))
    pooled = mean_unit_features(features)
    expected = torch.stack([normalize(sum(normalize(view, dim=0) for view in shape), dim=0) for shape in features])
    torch.testing.assert_close(pooled, expected)
    lengths = torch.rand(3, 4, 1, generator=torch.Generator().manual_seed(1)) + 0.1
    torch.testing.assert_close(mean_unit_features(features * lengths), pooled)
    torch.testing.assert_close(mean_unit_features(features[0]), pooled[0])


def test_a_batch_has_at_most_64_views_unless_one_shape_has_more():
    assert [shapes_per_batch(views) for views in (1, 6, 10, 64, 65)] == [64, 10, 6, 1, 1]
