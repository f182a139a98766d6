"""The main job without PyTorch: a plain install imports, reads, renders, names and searches without it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import clip2point
from clip2point.heads import Examples, make_head
from clip2point.heads.ood import OODDetector
from clip2point.model.adapted_folder import save_adapted
from clip2point.model.adapted_head import AdaptedHead
from clip2point.shapes.demo_shapes import DEMO_FOLDER, demo_files

PACKAGE = Path(clip2point.__file__).parent
#: What the extra "train" alone brings.
BLOCKED = (
    *("torch", "transformers", "lightning_fabric", "lightning_utilities", "tensorboardX", "peft"),
    "sentence_transformers",
)
#: Read by every Python process before anything else; children of a command are held to it as well.
BLOCK = f"""
import sys
from importlib.abc import MetaPathFinder

class Block(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {BLOCKED!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Block())
"""
#: Rooms and modules that learn, compare, convert or compute in PyTorch.
TRAINING = tuple(
    f"clip2point.{name}."
    for name in (
        *("training", "adaptation", "pretraining", "model.conversion"),
        *("backbones.clip", "backbones.clip_names", "backbones.clip_towers", "backbones.depth_tower"),
        *("backbones.efficientnet", "backbones.minilm", "backbones.pocket_modules", "backbones.single_channel"),
        *("backbones.torch_borders", "backbones.transformers_backbone", "backbones.transformers_towers"),
        *("heads.aggregator", "heads.dpa", "heads.gdpa", "heads.inter_view"),
        *("heads.key_training", "heads.network_training", "heads.tensors"),
        *("rendering.discs_torch", "rendering.pointclip"),
        *("evaluation.protocol_settings", "evaluation.protocols", "evaluation.speed", "reproduction"),
    )
)


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    folder = tmp_path_factory.mktemp("blocked")
    (folder / "sitecustomize.py").write_text(BLOCK)
    path = os.pathsep.join([str(folder), str(PACKAGE.parent)])
    return {**os.environ, "PYTHONPATH": path, "CLIP2POINT_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}


@pytest.fixture
def run(environment, tmp_path):
    """Run Python code, or a command of clip2point, in a new process that has no PyTorch."""

    def run(*words, status=0):
        command = ["-c", words[0]] if len(words) == 1 else ["-m", "clip2point", *map(str, words)]
        done = subprocess.run(
            [sys.executable, *command], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == status, done.stderr
        assert "Traceback" not in done.stderr
        return done if status else done.stdout

    return run


@pytest.fixture(scope="module")
def shapes():
    return [demo_files()[name] for name in ("chair", "lamp")]


def test_pytorch_is_blocked(run):
    assert run("try:\n    import torch\nexcept ModuleNotFoundError:\n    print('blocked')") == "blocked\n"


def test_all_modules_but_those_of_training_are_imported(run):
    paths = (path.relative_to(PACKAGE.parent).with_suffix("") for path in sorted(PACKAGE.rglob("*.py")))
    names = [".".join(path.parts).removesuffix(".__init__") for path in paths]
    wanted = [name for name in names if not f"{name}.".startswith((*TRAINING, "clip2point.__main__"))]
    code = "import importlib, json\nfailed = {}\n" + (
        f"for name in {wanted!r}:\n"
        "    try:\n        importlib.import_module(name)\n"
        "    except ImportError as error:\n        failed[name] = str(error)\n"
        "print(json.dumps(failed))"
    )
    assert json.loads(run(code)) == {}


@pytest.mark.slow
def test_shapes_are_named(run, shapes):
    found = json.loads(run("classify", *shapes, "--labels", "chair,lamp", "--json"))
    assert len(found["results"] if isinstance(found, dict) else found) == 2


@pytest.mark.slow
def test_python(run, shapes):
    code = (
        "import clip2point; model = clip2point.load(); "
        f"print(model.classify({str(shapes[0])!r}, ['chair', 'bathtub'], up='y').label, "
        f"model.embed([{str(shapes[0])!r}], up='y').shape)"
    )
    assert "(1, 384)" in run(code)


@pytest.mark.slow
@pytest.mark.parametrize("words", ["render {} --out views", "demo --out demo", "verify --model pocket"])
def test_commands(run, shapes, words):
    run(*words.format(shapes[0]).split())


@pytest.mark.slow
def test_a_data_set_is_measured(run, shapes, tmp_path):
    for path in shapes:
        (tmp_path / "mine" / path.stem).mkdir(parents=True)
        shutil.copy(path, tmp_path / "mine" / path.stem)
    found = json.loads(run("evaluate", "folder:mine", "--up", "y", "--json"))
    assert found["samples"] == 2


@pytest.mark.slow
def test_search(run, shapes):
    pytest.importorskip("lancedb")
    run("index", DEMO_FOLDER, "--db", "library")
    found = json.loads(run("search", "a chair", "--db", "library", "--json"))
    assert found["hits"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["nearest-mean", "linear", "tip-adapter", "gdpa", "inter-view"])
def test_a_folder_with_a_head_answers(run, shapes, tmp_path, name):
    model = clip2point.load("pocket")
    rng, classes = np.random.default_rng(0), ("chair", "bathtub", "lamp")
    features = rng.normal(size=(1, 12, 2, len(model.views), model.backbone.dim)).astype(np.float32)
    text = np.asarray(model.class_features(classes))
    head = make_head(name, {"epochs": 1} if name in ("gdpa", "inter-view") else {})
    head.fit(Examples(features, np.arange(12) % 3), text, logit_scale=10.0)
    adapted = AdaptedHead(head, classes, 0.5, 0.1, "pocket", {}, OODDetector(text, -1.0))
    expected = model.with_head(adapted)
    save_adapted(tmp_path / "mine", expected)
    code = "import clip2point; a = clip2point.load('mine').classify({!r}, up='y'); print(a.label, a.confidence)"
    label, confidence = run(code.format(str(shapes[0]))).split()
    answer = expected.classify(shapes[0], up="y")
    assert label == answer.label
    assert float(confidence) == pytest.approx(answer.confidence, abs=1e-3)


@pytest.mark.parametrize(
    "words",
    [
        ("pretrain", "recipe.yaml", "--out", "out"),
        ("adapt", "folder:parts", "--out", "out"),
        ("convert", "model.pth", "--out", "out"),
        ("classify", "shape.off", "--model", "clip-vit-b-32"),
        ("classify", "shape.off", "--device", "cuda"),
    ],
)
def test_what_needs_pytorch_says_so_in_one_line(run, words):
    error = run(*words, status=2).stderr
    assert "run pip install 'clip2point[train]'" in error
    assert len(error.strip().splitlines()) == 1
