"""Nodes of a glTF scene: where its meshes stand, how often, and in which pose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import ShapeError
from clip2point.shapes.formats.collision import is_collision, note_collision
from clip2point.shapes.guards import MAX_INSTANCES

Float = NDArray[np.float64]
#: Reader of accessors: the number of one to its values, [count, width].
Accessor = Callable[[int], NDArray[Any]]

INSTANCING = "EXT_mesh_gpu_instancing"
_CHUNK = 1 << 14
#: Nodes above one another that are told apart.
_DEEPEST = 32


@dataclass(frozen=True)
class Placement:
    """A mesh in its place.

    Attributes:
        mesh: Number of the mesh.
        transforms: Matrices on column vectors, [I, 4, 4], one for each instance.
        joints: Matrices of the joints of its skin, [J, 4, 4], which put vertices into the scene, or None.
        weights: Weights of its morph targets; targets beyond them have 0.
        chain: Numbers and transforms [4, 4] of the nodes above it and its own, from the top.
    """

    mesh: int
    transforms: Float
    joints: Float | None = None
    weights: tuple[float, ...] = ()
    chain: tuple[tuple[int, Float], ...] = ()


def place_meshes(tree: dict[str, Any], accessor: Accessor) -> tuple[list[Placement], list[str]]:
    """Walk the nodes of the default scene.

    Args:
        tree: JSON of the file.
        accessor: Reader of its accessors.

    Returns:
        The meshes in their places, and notes on what was left out. Bodies for collision are left out unless there is
        nothing else.

    Raises:
        ShapeError: If the nodes are no tree, or are more than MAX_INSTANCES.
    """
    meshes = tree.get("meshes", [])
    if not tree.get("nodes"):
        return [Placement(mesh, np.eye(4)[None], None, _weights({}, meshes[mesh])) for mesh in range(len(meshes))], []
    skeleton = _Skeleton(tree, accessor)
    drawn: list[Placement] = []
    others: list[Placement] = []
    names: list[str] = []
    instances = 0
    for chain, transform, collision in _walk(tree):
        node = tree["nodes"][chain[-1][0]]
        mesh = meshes[node["mesh"]]
        collision = collision or (mesh["name"] if is_collision(mesh.get("name")) else "")
        transforms = _instances(node, transform, accessor)
        instances += len(transforms)
        if instances > MAX_INSTANCES:
            raise ShapeError(f"has more than {MAX_INSTANCES:,} instances: expected fewer; join them first")
        joints = skeleton.joints(node["skin"]) if "skin" in node else None
        placement = Placement(node["mesh"], transforms, joints, _weights(node, mesh), chain)
        (others if collision else drawn).append(placement)
        names += [collision] if collision else []
    return (drawn, [note_collision(names)] if names else []) if drawn else (others, [])


def _walk(tree: dict[str, Any]) -> list[tuple[tuple[tuple[int, Float], ...], Float, str]]:
    """Return nodes with a mesh and those above, their transforms, and what makes them bodies for collision, or ""."""
    nodes, scenes = tree["nodes"], tree.get("scenes", [])
    if scenes:
        roots = scenes[tree.get("scene", 0)].get("nodes", [])
    else:
        children = {child for node in nodes for child in node.get("children", [])}
        roots = [node for node in range(len(nodes)) if node not in children]
    found: list[tuple[tuple[tuple[int, Float], ...], Float, str]] = []
    places: dict[int, Float] = {}
    above_of: dict[int, int] = {child: i for i, node in enumerate(nodes) for child in node.get("children", [])}
    stack = [(root, np.eye(4), "") for root in reversed(roots)]
    visited: set[int] = set()
    while stack:
        index, above, collision = stack.pop()
        if index in visited:
            raise ShapeError(f"has node {index} in two places or in a circle: expected a tree; export it again")
        visited.add(index)
        node = nodes[index]
        transform = places[index] = above @ local_transform(node)
        collision = node["name"] if is_collision(node.get("name")) else collision
        if "mesh" in node:
            found.append((_chain(index, above_of, places), transform, collision))
        stack += [(child, transform, collision) for child in reversed(node.get("children", []))]
    return found


def _chain(index: int, above_of: dict[int, int], places: dict[int, Float]) -> tuple[tuple[int, Float], ...]:
    """Return a node with those above it, from the top; of a deep tree the lowest ones."""
    chain = [index]
    while len(chain) < _DEEPEST and (above := above_of.get(chain[-1], -1)) in places:
        chain.append(above)
    return tuple((number, places[number]) for number in reversed(chain))


def _weights(node: dict[str, Any], mesh: dict[str, Any]) -> tuple[float, ...]:
    return tuple(float(weight) for weight in node.get("weights", mesh.get("weights", ())))


def _instances(node: dict[str, Any], transform: Float, accessor: Accessor) -> Float:
    """Return the [I, 4, 4] transforms of all instances of a node; of a skin there is one, which its joints place."""
    extension = node.get("extensions", {}).get(INSTANCING)
    if extension is None or "skin" in node:
        return transform[None]
    values = {name: accessor(index) for name, index in extension.get("attributes", {}).items()}
    wanted = {"TRANSLATION": 3, "ROTATION": 4, "SCALE": 3}
    known = {name: values[name] for name in wanted if name in values}
    counts = {len(array) for array in values.values()}
    if not known:
        if counts:  # only what belongs to the application: all instances are in one place
            return transform[None]
        raise ShapeError(f"has {INSTANCING} without attributes: expected places of instances; export it again")
    if len(counts) != 1 or any(array.shape[1] != wanted[name] for name, array in known.items()):
        raise ShapeError(f"has {INSTANCING} with attributes that do not fit together: export it again")
    count = counts.pop()
    if count > MAX_INSTANCES:
        raise ShapeError(f"has {count:,} instances: expected at most {MAX_INSTANCES:,}; join them first")
    local = np.tile(np.eye(4), (count, 1, 1))
    if "ROTATION" in known:
        local[:, :3, :3] = _rotations(known["ROTATION"].astype(np.float64))
    if "SCALE" in known:
        local[:, :3, :3] *= known["SCALE"][:, None, :]
    if "TRANSLATION" in known:
        local[:, :3, 3] = known["TRANSLATION"]
    return np.asarray(transform @ local)


class _Skeleton:
    """Places of the joints of skins, in the pose in which the file was written."""

    def __init__(self, tree: dict[str, Any], accessor: Accessor) -> None:
        self._tree = tree
        self._accessor = accessor
        self._parents: dict[int, int] | None = None
        self._places: dict[int, Float] = {}
        self._skins: dict[int, Float] = {}

    def joints(self, skin: int) -> Float:
        """Return the [J, 4, 4] matrices that take vertices from the skin's bind pose to the scene."""
        if skin not in self._skins:
            entry = self._tree["skins"][skin]
            places = np.array([self._place(joint) for joint in entry["joints"]]).reshape(-1, 4, 4)
            if "inverseBindMatrices" in entry:
                binds = self._accessor(entry["inverseBindMatrices"]).astype(np.float64)
                if len(binds) < len(places) or binds.shape[1] != 16:
                    raise ShapeError(f"has a skin of {len(places)} joints with {len(binds)} matrices: export it again")
                places = places @ binds[: len(places)].reshape(-1, 4, 4).transpose(0, 2, 1)
            self._skins[skin] = places
        return self._skins[skin]

    def _place(self, node: int) -> Float:
        nodes = self._tree["nodes"]
        if self._parents is None:
            self._parents = {child: i for i, parent in enumerate(nodes) for child in parent.get("children", [])}
        chain: list[int] = []
        place: int | None = node
        while place is not None and place not in self._places:
            if len(chain) > len(nodes):
                raise ShapeError(f"has the joint {node} in a circle of nodes: expected a tree; export it again")
            chain.append(place)
            place = self._parents.get(place)
        above = np.eye(4) if place is None else self._places[place]
        for index in reversed(chain):
            above = self._places[index] = above @ local_transform(nodes[index])
        return above


