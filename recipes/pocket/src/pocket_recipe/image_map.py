"""Begin the weights of pocket anew: the map from EfficientNet-Lite2's features into MiniLM's text space.

    pip install --no-deps timm==1.0.31     # only for its lists of ImageNet's class names (WordNet lemmas)
    python -m pocket_recipe.image_map      # replaces src/clip2point/weights/pocket; takes about two minutes

No image of a data set is used. The map is ridge regression from the rows of the ImageNet classifier to the
embeddings of the class names; its strength is chosen by leaving out each class in turn. The means that centre image
features come from images of generated shapes, and so does the scale of the confidence.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from clip2point.backbones import efficientnet, minilm, minilm_files
from clip2point.backbones.efficientnet_weights import FEATURES
from clip2point.backbones.efficientnet_weights import normalize as normalize_pixels
from clip2point.backbones.pocket import PocketBackbone
from clip2point.backbones.torch_borders import encode_in_batches
from clip2point.model import class_features, view_cosines
from clip2point.model.checkpoint import write_checkpoint
from clip2point.model.folders import POCKET
from clip2point.model.settings import Settings
from clip2point.rendering import ViewSet, render_depth, view_set
from clip2point.rendering.shaded import render_color
from clip2point.shapes import Mesh, Shape, prepare_points
from clip2point_shapes import generate, list_classes, list_styles

STRENGTHS = (0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000)
SCALES = (1, 2, 5, 10, 20, 50, 100)
RANK = 20  # a left-out class counts as found if its name is among so many
SEED = 1  # seed of the generated shapes; the demo shapes have others
LICENCES = {"map": "Apache-2.0", "all-MiniLM-L6-v2": "Apache-2.0", "EfficientNet-Lite2": "Apache-2.0"}
NAMES_FROM = "timm/data/_info"


def read_class_names() -> list[list[str]]:
    """Return the names of each of ImageNet's 1,000 classes."""
    try:
        folder = Path(str(distribution("timm").locate_file(NAMES_FROM)))
    except PackageNotFoundError:
        raise SystemExit("the class names are missing: run 'pip install --no-deps timm==1.0.31'") from None
    lines = (folder / "imagenet_synset_to_lemma.txt").read_text(encoding="utf-8").splitlines()
    lemmas = dict(line.split("\t") for line in lines)
    synsets = (folder / "imagenet_synsets.txt").read_text(encoding="utf-8").split()
    return [[name.strip() for name in lemmas[synset].split(",")] for synset in synsets]


def embed_names(names: list[list[str]]) -> Tensor:
    """Return the mean embedding over the names of each class: unit vectors, [1000, 384]."""
    files = minilm_files.read_minilm()
    encoder = minilm.build_minilm(files)

    def embed(texts: list[str]) -> Tensor:
        return minilm.embed_tokens(encoder, torch.from_numpy(minilm_files.tokenize(files.tokenizer, texts)))

    prompts = [f"image of a {name}" for group in names for name in group]
    embedded = normalize(torch.cat([embed(prompts[i : i + 256]) for i in range(0, len(prompts), 256)]), dim=-1)
    return torch.stack([normalize(part.mean(0), dim=0) for part in embedded.split([len(group) for group in names])])


def fit_ridge_map(rows: Tensor, targets: Tensor) -> Tensor:
    """Return the map [1280, 384] with the strength that finds most left-out classes (closed form)."""
    gram = rows @ rows.T
    identity = torch.eye(len(rows), dtype=rows.dtype)
    found = {}
    for strength in STRENGTHS:
        hat = gram @ torch.linalg.inv(gram + strength * identity)
        leverage = hat.diagonal()[:, None]
        left_out = (hat @ targets - leverage * targets) / (1 - leverage)
        similarity = normalize(left_out, dim=-1) @ normalize(targets, dim=-1).T
        rank = (similarity > similarity.diagonal()[:, None]).sum(1)
        found[strength] = (rank < RANK).double().mean().item()
        print(f"strength {strength:6g}: {found[strength]:.1%} of left-out classes among the {RANK} nearest names")
    best = max(found, key=lambda strength: found[strength])
    return rows.T @ torch.linalg.inv(gram + best * identity) @ targets


def generate_meshes() -> list[tuple[str, Mesh]]:
    """Return one mesh of every style of every class, with its class name."""
    return [(name, generate(name, style, SEED)) for name in list_classes() for style in list_styles(name)]


def mean_image_feature(fused: efficientnet.EfficientNetLite, meshes: list[Mesh], views: ViewSet) -> Tensor:
    """Return the mean feature of colour images of meshes, [1280]."""
    total, images = torch.zeros(FEATURES), 0
    for mesh in meshes:
        colors = torch.from_numpy(render_color(mesh, views)).permute(0, 3, 1, 2).float() / 255
        features = encode_in_batches(fused, normalize_pixels(colors))
        total, images = total + features.sum(0), images + len(features)
    return total / images


def choose_scale(backbone: PocketBackbone, depth: Tensor, names: list[str]) -> float:
    """Return the scale of the confidence that fits the names of shapes best.

    Args:
        backbone: Towers whose scale is chosen.
        depth: Depth maps of the shapes, [B, V, H, W] in [0, 1].
        names: Name of each shape, one of the generators' classes.
    """
    classes = list_classes()
    scores: Tensor = view_cosines(backbone.encode_depth(depth), class_features(backbone, classes)).mean(1)
    truth = torch.tensor([classes.index(name) for name in names])
    losses = {scale: cross_entropy(scores * scale, truth).item() for scale in SCALES}
    best = min(losses, key=lambda scale: losses[scale])
    print(f"{len(names)} generated shapes: {(scores.argmax(1) == truth).double().mean():.1%} correct, scale {best}")
    return best


def main(out: Path = POCKET) -> None:
    """Compute the map and write the checkpoint."""
    network, weight, _ = efficientnet.load_lite2()
    embeddings = embed_names(read_class_names()).double()
    text_mean = embeddings.mean(0)
    mapping = fit_ridge_map(weight.double() - weight.double().mean(0), embeddings - text_mean)

    settings = Settings()
    views, fused = view_set(settings.views), network.fuse()
    names, meshes = zip(*generate_meshes(), strict=True)
    clouds = np.stack([prepare_points(Shape(mesh.vertices, mesh), settings.points, SEED) for mesh in meshes])
    depth = torch.from_numpy(np.concatenate([render_depth(cloud[None], views) for cloud in clouds]))
    tensors = {
        "map.weight": mapping.float(),
        "map.depth_mean": encode_in_batches(fused.forward_grayscale, depth.flatten(0, 1)[:, None]).mean(0),
        "map.image_mean": mean_image_feature(fused, list(meshes), views),
        "map.text_mean": text_mean.float(),
    }
    backbone = PocketBackbone(tensors, logit_scale=1.0, dtype="fp32")
    config = {
        "backbone": "pocket",
        "logit_scale": choose_scale(backbone, depth, list(names)),
        **settings.to_dict(),
        "training_data": "none of images; ImageNet class names (WordNet 3.0), shapes generated by clip2point",
        "licences": LICENCES,
        "recipe": "recipes/pocket",
    }
    write_checkpoint(out, tensors, config)
    print(f"{out}: the map is there, the depth tower is the image tower until recipes/pocket/pocket.yaml trains one")


if __name__ == "__main__":
    main()
