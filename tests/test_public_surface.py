"""The public surface: a change of a name or a signature here is a change for users, and goes into the changelog."""

import inspect
import subprocess
import sys

import pytest
import torch

import clip2point

#: Public names with their parameters; None for what is not called.
SURFACE = {
    "AdaptSettings": "(*, unfreeze=None, epochs=None, wise_ft_alpha=None, precision=None, head='gdpa', options=None, "
    "shots=None, augmented_views=2, up='auto', seed=0, target=0.95)",
    "Classification": "(source, guesses, up, up_from, points, seed, model, depth=None, unknown=False, "
    "in_distribution=True, vector=None, notes=())",
    "DPA": "(views, dim)",
    "Embedding": "(source, vector, up, up_from, points, seed, model, notes=())",
    "Failure": "(source, error)",
    "FewShotClassifier": "(model='pocket', *, head='gdpa', options=None, augmented_views=2, up='auto', seed=0, "
    "target=0.95, unfreeze=None, epochs=None, wise_ft_alpha=None, precision=None, copies=None)",
    "GDPA": "(views, dim, settings=None)",
    "Guess": "(label, score, confidence, view_scores)",
    "Recogniser": "(backbone, settings, name, adapter=None, adapted=None)",
    "Settings": "(views='clip2point-6', points=1024, radius=0.02, style='clip2point', templates=('image of a {}',))",
    "Shape": "(points, mesh=None, source='array', up='y', notes=(), hierarchy=None, kept=None)",
    "ViewSet": "(name, angles, distances=(), axes=())",
    "__version__": None,
    "adapt": "(dataset, model='pocket', settings=None, *, run=None, progress=None)",
    "convert": "(path, out, *, clip=None, activation=None, tokenizer=None, reference=None)",
    "find_shapes": "(path)",
    "list_models": "(folder=None)",
    "load": "(model='pocket', *, device='cpu', dtype='auto')",
    "load_shape": "(path, *, up='auto', columns=None)",
    "pretraining_loss": "(depth1, depth2, image, sigma, temperature=0.07)",
    "render_depth": "(points, views, distances=None, *, image_size=224, radius=0.02, style='clip2point', backend=None)",
    "rotate_modelnet": "(points)",
    "sample_points": "(shape, count=1024, seed=0, method='auto')",
    "view_set": "(views)",
    "zero_shot_logits": "(backbone, points, text_features, views='clip2point-6', *, image_size=None, radius=0.02, "
    "rotate_modelnet=False, style='clip2point')",
}
#: Public attributes and methods of a loaded model and of its backbone.
MODEL = {
    "adapted": None,
    "adapter": None,
    "backbone": None,
    "class_features": "(labels)",
    "note_labels": "(labels)",
    "classify": "(shape, labels=None, *, up='auto', prepare='auto', top=5, seed=0, unknown_below=None, "
    "keep_views=True)",
    "classify_many": "(shapes, labels=None, *, up='auto', prepare='auto', top=5, seed=0, unknown_below=None, "
    "keep_views=False)",
    "depth_maps": "(points, distances=None)",
    "embed": "(shapes, *, up='auto', prepare='auto', seed=0)",
    "embed_many": "(shapes, *, up='auto', prepare='auto', seed=0)",
    "name": None,
    "settings": None,
    "views": None,
    "with_head": "(adapted)",
    "with_settings": "(settings)",
    "without_head": "()",
}
BACKBONE = {
    "encode_depth": "(depth, path='depth')",
    "encode_image": "(images)",
    "encode_pixels": "(pixels, path='image')",
    "encode_text": "(texts)",
    "encode_tokens": "(ids)",
}


def parameters(value):
    """Signature of a callable without annotations, or None."""
    if not callable(value):
        return None
    signature = inspect.signature(value)
    bare = [parameter.replace(annotation=parameter.empty) for parameter in signature.parameters.values()]
    return str(signature.replace(parameters=bare, return_annotation=signature.empty))


def test_names_and_signatures():
    assert sorted(clip2point.__all__) == sorted(SURFACE)
    assert {name: parameters(getattr(clip2point, name)) for name in SURFACE} == SURFACE
    assert set(SURFACE) <= set(dir(clip2point))
    with pytest.raises(AttributeError, match="module 'clip2point' has no attribute 'classify'"):
        clip2point.classify  # noqa: B018


@pytest.fixture(scope="module")
def model():
    return clip2point.load("pocket")


def test_a_loaded_model(model):
    public = {name for name in dir(model) if not name.startswith("_")}
    assert public == set(MODEL)
    plain = {"adapted", "adapter", "backbone", "name", "settings", "views"}
    assert {name: None if name in plain else parameters(getattr(model, name)) for name in MODEL} == MODEL
    assert {name: parameters(getattr(model.backbone, name)) for name in BACKBONE} == BACKBONE
    assert model.adapter is None


def test_towers_take_pixels_and_tokens_as_they_are(model):
    side = model.backbone.image_size
    pixels = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    for path in ("image", "depth"):
        features = model.backbone.encode_pixels(pixels, path=path)
        assert list(features.shape) == [2, model.backbone.dim]
        assert features.isfinite().all()


@pytest.mark.parametrize(
    ("code", "heavy"),
    [
        ("", "torch numba transformers trimesh numpy"),
        ("clip2point.list_models(); clip2point.Failure", "torch numba transformers trimesh sklearn"),
    ],
)
def test_nothing_heavy_is_imported_before_it_is_used(code, heavy):
    code = f"import clip2point, sys; {code or 'pass'}; print([name for name in {heavy.split()} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
