"""How good search is on shapes that a model never saw: words to shapes, photos to shapes, shapes to shapes.

    pip install ./recipes/pocket
    clip2point pairs manifest:recipes/pocket/meshes.yaml#sweethome3d --out pairs
    python benchmarks/retrieval.py --pairs pairs                        # a catalogue that pocket did not learn from
    python benchmarks/retrieval.py --dataset npz:modelnet10.npz --up z  # the names are those of the classes
    python benchmarks/retrieval.py --pairs pairs --part choose --ways   # other ways to put a query together

One half, drawn by chance, is there to choose by (``--part choose``), the other to report on (the default). For pairs
these are halves of the queries, all of which search among all shapes; for a data set, of the shapes. For pairs a query
is the name of a model, and the kind of a shape is the last word of its name. Photos are the rendered colour pictures of
the pairs, for want of real ones.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import normalize

import clip2point
from clip2point.backbones.pooling import mean_unit_features
from clip2point.cli import output
from clip2point.core.class_names import MODELNET40
from clip2point.core.errors import Clip2PointError
from clip2point.data.opening import open_dataset
from clip2point.data.pairs import PairSet
from clip2point.features.view_features import extract_features
from clip2point.model import Recogniser
from clip2point.pretraining.image_features import encode_images
from clip2point.search import queries
from clip2point.search.entry import Float32
from clip2point.search.retrieval import Figure, Retrieval, find_kind, measure_shape_to_shape, measure_text_to_shape
from clip2point.shapes import shape_from_points

PHOTO_VIEW = 0  # of the pictures of a pair
UNWANTED = 0.05  # of the first results: share from which another class is in the way of the one looked for


@dataclass(frozen=True)
class Gallery:
    """Shapes to be found.

    Attributes:
        vectors: [N, D] unit, one a shape.
        names: N.
        kinds: N.
        photos: [N, D] unit, or None.
        by_class: whether names are those of classes, so that each is asked for once.
        asking: numbers of the shapes whose names, photos and vectors are the queries; of classes all.
    """

    vectors: Float32
    names: list[str]
    kinds: list[str]
    photos: Float32 | None
    by_class: bool
    asking: NDArray[np.intp]

    @property
    def asked(self) -> list[str]:
        """The names that are looked for."""
        return sorted(set(self.names)) if self.by_class else [self.names[row] for row in self.asking]

    def part(self, name: str) -> Gallery:
        """The half to choose by, the half to report on, or all."""
        order = np.random.default_rng(0).permutation(len(self.names))
        middle = len(order) // 2
        kept = np.sort({"choose": order[:middle], "report": order[middle:], "all": order}[name])
        if not self.by_class:
            return replace(self, asking=kept)
        names, kinds = ([texts[row] for row in kept] for texts in (self.names, self.kinds))
        return Gallery(self.vectors[kept], names, kinds, None, by_class=True, asking=np.arange(len(kept)))


def gallery_of_pairs(model: Recogniser, arguments: argparse.Namespace) -> Gallery:
    """The models of a folder that ``clip2point pairs`` filled."""
    pairs = PairSet([arguments.pairs], only=arguments.only, without=arguments.without, progress=_progress("Unpacking"))
    numbers = range(len(pairs))
    shapes = (shape_from_points(pairs.points(number), up="y") for number in numbers)
    vectors = model.embed(output.progress(shapes, "Embedding", len(pairs)))
    features = encode_images(pairs, model.backbone, _progress("Encoding pictures"))
    photos = np.stack([features(number, PHOTO_VIEW) for number in numbers])
    names = [info.captions[0].lower() for info in pairs.infos]
    photos = photos / np.linalg.norm(photos, axis=1, keepdims=True)
    return Gallery(vectors, names, [find_kind(name) for name in names], photos, False, np.arange(len(names)))


def gallery_of_dataset(model: Recogniser, arguments: argparse.Namespace) -> Gallery:
    """The shapes of a data set."""
    dataset = open_dataset(arguments.dataset, root=arguments.root, split=arguments.split, up=arguments.up)
    found = extract_features(model, dataset, paths=("depth",), progress=_progress("Embedding"))
    vectors = mean_unit_features(torch.from_numpy(np.array(found.of_path("depth")))).numpy()
    names = [found.sampled.classes[label].replace("_", " ") for label in found.sampled.labels]
    return Gallery(vectors, names, names, None, True, np.arange(len(names)))


def measure(gallery: Gallery, texts: Callable[[list[str]], Float32]) -> dict[str, Retrieval]:
    """All that there is to be measured, by name."""
    asked = gallery.asked
    found = {"words to shapes": measure_text_to_shape(texts(asked), asked, gallery.vectors, gallery.names)}
    if gallery.photos is not None:
        photos, numbers = gallery.photos[gallery.asking], [str(number) for number in range(len(gallery.names))]
        own = [numbers[row] for row in gallery.asking]
        found["photo to its shape"] = measure_text_to_shape(photos, own, gallery.vectors, numbers)
        both = texts(asked) + queries.PHOTO_WEIGHT * photos
        found["words and photo to shapes"] = measure_text_to_shape(both, asked, gallery.vectors, gallery.names)
    found["shape to shapes of its kind"] = measure_shape_to_shape(
        gallery.vectors, gallery.kinds, asking=gallery.asking.tolist()
    )
    return found


def ways(model: Recogniser, gallery: Gallery) -> Iterator[tuple[str, Retrieval]]:
    """Other ways to put queries together, with what each finds."""
    asked = gallery.asked
    plain = normalize(model.backbone.encode_text(asked), dim=-1).cpu()
    prompted, common = model.class_features(asked).cpu(), model.class_features(MODELNET40).mean(0).cpu()
    middle = gallery.vectors.mean(0)
    centred_shapes = gallery.vectors - middle
    centred_shapes /= np.linalg.norm(centred_shapes, axis=1, keepdims=True)
    texts = normalize(prompted - common, dim=-1).numpy()
    for name, rows in (("plain", plain), ("templates", prompted)):
        for share in (0, 0.5, 1):
            less = normalize(rows - share * common, dim=-1).numpy()
            said = f"{name} - {share:g} mean"
            yield said, measure_text_to_shape(less, asked, gallery.vectors, gallery.names)
            yield f"{said}, shapes centred", measure_text_to_shape(less, asked, centred_shapes, gallery.names)
    for weight in (0, 0.25, 0.5, 1, 2):
        if gallery.photos is not None:
            both = texts + weight * gallery.photos[gallery.asking]
            yield f"words + {weight:g} photo", measure_text_to_shape(both, asked, gallery.vectors, gallery.names)
    if gallery.by_class:
        yield from _ways_with_classes(gallery, texts, asked)


def _ways_with_classes(gallery: Gallery, texts: Float32, asked: list[str]) -> Iterator[tuple[str, Retrieval]]:
    """Weights of shapes beside words, and of words that are not wanted."""
    classes, names = np.array(gallery.names), np.array(asked)
    asking, found = np.arange(0, len(classes), 2), np.arange(1, len(classes), 2)
    known = np.isin(classes[asking], classes[found])
    asking, truths = asking[known], classes[found].tolist()
    own = texts[[asked.index(name) for name in classes[asking]]]
    for weight in (0, 0.25, 0.5, 1, 2):
        both = own + weight * gallery.vectors[asking]
        result = measure_text_to_shape(both, classes[asking].tolist(), gallery.vectors[found], truths)
        yield f"words + {weight:g} shape", result
    order = np.argsort(-(texts @ gallery.vectors.T), axis=1)
    in_the_way = [
        (row, other)
        for row in range(len(asked))
        for other in range(len(asked))
        if other != row and (classes[order[row, : 2 * (classes == names[row]).sum()]] == names[other]).mean() > UNWANTED
    ]
    wanted, unwanted = (np.array(side) for side in zip(*in_the_way, strict=True))
    for weight in (0, 0.25, 0.5, 0.75, 1):
        less = texts[wanted] - weight * texts[unwanted]
        first = np.argsort(-(less @ gallery.vectors.T), axis=1)[:, :50]
        left = (classes[first] == names[unwanted][:, None]).mean()
        result = measure_text_to_shape(less, names[wanted].tolist(), gallery.vectors, gallery.names)
        yield f"words - {weight:g} others ({left:.1%} of these left among 50)", result


def main() -> int:
    """Measure and print."""
    arguments = _parser().parse_args()
    try:
        model = clip2point.load(arguments.model, dtype="fp32")
        gallery = (gallery_of_pairs if arguments.pairs else gallery_of_dataset)(model, arguments).part(arguments.part)
    except Clip2PointError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    found = (
        dict(ways(model, gallery))
        if arguments.ways
        else measure(gallery, lambda texts: queries.embed_texts(model, texts).numpy())
    )
    if arguments.json:
        print(json.dumps({name: result.to_dict() for name, result in found.items()}, indent=2))
        return 0
    _print(found)
    return 0


def _print(found: dict[str, Retrieval]) -> None:
    """A table for all results with the same figures."""
    for names in dict.fromkeys(tuple(result.figures) for result in found.values()):
        rows = [(name, result) for name, result in found.items() if tuple(result.figures) == names]
        output.print_table(
            ("", "queries", "shapes", *names),
            ((name, result.queries, result.gallery, *map(_words, result.figures.values())) for name, result in rows),
            right=("queries", "shapes"),
        )


def _words(figure: Figure) -> str:
    """A figure in percent, with its interval."""
    low, high = figure.interval
    return f"{100 * figure.mean:.1f} ({100 * low:.0f}-{100 * high:.0f})"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Measure search on shapes that a model never saw.")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--pairs", metavar="DIR", help="folder that 'clip2point pairs' filled")
    source.add_argument("--dataset", metavar="NAME", help="data set, as for 'clip2point evaluate'")
    parser.add_argument("--only", nargs="+", default=["*"], metavar="PATTERN", help="of --pairs: SOURCE/CATEGORY/KEY")
    parser.add_argument("--without", nargs="+", default=[], metavar="PATTERN", help="of --pairs, likewise")
    parser.add_argument("--root", help="of --dataset")
    parser.add_argument("--split", help="of --dataset")
    parser.add_argument("--up", help="of --dataset")
    parser.add_argument("--model", default="pocket")
    parser.add_argument(
        "--part", choices=("choose", "report", "all"), default="report", help="which half of the shapes"
    )
    parser.add_argument("--ways", action="store_true", help="compare ways to put queries together")
    parser.add_argument("--json", action="store_true")
    return parser


def _progress(description: str) -> Callable[..., Iterator[object]]:
    return lambda items, total: output.progress(items, description, total)


if __name__ == "__main__":
    sys.exit(main())
