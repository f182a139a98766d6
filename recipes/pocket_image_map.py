"""Begin src/clip2point/weights/pocket anew: the map from EfficientNet-Lite2's features into MiniLM's text space.

    pip install --no-deps timm==1.0.31     # only for its lists of ImageNet's class names (WordNet lemmas)
    python recipes/pocket_image_map.py     # then pocket.yaml and pocket_release.py, for a depth tower and the record

No image of a data set is used. The map is ridge regression from the rows of the ImageNet classifier to the
embeddings of the class names; its strength is chosen by leaving out each class in turn. The means that centre image
features come from pictures of shapes that clip2point generates, and so does the scale of the confidence. Takes about
two minutes on two cores.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from clip2point.backbones import efficientnet, minilm
from clip2point.backbones.pocket import PocketBackbone
from clip2point.backbones.protocol import in_batches
from clip2point.model import class_features, view_cosines
from clip2point.model.checkpoint import write_checkpoint
from clip2point.model.folders import POCKET
from clip2point.model.settings import Settings
from clip2point.rendering import render_depth, view_set
from clip2point.rendering.shaded import render_color
from clip2point.shapes import Mesh, Shape, prepare_points
from clip2point_shapes import generate, list_classes, list_styles

STRENGTHS = (0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000)
SCALES = (1, 2, 5, 10, 20, 50, 100)
RANK = 20  # a left-out class counts as found if its name is among so many
SEED = 1  # of the generated shapes; verification uses others (seed 0)
NAMES_FROM = "timm/data/_info"


def class_names() -> list[list[str]]:
    """For each of ImageNet's 1,000 classes, its names."""
    try:
        folder = Path(str(distribution("timm").locate_file(NAMES_FROM)))
    except PackageNotFoundError:
        raise SystemExit("the class names are missing: run 'pip install --no-deps timm==1.0.31'") from None
    lines = (folder / "imagenet_synset_to_lemma.txt").read_text(encoding="utf-8").splitlines()
    lemmas = dict(line.split("\t") for line in lines)
    synsets = (folder / "imagenet_synsets.txt").read_text(encoding="utf-8").split()
    return [[name.strip() for name in lemmas[synset].split(",")] for synset in synsets]


def name_embeddings(names: list[list[str]]) -> Tensor:
    """[1000, 384] unit vectors: the mean over the names of each class."""
    tower = minilm.MiniLMTextTower()
    prompts = [f"image of a {name}" for group in names for name in group]
    embedded = normalize(torch.cat([tower(prompts[i : i + 256]) for i in range(0, len(prompts), 256)]), dim=-1)
    return torch.stack([normalize(part.mean(0), dim=0) for part in embedded.split([len(group) for group in names])])


def ridge_map(rows: Tensor, targets: Tensor) -> Tensor:
    """The map [1280, 384] with the strength that finds most left-out classes (closed form)."""
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


def generated_meshes() -> list[tuple[str, Mesh]]:
    """One mesh of every style of every class, with its class name."""
    return [(name, generate(name, style, SEED)) for name in list_classes() for style in list_styles(name)]


def main() -> None:
    """Compute and write the checkpoint."""
    network, weight, _ = efficientnet.load_lite2()
    embeddings = name_embeddings(class_names()).double()
    text_mean = embeddings.mean(0)
    rows = weight.double() - weight.double().mean(0)
    mapping = ridge_map(rows, embeddings - text_mean)

    settings = Settings()
    views = view_set(settings.views)
    meshes = generated_meshes()
    fused = network.fused()
    clouds = [prepare_points(Shape(m.vertices, m), settings.points, SEED) for _, m in meshes]
    depth = torch.cat([torch.from_numpy(render_depth(cloud[None], views)) for cloud in clouds])
    depth_mean = in_batches(fused.forward_grey, depth.flatten(0, 1)[:, None]).mean(0)
    image_sum, images = torch.zeros(efficientnet.FEATURES), 0
    for _, mesh in meshes:
        colors = torch.from_numpy(render_color(mesh, views)).permute(0, 3, 1, 2).float() / 255
        features = in_batches(fused, efficientnet.normalize(colors))
        image_sum, images = image_sum + features.sum(0), images + len(features)

    tensors = {
        "map.weight": mapping.float(),
        "map.depth_mean": depth_mean,
        "map.image_mean": image_sum / images,
        "map.text_mean": text_mean.float(),
    }
    backbone = PocketBackbone(tensors, logit_scale=1.0, dtype="fp32")
    text = class_features(backbone, list_classes())
    scores = view_cosines(backbone.encode_depth(depth), text).mean(1)
    truth = torch.tensor([list_classes().index(name) for name, _ in meshes])
    losses = {scale: cross_entropy(scores * scale, truth).item() for scale in SCALES}
    scale = min(losses, key=lambda s: losses[s])
    print(f"{len(meshes)} generated shapes: {(scores.argmax(1) == truth).double().mean():.1%} right, scale {scale}")

    config = {
        "backbone": "pocket",
        "logit_scale": scale,
        **settings.to_dict(),
        "training_data": "none of images; ImageNet class names (WordNet 3.0), shapes generated by clip2point",
        "licences": {
            "map": "Apache-2.0",
            "all-MiniLM-L6-v2": "Apache-2.0",
            "EfficientNet-Lite2": "Apache-2.0",
        },
        "recipe": "recipes/pocket_image_map.py",
    }
    write_checkpoint(POCKET, tensors, config)
    print(f"{POCKET}: the map is there, the depth tower is the image tower until recipes/pocket.yaml trains one")


if __name__ == "__main__":
    main()
