"""Figures that papers state. They are quoted, never measured here, and never to be shown without saying so."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

#: Data set of a row whose source says "ScanObjectNN" and not which of its variants.
UNNAMED_VARIANT = "scanobjectnn"

_NO_VARIANT = "the source does not name the variant of ScanObjectNN"
_SEARCHED = "prompts and view weights were searched on the test set"
_LATER = "a figure of later papers' comparison tables"


@dataclass(frozen=True)
class Published:
    """One figure of one paper.

    Attributes:
        system: Measured system.
        protocol: "zero-shot", "16-shot" or "supervised".
        dataset: Name as ``clip2point evaluate`` takes it, or ``UNNAMED_VARIANT``.
        accuracy: Overall accuracy of the test split, in percent.
        backbone: Towers, "" where the source does not say.
        source: Publication that states the figure.
        note: Remark on comparability.
    """

    system: str
    protocol: str
    dataset: str
    accuracy: float
    backbone: str
    source: str
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """As JSON types."""
        return asdict(self)


_POINTCLIP = "PointCLIP, CVPR 2022"
_CLIP2POINT = "CLIP2Point, ICCV 2023"
_V2 = "PointCLIP V2, ICCV 2023, as listed by Papers with Code"
_OPENSHAPE = "OpenShape, NeurIPS 2023"
_OPENDLIGN = "OpenDlign, NeurIPS 2024"
_RETEST = "re-test of the released checkpoint by OpenShape"
_AUTHORS = "the authors, in a thread of their repository"
_SHAPENET_ONLY = "point encoder trained on ShapeNet only"
_PROBE = "linear probe, mean of 10 seeds"

_ROWS = (
    # Zero-shot, ModelNet10.
    Published("PointCLIP", "zero-shot", "modelnet10", 30.23, "CLIP RN50", _POINTCLIP, "no training"),
    Published("CLIP2Point", "zero-shot", "modelnet10", 66.63, "CLIP ViT-B/32", _CLIP2POINT),
    Published("PointCLIP V2", "zero-shot", "modelnet10", 73.13, "CLIP ViT-B/16", _V2, _SEARCHED),
    # Zero-shot, ModelNet40.
    Published(
        *("PointCLIP", "zero-shot", "modelnet40", 20.18, "CLIP RN50", _POINTCLIP),
        "no training; re-tests by others give 19.3 to 20.2",
    ),
    Published("CLIP2Point", "zero-shot", "modelnet40", 49.38, "CLIP ViT-B/32", _CLIP2POINT),
    Published(
        *("CLIP2Point", "zero-shot", "modelnet40", 49.5, "CLIP ViT-B/32", _RETEST),
        "top-3 71.3, top-5 81.2",
    ),
    Published(
        *("PointCLIP V2", "zero-shot", "modelnet40", 64.22, "CLIP ViT-B/16", _V2),
        f"{_SEARCHED}; later papers give 63.6",
    ),
    Published("OpenDlign-B/32", "zero-shot", "modelnet40", 68.4, "CLIP ViT-B/32", _OPENDLIGN, "generated images"),
    Published("OpenDlign-H/14", "zero-shot", "modelnet40", 82.6, "CLIP ViT-H/14", _OPENDLIGN, "generated images"),
    Published("OpenShape", "zero-shot", "modelnet40", 72.9, "OpenCLIP ViT-bigG/14", _OPENSHAPE, _SHAPENET_ONLY),
    Published("TAMM", "zero-shot", "modelnet40", 74.6, "OpenCLIP ViT-bigG/14", "TAMM, CVPR 2024", _SHAPENET_ONLY),
    Published("ULIP-2", "zero-shot", "modelnet40", 75.2, "OpenCLIP ViT-bigG/14", "ULIP-2, CVPR 2024", _SHAPENET_ONLY),
    Published(
        *("Uni3D-g", "zero-shot", "modelnet40", 88.2, "EVA02-CLIP-E", "Uni3D, ICLR 2024"),
        "point encoder trained on far more than ShapeNet",
    ),
    # Zero-shot, ScanObjectNN.
    Published(
        *("CLIP2Point", "zero-shot", "scanobjectnn-obj-bg", 35.46, "CLIP ViT-B/32", _CLIP2POINT),
        "the paper does not name the variant; its public loader reads main_split/test_objectdataset.h5: OBJ_BG",
    ),
    Published(
        *("CLIP2Point", "zero-shot", "scanobjectnn-obj-only", 25.5, "CLIP ViT-B/32", _RETEST),
        "2,048 points",
    ),
    Published("PointCLIP V2", "zero-shot", "scanobjectnn-obj-only", 50.09, "CLIP ViT-B/16", _V2, _SEARCHED),
    Published("PointCLIP V2", "zero-shot", "scanobjectnn-obj-bg", 41.22, "CLIP ViT-B/16", _V2, _SEARCHED),
    Published("PointCLIP V2", "zero-shot", "scanobjectnn-pb-t50-rs", 35.36, "CLIP ViT-B/16", _V2, _SEARCHED),
    Published(
        *("PointCLIP", "zero-shot", UNNAMED_VARIANT, 15.38, "CLIP RN50", _POINTCLIP),
        f"no training; re-tests by others go down to 10.5; {_NO_VARIANT}",
    ),
    Published(
        *("PointCLIP V2", "zero-shot", UNNAMED_VARIANT, 42.2, "CLIP ViT-B/16", _LATER),
        f"{_SEARCHED}; {_NO_VARIANT}",
    ),
    Published("OpenDlign-B/32", "zero-shot", UNNAMED_VARIANT, 46.7, "CLIP ViT-B/32", _OPENDLIGN, _NO_VARIANT),
    Published("OpenDlign-H/14", "zero-shot", UNNAMED_VARIANT, 59.5, "CLIP ViT-H/14", _OPENDLIGN, _NO_VARIANT),
    Published(
        *("OpenShape", "zero-shot", UNNAMED_VARIANT, 52.7, "OpenCLIP ViT-bigG/14", _OPENSHAPE),
        f"{_SHAPENET_ONLY}; {_NO_VARIANT}",
    ),
    Published(
        *("TAMM", "zero-shot", UNNAMED_VARIANT, 57.9, "OpenCLIP ViT-bigG/14", "TAMM, CVPR 2024"),
        f"{_SHAPENET_ONLY}; {_NO_VARIANT}",
    ),
    Published(
        *("Uni3D-g", "zero-shot", UNNAMED_VARIANT, 65.3, "EVA02-CLIP-E", "Uni3D, ICLR 2024"),
        f"point encoder trained on far more than ShapeNet; {_NO_VARIANT}",
    ),
    # Zero-shot, ShapeNet-55 and Objaverse-LVIS.
    Published(
        *("CLIP2Point", "zero-shot", "shapenet55", 42.83, "CLIP ViT-B/32", _AUTHORS),
        "10 views, at best; the weights are chosen by these shapes",
    ),
    Published("PointCLIP", "zero-shot", "objaverse-lvis", 1.9, "", _OPENSHAPE),
    Published("CLIP2Point", "zero-shot", "objaverse-lvis", 2.7, "CLIP ViT-B/32", _OPENSHAPE),
    # 16 shots.
    Published(
        *("PointCLIP", "16-shot", "modelnet40", 87.20, "", _POINTCLIP),
        "with a search on the test set",
    ),
    Published(
        *("CLIP2Point", "16-shot", "modelnet40", 89.79, "CLIP ViT-B/32", _CLIP2POINT),
        "the gated adapter of the paper, never released",
    ),
    Published("OpenShape", "16-shot", "modelnet40", 85.7, "", _LATER, _PROBE),
    Published("OpenDlign", "16-shot", "modelnet40", 87.6, "", _OPENDLIGN, _PROBE),
    # Fully supervised.
    Published(
        *("PointNet", "supervised", "modelnet40", 89.2, "", "PointNet, CVPR 2017"),
        "trained from scratch on points, 1,024 of each shape",
    ),
    Published(
        *("DGCNN", "supervised", "modelnet40", 92.9, "", "DGCNN, ACM Transactions on Graphics 2019"),
        "trained from scratch on points, 1,024 of each shape; its first version says 92.2",
    ),
    Published(
        *("CLIP2Point", "supervised", "modelnet40", 94.2, "CLIP ViT-B/32", _CLIP2POINT),
        "the gated adapter of the paper, never released",
    ),
    Published("ReCon++", "supervised", "modelnet40", 95.0, "", "ReCon++ (ShapeLLM), ECCV 2024"),
    Published("ReCon++", "supervised", UNNAMED_VARIANT, 95.25, "", "ReCon++ (ShapeLLM), ECCV 2024", _NO_VARIANT),
)


def find_published(dataset: str, protocol: str) -> tuple[Published, ...]:
    """Find figures to show beside a measured one.

    Args:
        dataset: Name as ``clip2point evaluate`` takes it.
        protocol: "zero-shot", "16-shot" or "supervised".

    Returns:
        Rows of this data set and protocol; for a variant of ScanObjectNN also those whose source does not name the
        variant, last. Empty where no figure is known.
    """
    rows = [row for row in _ROWS if row.protocol == protocol]
    named = [row for row in rows if row.dataset == dataset]
    unnamed = [row for row in rows if row.dataset == UNNAMED_VARIANT and dataset.startswith(UNNAMED_VARIANT + "-")]
    return (*named, *unnamed)
