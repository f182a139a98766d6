"""Make the files of a release that later releases must go on reading.

Run it once for each release, with that release installed, from the root of a checkout:

    python tests/compatibility/make_fixtures.py

It writes ``tests/data/vX.Y.Z/`` and uses the command line and the names at the top level alone, so that it runs with
any release. All shapes are boxes that are put together here.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

import clip2point
from clip2point.cli.main import main

DATA = Path(__file__).parents[1] / "data"
OUT = DATA / f"v{clip2point.__version__}"
LABELS = ("chair", "table", "lamp", "bed", "sofa", "airplane")
CLASSES = ("chair", "table", "lamp")

#: Heads by the model whose features they read; all but two read a tiny one, whose heads are small files.
HEADS = {
    "pocket": ("tip-adapter", "linear"),
    "converted-pretraining": ("gdpa", "dpa", "inter-view", "tip-adapter-f", "nearest-mean"),
}
RECIPE = """
backbone: tiny-clip
data: {pairs: [pairs], balance: 0.5}
rendering: {points: [64, 128], radius: [0.02, 0.05]}
augmentation: {yaw: 20, noise: 0.01, independent: true}
captions: {templates: ["image of a {}"]}
loss: {caption: 0.5, distance: 0.1}
optimizer: {lr: 1e-3}
training: {epochs: 6, batch_size: 2, average_decay: 0.9, checkpoint_steps: 3}
validation: {dataset: "npz:labelled.npz", allow_test: true, every_epochs: 3}
"""


def box(center: tuple[float, ...], size: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Vertices [8, 3] and triangles [12, 3] of a box."""
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) / 2
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = [triangle for a, b, c, d in quads for triangle in ((a, b, c), (a, c, d))]
    return np.array(center) + corners * size, np.array(faces)


def furniture(name: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A mesh of a chair, a table or a lamp, y up."""
    width, depth, height = np.random.default_rng(seed).uniform(0.8, 1.2, 3)
    top = {"chair": 0.5, "table": 0.8, "lamp": 1.4}[name] * height
    if name == "lamp":
        parts = [box((0, 0.02, 0), (0.3 * width, 0.04, 0.3)), box((0, top / 2, 0), (0.03, top, 0.03))]
        parts.append(box((0, top, 0), (0.4 * width, 0.3, 0.4 * depth)))
    else:
        width *= 2 if name == "table" else 0.6
        legs = [(x * width / 2.2, top / 2, z * depth / 2.4) for x in (-1, 1) for z in (-1, 1)]
        parts = [box((0, top, 0), (width, 0.05, depth)), *(box(leg, (0.05, top, 0.05)) for leg in legs)]
        if name == "chair":
            parts.append(box((0, 1.4 * top, -depth / 2), (width, 0.8 * top, 0.05)))
    offsets = np.cumsum([0, *(len(vertices) for vertices, _ in parts)])
    faces = [faces + offset for (_, faces), offset in zip(parts, offsets, strict=False)]
    return np.concatenate([vertices for vertices, _ in parts]), np.concatenate(faces)


def write_mesh(name: str, seed: int, path: Path) -> None:
    """Write a mesh as OFF."""
    vertices, faces = furniture(name, seed)
    lines = ["OFF", f"{len(vertices)} {len(faces)} 0"]
    lines += [" ".join(f"{value:.6f}" for value in row) for row in vertices]
    lines += ["3 " + " ".join(map(str, row)) for row in faces]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def cloud(name: str, seed: int, points: int, folder: Path) -> np.ndarray:
    """Points [N, 3] of a mesh."""
    write_mesh(name, seed, folder / "mesh.off")
    drawn: np.ndarray = clip2point.sample_points(clip2point.load_shape(folder / "mesh.off", up="y"), points, seed)
    return drawn.astype(np.float32)


def write_shapes(work: Path) -> None:
    """The clouds that all answers are for, and labelled ones to learn from."""
    Path("shapes").mkdir()
    for seed, name in enumerate((*CLASSES, "chair")):
        np.save(f"shapes/{name}_{seed}.npy", cloud(name, 100 + seed, 1100, work))
    points = np.stack([cloud(name, seed, 256, work) for name in CLASSES for seed in range(4)])
    np.savez("labelled.npz", points=points, labels=np.repeat(range(3), 4), classes=CLASSES, up="y")
    for name in CLASSES:
        write_mesh(name, 7, work / "meshes" / name / "seven.off")


def write_tokenizer(folder: Path, end: int) -> None:
    """A word tokenizer whose last token ends texts, as CLIP's does."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    words = ["<unk>", "<bos>", "image", "of", "a", *LABELS]
    words += [str(number) for number in range(len(words), end)]
    vocabulary = {word: number for number, word in enumerate([*words, "<eos>"])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A <eos>", special_tokens=[("<bos>", 1), ("<eos>", end)]
    )
    folder.mkdir(exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 16}
    settings |= {"unk_token": "<unk>", "bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<eos>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def write_tiny_clip() -> None:
    """A CLIP model in transformers format with random weights."""
    from transformers import CLIPConfig, CLIPModel

    torch.manual_seed(0)
    tower = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = {**tower, "vocab_size": 12, "max_position_embeddings": 16, "bos_token_id": 1, "eos_token_id": 11}
    vision = {**tower, "image_size": 32, "patch_size": 8}
    CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=12)).save_pretrained("tiny-clip")
    write_tokenizer(Path("tiny-clip"), 11)


def run(*arguments: str) -> None:
    """Run a command."""
    if main(list(arguments)) != 0:
        raise SystemExit(f"failed: clip2point {' '.join(arguments)}")


