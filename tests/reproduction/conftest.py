"""All data sets of the recipes in their true layouts, with one or two shapes of a class, and tiny towers by the names
of the real ones. Commands run in this process, which saves the start of one for each."""

import contextlib
import io
import sys

import h5py
import numpy as np
import pytest

from clip2point.cli.main import main
from clip2point.core.class_names import MODELNET10, MODELNET40
from clip2point.core.class_names import SCANOBJECTNN as CLASSES
from clip2point.reproduction.commands import CommandResult, command_line
from clip2point_shapes import generate, write_mesh

WEIGHTS = ("clip-vit-b-32", "clip-vit-b-16", "clip-vit-l-14", "CLIP-ViT-B-32-laion2B-s34B-b79K")
SYNSETS = ("02691156", "03001627", "04379243", "03636649")
SHAPES = ("airplane", "chair", "table", "lamp")


def run_inside(words):
    """Run a command like ``run_process``, in this process."""
    output, messages = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(messages):
        status = main(words)
    sys.stderr.write(messages.getvalue())
    return CommandResult(command_line(words), status, output.getvalue(), tuple(messages.getvalue().splitlines()))


@pytest.fixture(scope="package", autouse=True)
def inside():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("clip2point.reproduction.commands.run_process", run_inside)
        yield


def cloud(seed, points=64):
    return np.random.default_rng(seed).random((points, 3)).astype(np.float32)


def write_off(path, seed):
    """One tetrahedron."""
    path.parent.mkdir(parents=True, exist_ok=True)
    corners = [" ".join(f"{value:.5f}" for value in row) for row in cloud(seed, 4)]
    path.write_text("\n".join(["OFF", "4 4 0", *corners, "3 0 1 2", "3 0 1 3", "3 0 2 3", "3 1 2 3", ""]))


def write_modelnet(folder, classes):
    """CLASS/{train,test}/CLASS_0001.off."""
    for label, name in enumerate(classes):
        for number, split in ((1, "train"), (2, "train"), (3, "test")):
            write_off(folder / name / split / f"{name}_{number:04d}.off", 3 * label + number)


def write_scanobjectnn(folder):
    """h5_files with the test split of every variant."""
    for file in (
        "main_split_nobg/test_objectdataset.h5",
        "main_split/test_objectdataset.h5",
        "main_split/test_objectdataset_augmentedrot_scale75.h5",
    ):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        with h5py.File(folder / file, "w") as out:
            out["data"] = np.stack([cloud(label) for label in range(len(CLASSES))])
            out["label"] = np.arange(len(CLASSES))


def write_shapenet(root):
    """ShapeNet-55's clouds with their lists, and the meshes of ShapeNetCore.v2."""
    clouds = root / "ShapeNet55-34"
    (clouds / "shapenet_pc").mkdir(parents=True)
    for split in ("train", "test"):
        names = [f"{synset}-{split}" for synset in SYNSETS]
        (clouds / f"{split}.txt").write_text("".join(f"{name}.npy\n" for name in names))
        for seed, name in enumerate(names):
            np.save(clouds / "shapenet_pc" / f"{name}.npy", cloud(seed))
    for synset, shape in zip(SYNSETS, SHAPES, strict=True):
        for seed in range(3):
            path = root / "ShapeNetCore.v2" / synset / f"model{seed}" / "models" / "model_normalized.obj"
            path.parent.mkdir(parents=True)
            write_mesh(generate(shape, seed=seed), path)


def write_objaverse(folder):
    """CATEGORY/UID.glb."""
    import trimesh

    for number, name in enumerate(("Christmas_tree", "armchair", "teapot")):
        (folder / name).mkdir(parents=True)
        trimesh.creation.box((1, 1 + number, 2)).export(folder / name / f"{number:032x}.glb")


@pytest.fixture(scope="session")
def root(tmp_path_factory):
    """What ``--root`` names."""
    folder = tmp_path_factory.mktemp("data")
    write_modelnet(folder / "ModelNet10", MODELNET10)
    write_modelnet(folder / "ModelNet40", MODELNET40)
    write_scanobjectnn(folder / "h5_files")
    write_shapenet(folder)
    write_objaverse(folder / "objaverse-lvis")
    return folder


@pytest.fixture(scope="session")
def weights(tmp_path_factory, tiny_clip, tiny_siglip):
    """What ``--weights`` names."""
    folder = tmp_path_factory.mktemp("weights")
    for name in WEIGHTS:
        (folder / name).symlink_to(tiny_clip)
    (folder / "siglip-b-16").symlink_to(tiny_siglip)
    return folder
