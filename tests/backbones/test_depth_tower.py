import copy
from functools import lru_cache

import numpy as np
import pytest
import torch

from clip2point.backbones import efficientnet_weights
from clip2point.backbones.depth_tower import DepthTower
from clip2point.backbones.pocket import TENSORS, PocketBackbone
from clip2point.backbones.transformers_backbone import load_transformers_backbone
from clip2point.core.errors import ModelError, OptionError
from clip2point.model.checkpoint import read_checkpoint
from clip2point.model.folders import POCKET

pytestmark = pytest.mark.slow

SIZES = {"pocket": 64, "tiny_clip": 32, "tiny_siglip": 32}
KINDS = list(SIZES)


@lru_cache
def pocket_tensors():
    tensors = read_checkpoint(POCKET).tensors
    return {name: torch.from_numpy(tensors[name]) for name in TENSORS}


def make(request, kind, dtype="fp32"):
    if kind == "pocket":
        return PocketBackbone(pocket_tensors(), logit_scale=10, dtype=dtype)
    return load_transformers_backbone(request.getfixturevalue(kind), dtype=dtype)


def depth_maps(kind, objects=1, views=2):
    size = SIZES[kind]
    return torch.rand(objects, views, size, size, generator=torch.Generator().manual_seed(0))


def features(tower, depth):
    with torch.no_grad():
        return tower(depth.flatten(0, 1)[:, None]).unflatten(0, depth.shape[:2])


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def backbone(request, kind):
    return make(request, kind)


def test_a_new_tower_gives_the_features_of_the_backbone(backbone, kind):
    depth = depth_maps(kind)
    tower = backbone.depth_tower()
    assert all(parameter.requires_grad and parameter.dtype == torch.float32 for parameter in tower.parameters())
    torch.testing.assert_close(features(tower, depth), backbone.encode_depth(depth), atol=1e-4, rtol=1e-4)


def test_training_changes_the_tower_alone(backbone, kind, train_one_step):
    depth, colors = depth_maps(kind), torch.rand(1, 3, 32, 32)
    before = backbone.encode_depth(depth), backbone.encode_image(colors), backbone.encode_text(["chair"])
    fingerprint = backbone.fingerprint()
    tower = backbone.depth_tower()
    train_one_step(tower, depth)
    after = backbone.encode_depth(depth), backbone.encode_image(colors), backbone.encode_text(["chair"])
    assert all(torch.equal(torch.as_tensor(old), torch.as_tensor(new)) for old, new in zip(before, after, strict=True))
    assert backbone.fingerprint() == fingerprint
    assert not torch.allclose(features(tower, depth), before[0], atol=1e-4)


def test_a_trained_tower_is_one_of_two_paths(backbone, kind, train_one_step):
    depth = depth_maps(kind)
    assert torch.equal(backbone.encode_depth(depth, path="image"), backbone.encode_depth(depth))
    assert backbone.fingerprint("image") == backbone.fingerprint("depth")
    tower = backbone.depth_tower()
    train_one_step(tower, depth)
    trained = backbone.with_depth_tower(tower)
    torch.testing.assert_close(trained.encode_depth(depth), features(tower, depth), atol=1e-4, rtol=1e-4)
    assert torch.equal(trained.encode_depth(depth, path="image"), backbone.encode_depth(depth))
    np.testing.assert_array_equal(trained.encode_text(["chair"]), backbone.encode_text(["chair"]))
    assert trained.fingerprint() != backbone.fingerprint() == trained.fingerprint("image")


def test_the_backbone_keeps_its_own_copy_of_the_tower(backbone, kind, train_one_step):
    depth = depth_maps(kind)
    tower = backbone.depth_tower()
    trained = backbone.with_depth_tower(tower)
    before = trained.encode_depth(depth)
    train_one_step(tower, depth)
    assert torch.equal(trained.encode_depth(depth), before)


def test_training_goes_on_from_a_trained_tower(backbone, kind, train_one_step):
    depth = depth_maps(kind)
    tower = backbone.depth_tower()
    train_one_step(tower, depth)
    again = backbone.with_depth_tower(tower).depth_tower()
    assert all(torch.equal(tensor, again.state_dict()[name]) for name, tensor in tower.state_dict().items())
    train_one_step(again, depth)


def test_towers_copy_and_their_states_round_trip(backbone, kind, train_one_step):
    depth = depth_maps(kind)
    tower = backbone.depth_tower()
    train_one_step(tower, depth)
    copied, other = copy.deepcopy(tower), backbone.depth_tower()
    other.load_state_dict(tower.state_dict())
    for same in (copied, other):
        assert torch.equal(features(same, depth), features(tower, depth))
    by_state = backbone.with_depth_tower(tower.state_dict())
    assert torch.equal(by_state.encode_depth(depth), backbone.with_depth_tower(tower).encode_depth(depth))


def test_putting_a_tower_in_draws_no_random_numbers(backbone):
    tower = backbone.depth_tower()
    torch.manual_seed(0)
    before = torch.get_rng_state()
    backbone.with_depth_tower(tower)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("kind", ["pocket", "tiny_clip"])
def test_a_trained_tower_computes_in_the_format_of_the_backbone(request, kind, train_one_step):
    exact, rounded = (make(request, kind, dtype) for dtype in ("fp32", "bf16"))
    depth, tower = depth_maps(kind), exact.depth_tower()
    train_one_step(tower, depth)
    exact, rounded = exact.with_depth_tower(tower), rounded.with_depth_tower(tower)
    similarity = torch.cosine_similarity(exact.encode_depth(depth), rounded.encode_depth(depth), dim=-1)
    assert 0.99 < similarity.min() < 1
    assert rounded.encode_depth(depth).dtype == torch.float32
    kept = rounded.depth_tower().state_dict()
    assert all(torch.equal(tensor, kept[name]) for name, tensor in tower.state_dict().items())


