"""The tables of all that users can name, as strings: library, parser, help texts, documentation and tests read them.

Nothing here imports what it names, so that listing names costs nothing. Each table is open to other packages through
entry points of its group, and to a running program through the ``register_...`` function of its room.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from clip2point.core.registry import Entry, Registry


@dataclass(frozen=True)
class FormatEntry(Entry):
    """A file format; the target is its ``read(data, companions) -> Parsed``.

    Attributes:
        holds: Content of the files.
        up: Axis that points up in every file of the format, or "auto" if the format leaves it open.
    """

    holds: Literal["meshes", "clouds", "meshes or clouds"] = "meshes"
    up: str = "auto"


@dataclass(frozen=True)
class HeadEntry(Entry):
    """A head; the target is a class.

    Attributes:
        takes_words: True if a fitted head can answer among other classes by their names alone.
        takes_classes: True if a fitted head can take more classes without another fit.
    """

    takes_words: bool = False
    takes_classes: bool = True


@dataclass(frozen=True)
class BackboneEntry(Entry):
    """A backbone; the target makes it.

    Attributes:
        repository: Repository of its weights on a model hub; None if the package contains them.
    """

    repository: str | None = None


_FORMAT_ROOM = "clip2point.shapes.formats"
FORMATS: Registry[FormatEntry] = Registry(
    "file format",
    "clip2point.formats",
    {
        extension: FormatEntry(f"{_FORMAT_ROOM}.{module}{'' if ':' in module else ':read'}", summary, holds, up)  # type: ignore[arg-type]
        for extension, module, summary, holds, up in (
            (".off", "off", "OFF, also ModelNet's", "meshes", "auto"),
            (".obj", "obj", "OBJ, with MTL and textures", "meshes", "auto"),
            (".ply", "ply", "PLY", "meshes or clouds", "auto"),
            (".stl", "stl", "STL", "meshes", "auto"),
            (".glb", "gltf", "GLB", "meshes", "y"),
            (".gltf", "gltf", "glTF, with its buffers and textures", "meshes", "y"),
            (".dae", "dae", "DAE (COLLADA)", "meshes", "auto"),
            (".ac", "ac3d", "AC3D", "meshes", "y"),
            (".acc", "ac3d", "AC3D with TORCS's triangle strips", "meshes", "y"),
            (".fbx", "fbx", "FBX 7, with its textures", "meshes", "auto"),
            (".3ds", "max3ds", "3DS, with its textures", "meshes", "z"),
            (".3mf", "threemf", "3MF", "meshes", "z"),
            (".urdf", "urdf", "URDF, with the meshes of its links", "meshes", "z"),
            (".step", "cad:read_step", "STEP", "meshes", "auto"),
            (".stp", "cad:read_step", "STEP", "meshes", "auto"),
            (".iges", "cad:read_iges", "IGES", "meshes", "auto"),
            (".igs", "cad:read_iges", "IGES", "meshes", "auto"),
            *(
                (ending, "usd", "USD, without textures", "meshes or clouds", "auto")
                for ending in (".usd", ".usda", ".usdc")
            ),
            (".usdz", "usd", "USDZ, without textures", "meshes or clouds", "auto"),
            (".vtk", "vtk_legacy", "VTK, legacy: polygons, surfaces of grids", "meshes or clouds", "auto"),
            (".vtp", "vtk_xml", "VTP, VTK's polygons", "meshes or clouds", "auto"),
            (".vtu", "vtk_xml", "VTU, surfaces of VTK's grids", "meshes or clouds", "auto"),
            (".drc", "draco", "DRC (Draco)", "meshes or clouds", "auto"),
            (".pcd", "pcd", "PCD", "clouds", "auto"),
            (".xyz", "delimited", "XYZ, rows of numbers", "clouds", "auto"),
            (".txt", "delimited", "TXT, rows of numbers", "clouds", "auto"),
            (".csv", "delimited", "CSV, rows of numbers", "clouds", "auto"),
            (".asc", "delimited", "ASC, rows of numbers", "clouds", "auto"),
            (".pts", "delimited", "PTS, rows of numbers after their count", "clouds", "auto"),
            (".ptx", "ptx", "PTX, scans with their poses", "clouds", "z"),
            (".bin", "float_rows", "BIN: scans of KITTI and nuScenes, objects of ScanObjectNN", "clouds", "auto"),
            (".h5", "hdf5", "HDF5 of one shape", "meshes or clouds", "auto"),
            (".hdf5", "hdf5", "HDF5 of one shape", "meshes or clouds", "auto"),
            (".dat", "pickles", "DAT, a pickle of one cloud's array", "clouds", "auto"),
            (".pkl", "pickles", "PKL, a pickle of one cloud's array", "clouds", "auto"),
            (".npy", "numpy_files", "NPY, an array [N, 3] or wider", "clouds", "auto"),
            (".npz", "numpy_files", "NPZ, one such array among others", "clouds", "auto"),
            (".spz", "splats:read_spz", "SPZ, packed splats", "clouds", "auto"),
            (".splat", "splats:read_splat", "SPLAT, packed splats", "clouds", "auto"),
            (".e57", "e57", "E57", "clouds", "z"),
            (".las", "las", "LAS", "clouds", "z"),
            (".laz", "las", "LAZ, compressed LAS", "clouds", "z"),
        )
    },
)

STYLES: Registry[Entry] = Registry(
    "depth style",
    "clip2point.styles",
    {
        "clip2point": Entry("clip2point.rendering.depth:draw_discs", "discs, the nearest wins, as in CLIP2Point"),
        "pointclip": Entry(
            "clip2point.rendering.pointclip:draw_mean_depth", "mean depth of a pixel's points, as in PointCLIP"
        ),
        "pointclip-v2": Entry(
            "clip2point.rendering.pointclip:draw_dense_depth", "dense, smoothed depth, as in PointCLIP V2"
        ),
    },
)

#: The name of rings is a pattern; ``clip2point.rendering.views`` knows how to read it.
VIEWS: Registry[Entry] = Registry(
    "view set",
    "clip2point.views",
    {
        "clip2point-6": Entry(
            "clip2point.rendering.views:CLIP2POINT_6", "the paper's views for zero-shot classification"
        ),
        "clip2point-10": Entry(
            "clip2point.rendering.views:CLIP2POINT_10", "the paper's views for pre-training and few-shot learning"
        ),
        "ring-N": Entry("clip2point.rendering.views:make_ring", "N views around the shape at 20 degrees of elevation"),
        "ring-N@E": Entry("clip2point.rendering.views:make_ring", "N views around the shape at E degrees of elevation"),
    },
)

_BASELINES = "pip install ./benchmarks/baselines"
HEADS: Registry[HeadEntry] = Registry(
    "head",
    "clip2point.heads",
    {
        "zero-shot": HeadEntry(
            "clip2point.heads.training_free:ZeroShot", "cosines with the class names; no example is looked at", True
        ),
        "nearest-mean": HeadEntry(
            "clip2point.heads.training_free:NearestClassMean", "cosines with the mean example of each class"
        ),
        "linear": HeadEntry(
            "clip2point.heads.linear:LogisticRegression", "logistic regression on the features", takes_classes=False
        ),
        "tip-adapter": HeadEntry(
            "clip2point.heads.tip_adapter:TipAdapter", "Tip-Adapter: class names and a cache of the examples"
        ),
        "tip-adapter-f": HeadEntry(
            "clip2point.heads.tip_adapter:TipAdapterF", "Tip-Adapter-F: the same with trained cache keys"
        ),
        "inter-view": HeadEntry(
            "clip2point.heads.trained:InterViewHead", "inter-view adapter of PointCLIP", takes_words=True
        ),
        "depth-path": HeadEntry("clip2point.heads.trained:DepthPathHead", "depth half of DPA", takes_words=True),
        "image-path": HeadEntry("clip2point.heads.trained:ImagePathHead", "image half of DPA", takes_words=True),
        "dpa": HeadEntry(
            "clip2point.heads.trained:DPAHead", "dual-path adapter of CLIP2Point's code", takes_words=True
        ),
        "gdpa": HeadEntry(
            "clip2point.heads.trained:GDPAHead", "gated dual-path adapter of the paper", takes_words=True
        ),
    },
    elsewhere=dict.fromkeys(("pointnet", "dgcnn"), f"in a checkout of clip2point, {_BASELINES}"),
)

#: The target of a benchmark opens one split, by name, root folder and split; that of a layout of users' own data,
#: named NAME:PATH, reads a path into data sets by split.
DATASETS: Registry[Entry] = Registry(
    "data set",
    "clip2point.datasets",
    {
        "modelnet10": Entry("clip2point.data.modelnet:open_modelnet", "ModelNet10, CAD models of 10 classes"),
        "modelnet40": Entry("clip2point.data.modelnet:open_modelnet", "ModelNet40, CAD models of 40 classes"),
        "scanobjectnn-obj-only": Entry(
            "clip2point.data.scanobjectnn:open_scanobjectnn", "ScanObjectNN, scanned objects alone"
        ),
        "scanobjectnn-obj-bg": Entry(
            "clip2point.data.scanobjectnn:open_scanobjectnn", "ScanObjectNN, objects with background"
        ),
        "scanobjectnn-pb-t50-rs": Entry(
            "clip2point.data.scanobjectnn:open_scanobjectnn", "ScanObjectNN, shifted, rotated and scaled, the hardest"
        ),
        "shapenet55": Entry("clip2point.data.shapenet:open_shapenet55", "ShapeNet-55, CAD models of 55 classes"),
        "folder:PATH": Entry("clip2point.data.folder:read_folder", "a sub-folder of shape files for each class"),
        "manifest:PATH": Entry(
            "clip2point.data.manifest:read_manifest", "a list of files with their labels: columns file,label[,split]"
        ),
        "h5:PATH": Entry("clip2point.data.own_arrays:read_h5", "an HDF5 file of clouds and labels"),
        "pickle:PATH": Entry("clip2point.data.own_arrays:read_pickle", "a pickle of them, as Point-BERT's .dat"),
        "npz:PATH": Entry("clip2point.data.npz:read_npz", "an archive of points, labels and classes"),
    },
)

_TRANSFORMERS = "clip2point.backbones.transformers_backbone:load_transformers_backbone"
BACKBONES: Registry[BackboneEntry] = Registry(
    "backbone",
    "clip2point.backbones",
    {
        "pocket": BackboneEntry(
            "clip2point.backbones.pocket:PocketBackbone",
            "all-MiniLM-L6-v2 for words, EfficientNet-Lite2 for images, a depth tower trained here",
        ),
        "clip-vit-b-32": BackboneEntry(_TRANSFORMERS, "CLIP ViT-B/32, the paper's", "openai/clip-vit-base-patch32"),
        "clip-vit-b-16": BackboneEntry(_TRANSFORMERS, "CLIP ViT-B/16", "openai/clip-vit-base-patch16"),
        "clip-vit-l-14": BackboneEntry(_TRANSFORMERS, "CLIP ViT-L/14", "openai/clip-vit-large-patch14"),
        "siglip-b-16": BackboneEntry(_TRANSFORMERS, "SigLIP B/16", "google/siglip-base-patch16-224"),
        "siglip2-b-16": BackboneEntry(_TRANSFORMERS, "SigLIP 2 B/16", "google/siglip2-base-patch16-224"),
    },
)

#: The target lists the models of a source, by what follows the colon of its name.
_SOURCE_ROOM = "clip2point.pretraining.pairs.mesh_sources"
_POCKET_RECIPE = "in a checkout of clip2point, pip install ./recipes/pocket"
SOURCES: Registry[Entry] = Registry(
    "source of models",
    "clip2point.sources",
    {
        "shapenetcore.v2:PATH": Entry(f"{_SOURCE_ROOM}:list_shapenet", "ShapeNetCore.v2, as it is unpacked"),
        "shapenet55-rendered:PATH": Entry(
            "clip2point.pretraining.pairs.rendered_source:list_rendered",
            "ShapeNet-55's clouds with the pictures that the public code rendered",
        ),
        "folder:PATH": Entry(f"{_SOURCE_ROOM}:list_meshes", "a folder of meshes, each named by the folder around it"),
        "samples:N": Entry(f"{_SOURCE_ROOM}:list_samples", "N shapes of each style of the package clip2point-shapes"),
    },
    elsewhere=dict.fromkeys(("sweethome3d", "manifest"), _POCKET_RECIPE),
)

#: The target adds the parser of a command to those of ``clip2point``.
COMMANDS: Registry[Entry] = Registry(
    "command",
    "clip2point.commands",
    {
        name: Entry(f"clip2point.cli.{name.replace('-', '_')}:add_parser")
        for name in (
            *("demo", "classify", "render", "index", "search", "duplicates-report", "clusters", "adapt", "evaluate"),
            *("pairs", "pretrain", "reproduce", "convert", "push", "verify", "bench", "cache", "app", "embed"),
            *("labels", "parts"),
        )
    },
)

REGISTRIES: Mapping[str, Registry[Any]] = {
    "formats": FORMATS,
    "styles": STYLES,
    "views": VIEWS,
    "heads": HEADS,
    "datasets": DATASETS,
    "backbones": BACKBONES,
    "commands": COMMANDS,
    "sources": SOURCES,
}