def apply_skin(vertices: NDArray[Any], joints: NDArray[Any], weights: NDArray[Any], matrices: Float) -> Float:
    """Move vertices with the joints that hold them.

    Args:
        vertices: Positions in the bind pose, [N, 3].
        joints: Joints of each vertex, [N, K] indices.
        weights: Weights of the joints, [N, K]; they are scaled to a sum of 1, and all zero means the first joint.
        matrices: Matrices of the joints, [J, 4, 4].

    Returns:
        Positions in the scene, [N, 3].

    Raises:
        ShapeError: If a vertex names a joint that does not exist.
    """
    held = weights > 0
    if len(joints) and int(np.where(held, joints, 0).max()) >= len(matrices):
        raise ShapeError(f"has vertices that name joints which do not exist: expected 0 to {len(matrices) - 1}")
    joints = np.where(held, joints, 0).astype(np.int64)
    weights = np.where(held, weights, 0).astype(np.float64)
    sums = weights.sum(axis=1, keepdims=True)
    weights = np.where(sums > 0, weights / np.where(sums > 0, sums, 1), np.arange(weights.shape[1]) == 0)
    moved = np.empty((len(vertices), 3))
    for start in range(0, len(vertices), _CHUNK):
        rows = slice(start, start + _CHUNK)
        blended = np.einsum("nk,nkij->nij", weights[rows], matrices[joints[rows], :3])
        moved[rows] = np.einsum("nij,nj->ni", blended[:, :, :3], vertices[rows]) + blended[:, :, 3]
    return moved


def local_transform(node: dict[str, Any]) -> Float:
    """Return the [4, 4] matrix of a node, from its matrix or from translation, rotation (x, y, z, w) and scale."""
    if "matrix" in node:
        return np.array(node["matrix"], dtype=np.float64).reshape(4, 4).T
    rotation = _rotations(np.array(node.get("rotation", (0, 0, 0, 1)), dtype=np.float64).reshape(1, 4))[0]
    transform = np.eye(4)
    transform[:3, :3] = rotation * np.array(node.get("scale", (1, 1, 1)), dtype=np.float64).reshape(3)
    transform[:3, 3] = np.array(node.get("translation", (0, 0, 0)), dtype=np.float64).reshape(3)
    return transform


def _rotations(quaternions: Float) -> Float:
    """Return the [N, 3, 3] matrices of quaternions x, y, z, w, [N, 4]."""
    x, y, z, w = quaternions.T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), -1, 0)