def spoiled(state, kind):
    name = next(name for name, tensor in state.items() if tensor.is_floating_point())
    tensor = state.pop(name)
    changes = {
        "missing": {},
        "extra": {name: tensor, "more": tensor},
        "misshapen": {name: tensor[:1]},
        "endless": {name: tensor * torch.inf},
        "double": {name: tensor.double()},
    }
    return {**state, **changes[kind]}, name


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("missing", "depth tower: the tensor '{}' is missing"),
        ("extra", "depth tower: the tensor 'more' is not part of this model"),
        ("misshapen", "depth tower: the tensor '{}' has shape"),
        ("endless", "depth tower: the tensor '{}' has values that are not finite"),
        ("double", "depth tower: the tensor '{}' is in torch.float64, expected torch.float32 or torch.float16"),
    ],
)
def test_other_towers_are_refused(request, change, message):
    backbone = make(request, "tiny_clip")
    state, name = spoiled(dict(backbone.depth_tower().state_dict()), change)
    with pytest.raises(ModelError, match=message.format(name)):
        backbone.with_depth_tower(state)


def normalise(backbone, images):
    """What the backbone does to images before its image tower."""
    if isinstance(backbone, PocketBackbone):
        return efficientnet_weights.normalize(images)
    mean, std = backbone._statistics()
    return (images - mean) / std


def test_pixels_go_to_the_tower_of_their_path(backbone, kind, train_one_step):
    depth = depth_maps(kind)
    pixels = normalise(backbone, depth.flatten(0, 1)[:, None].expand(-1, 3, -1, -1))
    tower = backbone.depth_tower()
    train_one_step(tower, depth)
    for other in (backbone, backbone.with_depth_tower(tower)):
        expected = other.encode_depth(depth).flatten(0, 1)
        torch.testing.assert_close(other.encode_pixels(pixels, path="depth"), expected, atol=1e-4, rtol=1e-4)
    size = backbone.image_size
    colors = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(1))
    assert torch.equal(backbone.encode_pixels(normalise(backbone, colors)), backbone.encode_image(colors))
    assert backbone.encode_pixels(pixels[:0]).shape == (0, backbone.dim)


def test_pixels_and_tokens_of_another_form_are_refused(backbone):
    with pytest.raises(OptionError, match=r"images of shape \[1, 1, 32, 32\]: expected \[N, 3, H, W\]"):
        backbone.encode_pixels(torch.zeros(1, 1, 32, 32))
    with pytest.raises(OptionError, match="unknown path 'photo'"):
        backbone.encode_pixels(torch.zeros(1, 3, 32, 32), path="photo")
    with pytest.raises(OptionError, match=r"tokens of shape \[1, 4\] in torch.float32: expected integers"):
        backbone.encode_tokens(torch.zeros(1, 4))


@pytest.mark.parametrize(
    ("kind", "count", "first"),
    [
        ("pocket", 21, "network._blocks.0"),
        ("tiny_clip", 2, "vision.encoder.layers.0"),
        ("tiny_siglip", 2, "vision.encoder.layers.0"),
    ],
)
def test_a_tower_names_its_blocks_in_the_order_in_which_they_compute(request, kind, count, first):
    tower = make(request, kind).depth_tower()
    blocks, called = tower.blocks(), []
    assert (len(blocks), blocks[0]) == (count, tower.get_submodule(first))
    for block in blocks:
        block.register_forward_hook(lambda module, *_: called.append(module))
    features(tower, depth_maps(kind))
    assert called == blocks


def test_a_tower_has_to_name_its_blocks():
    with pytest.raises(NotImplementedError):
        DepthTower().blocks()


def test_image_sizes(request):
    clip, pocket = make(request, "tiny_clip"), make(request, "pocket")
    with pytest.raises(OptionError, match="image size 64 of the depth tower: .* takes 32 pixels only"):
        clip.with_depth_tower(clip.depth_tower(), image_size=64)
    tower = pocket.depth_tower()
    with pytest.raises(OptionError, match="image size 8 of the depth tower: expected 32 to 1024 pixels"):
        pocket.with_depth_tower(tower, image_size=8)
    trained = pocket.with_depth_tower(tower, image_size=160)
    assert (pocket.image_size, trained.image_size, trained.with_depth_tower(tower).image_size) == (224, 160, 160)
    colors = torch.rand(1, 3, 224, 224)
    assert torch.equal(trained.encode_image(colors), pocket.encode_image(colors))


@pytest.mark.parametrize("kind", ["pocket", "tiny_clip"])
def test_unknown_paths_are_refused(backbone, kind):
    for ask in (backbone.fingerprint, lambda path: backbone.encode_depth(depth_maps(kind), path)):
        with pytest.raises(OptionError, match="unknown path 'photo' for depth maps: expected one of depth, image"):
            ask("photo")


def test_a_tower_can_begin_anew_from_the_image_tower(backbone):
    untrained = backbone.depth_tower("image").state_dict()
    tower = backbone.depth_tower()
    with torch.no_grad():
        for parameter in tower.parameters():
            parameter.mul_(1.1)
    trained = backbone.with_depth_tower(tower)
    anew, further = (trained.depth_tower(path).state_dict() for path in ("image", "depth"))
    assert all(torch.equal(anew[name], tensor) for name, tensor in untrained.items())
    assert all(torch.equal(further[name], tensor) for name, tensor in tower.state_dict().items())
    with pytest.raises(OptionError, match="unknown path 'text'"):
        backbone.depth_tower("text")