def convert_models() -> None:
    """Converted checkpoints. Their tensors are those of files in ``tests/data``: only where they come from is kept."""
    write_tokenizer(Path("tokenizer"), 999)
    clip = str(DATA / "openai_clip_tiny.pth")
    for name, source, further in (
        ("converted-clip", "openai_clip_tiny.pth", ()),
        ("converted-pretraining", "official_pretrain_tiny.pth", ("--clip", clip)),
        ("converted-dpa", "official_dpa_tiny.pth", ("--clip", clip)),
    ):
        run("convert", str(DATA / source), "--out", name, "--tokenizer", "tokenizer", *further)


def strip_converted(folder: Path) -> None:
    """Replace the tensors of a converted model by their names in the files that they were taken from."""
    path = folder / "model.safetensors"
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header, body = content[8 : 8 + length].decode(), content[8 + length :]
    known = {}
    for file in ("official_pretrain_tiny.pth", "official_dpa_tiny.pth", "openai_clip_tiny.pth"):
        for key, tensor in torch.load(DATA / file, weights_only=True).items():
            for turned, values in ((True, tensor.mT if tensor.ndim == 2 else tensor), (False, tensor)):
                known[values.contiguous().numpy().tobytes()] = [file, key, turned]
    spans = {name: entry["data_offsets"] for name, entry in json.loads(header).items() if name != "__metadata__"}
    sources = {name: known[body[start:end]] for name, (start, end) in sorted(spans.items(), key=lambda item: item[1])}
    (folder / "tensors.json").write_text(json.dumps({"header": header, "sources": sources}, indent=0))
    path.unlink()


def adapt_models() -> None:
    """A model for each head."""
    for base, heads in HEADS.items():
        for head in heads:
            settings = ("--views", "ring-2", "--copies", "1", "--dtype", "fp32", "--model", base)
            run("adapt", "npz:labelled.npz", "--head", head, "--out", f"adapted-{head}", *settings)


def pretrain() -> None:
    """A training as it was when it had saved its first state, and the model at its end."""
    Path("recipe.yaml").write_text(RECIPE.lstrip())
    whole = Path("pretrained")
    process = subprocess.Popen([sys.executable, "-m", "clip2point", "pretrain", "recipe.yaml", "--out", str(whole)])
    while not (whole / "checkpoints" / "last.pt").exists():
        time.sleep(0.001)
    shutil.copytree(whole, "pretraining", ignore=shutil.ignore_patterns("tensorboard", "*.png"))
    if process.wait() != 0:
        raise SystemExit("failed: pretrain")
    step = torch.load("pretraining/checkpoints/last.pt", weights_only=True)["step"]
    if step != 3:
        raise SystemExit(f"copied step {step} of the training: run this again")
    for path in whole.iterdir():
        if path.name != "model":
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def stop_pairs(work: Path) -> None:
    """Pairs of three meshes, two a shard, stopped after the first shard."""
    shutil.copytree(work / "meshes", "meshes")
    run("pairs", "folder:meshes", "--up", "y", "--shard-size", "2", "--workers", "1", "--out", "pairs")
    index = json.loads(Path("pairs/index.json").read_text())
    last = index["shards"].pop()
    (Path("pairs") / last["file"]).unlink()
    Path("pairs/index.json").write_text(json.dumps(index, indent=1))


def answers_of(name: str) -> list[dict[str, Any]]:
    """What a model says of every shape."""
    model = clip2point.load(name, dtype="fp32")
    words = name in ("pocket", "converted-pretraining", "converted-clip", "converted-dpa", "pretrained/model")
    answers = []
    for path in sorted(Path("shapes").glob("*.npy")):
        answer = model.classify(path, list(LABELS) if words else None, up="y", top=len(LABELS))
        answers.append({**answer.to_dict(), "vector": answer.vector.tolist()})
    return answers


def rounded(values: Any) -> Any:
    """JSON values with ten times the digits that are compared."""
    if isinstance(values, dict):
        return {name: rounded(value) for name, value in values.items()}
    if isinstance(values, list):
        return [rounded(value) for value in values]
    return round(values, 8) if isinstance(values, float) else values


def record_answers() -> None:
    """Answers of all models, hits of the library, and figures of the tiny model."""
    folders = sorted(Path().glob("[acp]*/**/model.safetensors"))
    record = {"models": {name: answers_of(name) for name in ("pocket", *(path.parent.as_posix() for path in folders))}}
    for key, command in (
        ("text", ["search", "table", "--not", "desk", "--db", "library", "--top", "4", "--json"]),
        ("shape", ["search", "--shape", "shapes/chair_0.npy", "--up", "y", "--db", "library", "--top", "4", "--json"]),
        ("evaluation", ["evaluate", "npz:labelled.npz", "--model", "converted-pretraining", "--json"]),
    ):
        done = subprocess.run([sys.executable, "-m", "clip2point", *command], stdout=subprocess.PIPE, check=True)
        record[key] = json.loads(done.stdout)
    Path("answers.json").write_text(json.dumps(rounded(record), separators=(",", ":")) + "\n")


def make() -> None:
    """Make all of it."""
    shutil.rmtree(OUT, ignore_errors=True)
    # A library holds absolute paths: these say nothing of the machine.
    build = Path(tempfile.gettempdir()) / "clip2point-release"
    build.mkdir()
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        os.chdir(build)
        os.environ["CLIP2POINT_CACHE"] = str(build / "cache")
        write_shapes(work)
        write_tiny_clip()
        convert_models()
        adapt_models()
        stop_pairs(work)
        pretrain()
        run("index", "shapes", "--up", "y", "--db", "library", "--workers", "1")
        shutil.rmtree("cache")
        record_answers()
        shutil.rmtree("cache/points")
        for folder in sorted(build.glob("converted-*")):
            strip_converted(folder)
        os.chdir(OUT.parent)
        shutil.move(build, OUT)


if __name__ == "__main__":
    make()
