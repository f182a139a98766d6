import numpy as np
import pytest
import torch

from clip2point.core.errors import OptionError
from clip2point.data.pairs import PairSet
from clip2point.pretraining.batches import BatchSettings, PairBatches, RenderingSettings
from clip2point.pretraining.captions import CaptionSettings, Vocabulary
from clip2point.rendering import ViewSet, render_depth, view_set
from clip2point.shapes.augmentation import AugmentationSettings
from clip2point.training.distributed import Process


@pytest.fixture(scope="module")
def pairs(pair_folder, tmp_path_factory):
    patch = pytest.MonkeyPatch()
    patch.setenv("CLIP2POINT_CACHE", str(tmp_path_factory.mktemp("cache")))
    yield PairSet([pair_folder])
    patch.undo()


def batches(pairs, **changes):
    settings = {
        "image_size": 32,
        "batch_size": 4,
        "rendering": RenderingSettings(points=(64, 256), radius=(0.02, 0.1)),
        "augmentation": AugmentationSettings(yaw=180, independent=True),
        "vocabulary": Vocabulary([info.captions for info in pairs.infos], CaptionSettings()),
    }
    settings |= changes
    parts = {name: settings.pop(name) for name in ("images", "vocabulary", "process") if name in settings}
    return PairBatches(pairs, BatchSettings(**settings), **parts)


def equal(a, b):
    return all(x is y is None or torch.equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.slow
def test_a_batch_depends_on_its_number_alone(pairs):
    first, second = batches(pairs), batches(pairs)
    for step in (0, 1, 2, 5):
        second.batch(step)
    assert equal(first.batch(3), second.batch(3))
    assert not equal(first.batch(3), first.batch(4))
    assert not equal(first.batch(3), batches(pairs, seed=1).batch(3))


def test_processes_share_a_batch(pairs):
    whole = batches(pairs).batch(2)
    parts = [batches(pairs, process=Process(rank, 2)).batch(2) for rank in range(2)]
    # A view's number of points and discs belong to the step, so that a part is rendered as in the whole.
    assert torch.equal(torch.cat([part.depth for part in parts], dim=1), whole.depth)
    assert torch.equal(torch.cat([part.caption for part in parts]), whole.caption)


def test_each_epoch_shows_each_model_once_and_balance_evens_names_out(pairs):
    one_by_one = batches(pairs, batch_size=1)
    names = [info.captions[0] for info in pairs.infos]
    shown = [one_by_one.batch(step).caption.item() for step in range(5)]
    vocabulary = Vocabulary([info.captions for info in pairs.infos], CaptionSettings(name_probability=1))
    assert one_by_one.steps_per_epoch == len(shown) == 5
    even = batches(pairs, batch_size=5, balance=1.0, vocabulary=vocabulary)
    drawn = [vocabulary.texts[number] for step in range(60) for number in even.batch(step).caption.tolist()]
    assert {name: drawn.count(name) / len(drawn) for name in set(names)} == pytest.approx(
        dict.fromkeys(names, 0.25), abs=0.1
    )


def test_the_papers_batch_shows_one_view_at_two_distances(pairs):
    """Without augmentation, both depth maps are those of the same points from one camera direction."""
    paper = batches(pairs, rendering=RenderingSettings(), augmentation=AugmentationSettings(), batch_size=2)
    batch = paper.batch(0)
    assert batch.depth.shape == (2, 2, 1, 32, 32)
    models = np.random.default_rng((0, 0, 0)).permutation(5)[:2]
    for row, model in enumerate(models):
        draw = np.random.default_rng((0, 1, 0, row))
        view = int(draw.integers(10))
        points = pairs.points(model)[draw.choice(8192, 1024, replace=False)]
        distances = draw.uniform(0.9, 1.1, size=(2, 1)).astype(np.float32)
        camera = ViewSet("one", (view_set("clip2point-10").angles[view],))
        expected = render_depth(np.stack([points, points]), camera, distances, image_size=32)
        assert np.array_equal(batch.depth[:, row].numpy(), expected)


def test_images_are_those_of_the_view_or_any_if_views_differ(pairs):
    features = lambda model, view: np.array([model, view], np.float32)  # noqa: E731
    same = batches(pairs, images=features, batch_size=5).batch(0).image
    views = [int(np.random.default_rng((0, 1, 0, place)).integers(10)) for place in range(5)]
    assert same[:, 1].tolist() == views
    assert same[:, 0].tolist() == np.random.default_rng((0, 0, 0)).permutation(5).tolist()
    other = batches(pairs, images=features, batch_size=5, rendering=RenderingSettings(views="ring-3")).batch(0).image
    assert set(other[:, 0].tolist()) == set(range(5))
    assert other[:, 1].max() <= 9


def test_captions_are_those_of_the_models_in_their_order(pairs):
    names = [f"name {model}" for model in range(len(pairs))]
    vocabulary = Vocabulary([[name] for name in names], CaptionSettings())
    for epoch in range(2):
        models = np.random.default_rng((0, 0, epoch)).permutation(5)[:4]
        caption = batches(pairs, vocabulary=vocabulary).batch(epoch).caption
        assert [vocabulary.texts[number] for number in caption.tolist()] == [names[model] for model in models]


def test_without_images_and_captions_there_are_none(pairs):
    batch = batches(pairs, vocabulary=None).batch(0)
    assert batch.image is None
    assert batch.caption is None


def test_invalid_settings_are_refused(pairs):
    with pytest.raises(OptionError, match="multiple of the number of processes, 3"):
        batches(pairs, process=Process(0, 3))
    with pytest.raises(OptionError, match="at most the number of models, 5"):
        batches(pairs, batch_size=6)
    with pytest.raises(OptionError, match="radius is 0.1 to 0.02: expected two numbers"):
        RenderingSettings(radius=(0.1, 0.02))
    with pytest.raises(OptionError, match="unknown view set"):
        RenderingSettings(views="sideways")
    with pytest.raises(OptionError, match="unknown depth style 'oil'"):
        RenderingSettings(style="oil")
    with pytest.raises(OptionError, match="image_size is -1"):
        RenderingSettings(image_size=-1)
